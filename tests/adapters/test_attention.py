"""Attention watched and lent, against softmax written out; the network is as before after it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from oracles import randomised
from torch import Tensor, nn
from unets import SMALL

from mezzotint.adapters.attention import Watch, lending, watched
from mezzotint.adapters.negatives import negative_rows
from mezzotint.errors import InputError
from mezzotint.models.dit import DiT, DiTParams
from mezzotint.models.flux import Flux, FluxParams
from mezzotint.models.mmdit import MMDiT, MMDiTParams
from mezzotint.models.unet import UNet
from mezzotint.nn import attention
from mezzotint.nn.attention import to_tokens
from mezzotint.nn.transformer import CrossBlock

UNET = replace(SMALL["sd15"], channels=(32, 32), blocks=1, depths=(1, 1), heads=(1, 2), groups=4)
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "unet": lambda: UNet(UNET),
    "cross_only": lambda: UNet(replace(UNET, patch=2, cross_only=(0,))),
    "dit": lambda: DiT(DiTParams(4, 2, 24, 2, 3, 20, 24, 6)),
    "mmdit": lambda: MMDiT(MMDiTParams(4, 2, 24, 2, 2, 1, True, 24, 6, 8, 8)),
    "flux": lambda: Flux(
        FluxParams(
            channels_in=4,
            channels_out=4,
            width=24,
            heads=2,
            joint_blocks=1,
            single_blocks=1,
            axes=(4, 4, 4),
            context_width=24,
            y_width=6,
            guided=False,
        )
    ),
}
JOINT = ("mmdit", "flux")
TOKENS = 5


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def called(network: nn.Module, rows: int = 2, tokens: int = TOKENS, seed: int = 0) -> Tensor:
    told = (drawn(rows, 6, seed=3),) if not isinstance(network, UNet) else ()
    x, context = drawn(rows, 4, 6, 8, seed=seed), drawn(rows, tokens, 24, seed=1)
    with torch.no_grad():
        return network(x, torch.full((rows,), 20.0), context, *told)


def written_out(query: Tensor, key: Tensor) -> Tensor:
    """softmax(q·k/√d), one query at a time."""
    found = torch.empty(*query.shape[:3], key.shape[2], dtype=torch.float64)
    for b, head, i in torch.cartesian_prod(*(torch.arange(n) for n in query.shape[:3])):
        scores = torch.exp(key[b, head] @ query[b, head, i] / query.shape[3] ** 0.5)
        found[b, head, i] = scores / scores.sum()
    return found


@pytest.fixture(params=NETWORKS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def network(name: str) -> nn.Module:
    return randomised(NETWORKS[name]()).double()


def test_maps_are_those_of_softmax(
    name: str, network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs: list[tuple[Tensor, Tensor]] = []
    plain = attention.attend

    def spy(query: Tensor, key: Tensor, value: Tensor, causal: bool) -> Tensor:
        pairs.append((query, key))
        return plain(query, key, value, causal)

    monkeypatch.setattr(attention, "attend", spy)
    with watched(network) as watch:
        called(network)
    maps = watch.take()

    layers: list[Tensor] = []
    finest = (6, 8) if name == "unet" else (3, 4)
    for query, key in pairs:
        first = TOKENS if name in JOINT else 0
        if key.shape[2] not in (TOKENS, TOKENS + 12) or (not first and key.shape[2] != TOKENS):
            continue
        layer = written_out(query, key)[:, :, first:, :TOKENS].mean(1).transpose(1, 2)
        sides = {48: (6, 8), 12: (3, 4), 4: (2, 2)}[layer.shape[2]]
        layers.append(F.interpolate(layer.unflatten(2, sides), finest, mode="bilinear"))
    assert layers
    torch.testing.assert_close(maps, torch.stack(layers).mean(0))
    sums = maps.sum(1)
    if name in JOINT:
        assert ((sums > 0) & (sums < 0.999)).all()
    else:
        torch.testing.assert_close(sums, torch.ones_like(sums))


def test_watching_changes_no_bit(network: nn.Module) -> None:
    before = called(network)
    with watched(network):
        assert torch.equal(called(network), before)
    assert torch.equal(called(network), before)
    assert not any(
        module._forward_hooks or module._forward_pre_hooks for module in network.modules()
    )


def test_each_step_can_be_asked_alone(network: nn.Module) -> None:
    with watched(network) as watch:
        alone: list[Tensor] = []
        for seed in (0, 7):
            called(network, seed=seed)
            alone.append(watch.take())
        for seed in (0, 7):
            called(network, seed=seed)
        torch.testing.assert_close(watch.take(), torch.stack(alone).mean(0))
        assert not torch.allclose(*alone)
        with pytest.raises(ValueError, match="was not called"):
            watch.take()


def test_rows_of_a_negative_prompt_are_left_out() -> None:
    network = randomised(NETWORKS["unet"]()).double()

    def maps(*negative: bool) -> Tensor:
        negative_rows(network, negative)
        with watched(network) as watch:
            called(network)
        return watch.take()

    torch.testing.assert_close(maps(False, True), maps(False, False)[:1])
    torch.testing.assert_close(maps(True, False), maps(False, False)[1:])
    with watched(network) as watch:
        negative_rows(network, (False, False))
        called(network)
        called(network, tokens=7)
        with pytest.raises(ValueError, match="several lengths"):
            watch.take()


def test_a_network_without_prompts_is_refused() -> None:
    network = UNet(replace(UNET, depths=(0, 0), mid_depth=0))
    with pytest.raises(InputError, match="UNet has no attention to a prompt"), watched(network):
        pass


def same(rows: int = 1, tokens: int = TOKENS) -> tuple[Tensor, Tensor]:
    return torch.eye(tokens).expand(rows, -1, -1), torch.zeros(rows, tokens)


def test_the_same_lent_changes_nothing(network: nn.Module) -> None:
    x, context, y = drawn(1, 4, 6, 8), drawn(1, TOKENS, 24, seed=1), drawn(1, 6, seed=3)
    told = () if isinstance(network, UNet) else (y.expand(2, -1),)

    def twice() -> Tensor:
        with torch.no_grad():
            t = torch.full((2,), 20.0)
            return network(x.expand(2, -1, -1, -1), t, context.expand(2, -1, -1), *told)

    before = twice()
    with lending(network, *same()):
        torch.testing.assert_close(twice(), before)
    assert torch.equal(twice(), before)


def test_lending_reaches_the_others_and_only_them(network: nn.Module) -> None:
    before = called(network)
    with lending(network, *same()) as lent:
        both = called(network)
        assert torch.equal(both[0], before[0])
        found = [both[1]]
        for lent.prompt, lent.places in ((True, False), (False, True)):
            found.append(called(network)[1])
        lent.prompt = lent.places = False
        assert torch.equal(called(network), before)
    differ = [(one - before[1]).abs().max() > 1e-6 for one in found]
    assert differ[:2] == [True, True]  # a network may have no attention among places alone
    assert torch.equal(called(network), before)
    assert not any(module._forward_hooks for module in network.modules())


class OneBlock(nn.Module):
    """Cross-attention and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.block = CrossBlock(8, 6, heads=2)

    def forward(self, x: Tensor, _: Tensor, context: Tensor) -> Tensor:
        return self.block(to_tokens(x), self.block.attend_cross.keys_values(context))


@pytest.mark.parametrize("kept", [1.0, 0.0])
def test_what_is_lent_is_moved_as_told(kept: float) -> None:
    """Token 1 of the first is split over 1 and 2 of the second, whose token 0 is its own."""
    network = randomised(OneBlock()).double()
    x, context = drawn(2, 8, 2, 3), drawn(2, 3, 6, seed=1)
    moved = torch.tensor([[[0, 0, 0], [0, 0.5, 0.5], [0, 0, 1.0]]]).double()
    own = torch.tensor([[1.0, 0, 0]]).double()
    with torch.no_grad(), lending(network, kept * moved, own):
        found = network(x, torch.zeros(2), context)[1]
        attend = network.block.attend_cross
        normed = network.block.norm_cross(to_tokens(x))
        split = [attend.query(normed), attend.key(context), attend.value(context)]
        query, key, value = (z.unflatten(2, (2, 4)).transpose(1, 2) for z in split)
        first, second = written_out(query, key)
        weights = torch.stack(
            [second[..., 0], first[..., 1] / 2, first[..., 1] / 2 + first[..., 2]]
        )
        weights = (weights / weights.sum(0)).movedim(0, -1)
        mixed = (weights @ value[1]).transpose(0, 1).flatten(1)
        expected = to_tokens(x)[1] + attend.out(mixed)
    assert torch.allclose(found, expected) == bool(kept)


def test_a_watch_is_empty_at_first() -> None:
    with pytest.raises(ValueError, match="was not called"):
        Watch().take()
