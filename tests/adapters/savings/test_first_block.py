"""First-block caching of each kind of transformer, against its blocks put together by hand."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from oracles import randomised
from torch import Tensor, nn

from mezzotint.adapters.base import Injected, Run
from mezzotint.adapters.savings.first_block import first_block
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.models.dit import DiT, DiTParams
from mezzotint.models.flux import Flux, FluxParams
from mezzotint.models.mmdit import MMDiT, MMDiTParams
from mezzotint.nn.attention import PixelAttention

TOKENS, IMAGE = 5, 12  # the prompt's, and the image's


def flux(joint: int, single: int) -> Flux:
    return Flux(
        FluxParams(
            channels_in=4,
            channels_out=4,
            width=24,
            heads=2,
            joint_blocks=joint,
            single_blocks=single,
            axes=(4, 4, 4),
            context_width=24,
            y_width=6,
            guided=False,
        )
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "dit": lambda: DiT(DiTParams(4, 2, 24, 4, 3, 20, 24, 6)),
    "mmdit": lambda: MMDiT(MMDiTParams(4, 2, 24, 2, 4, 1, True, 24, 6, 8, 8)),
    "flux": lambda: flux(2, 2),
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    return randomised(NETWORKS[request.param]()).double().requires_grad_(False)


def blocks(network: nn.Module) -> list[nn.Module]:
    return [*network.joint, *network.single] if isinstance(network, Flux) else [*network.blocks]


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def given(rows: int = 2, t: float = 500.0) -> list[Tensor]:
    return [drawn(rows, 4, 6, 8), torch.full((rows,), t), drawn(rows, TOKENS, 24), drawn(rows, 6)]


def image(made: Any) -> Tensor:
    """The image's tokens of what a block makes."""
    return (made[1] if isinstance(made, tuple) else made)[:, -IMAGE:]


def ends(network: nn.Module, inputs: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The image's tokens after the first block and after the last."""
    found: list[Tensor] = []
    first, *_, last = blocks(network)
    handles = [
        each.register_forward_hook(lambda _, __, made: found.append(image(made)))
        for each in (first, last)
    ]
    network(*inputs)
    for handle in handles:
        handle.remove()
    return found[0], found[1]


def begun(network: nn.Module, threshold: float) -> tuple[Injected, Callable[..., Tensor]]:
    """The network with its saving, as a function of how much is done and what it is given."""
    injected, run = first_block(threshold).inject({"network": Part(network, ())}), Run()

    def ask(progress: float, inputs: list[Tensor]) -> Tensor:
        injected.run(run)
        injected.at(progress)
        return network(*inputs)

    return injected, ask


def counted(network: nn.Module) -> list[int]:
    """How often each block's own attention is computed from now on."""
    counts = [0] * len(blocks(network))
    for k, block in enumerate(blocks(network)):
        attending = next(each for name, each in block.named_modules() if "attending" in name)

        def count(*_: object, k: int = k) -> None:
            counts[k] += 1

        attending.register_forward_hook(count)
    return counts


def test_what_the_others_added_is_added_again(network: nn.Module) -> None:
    inputs = given()
    second = [inputs[0] + 0.3 * drawn(2, 4, 6, 8), inputs[1] - 20, *inputs[2:]]
    begin, end = ends(network, inputs)
    now, _ = ends(network, second)

    def exchanged(_: nn.Module, __: Any, made: Any) -> Any:
        own = now + (end - begin)
        if isinstance(made, tuple):
            return made[0], own
        return torch.cat([made[:, :-IMAGE], own], dim=1)

    plain, there = network(*second), network(*inputs)
    handle = blocks(network)[-1].register_forward_hook(exchanged)
    expected = network(*second)
    handle.remove()

    injected, ask = begun(network, math.inf)
    assert torch.equal(ask(0, inputs), there)
    counts = counted(network)
    torch.testing.assert_close(ask(0.1, second), expected, rtol=1e-12, atol=1e-12)
    assert counts == [1, *[0] * (len(counts) - 1)]
    injected.eject()
    assert torch.equal(network(*second), plain)
    assert not torch.allclose(expected, plain)


def test_a_row_that_changes_is_enough(network: nn.Module) -> None:
    inputs = given()
    inputs[0][1] = inputs[0][0]  # a guided batch: the same latents, two prompts
    moved = drawn(2, 4, 6, 8)
    moved[0] = 0
    injected, ask = begun(network, 0.2)
    counts = counted(network)
    full = len(counts)
    ask(0.0, inputs)
    assert sum(counts) == full
    ask(0.1, [inputs[0] + 0.001 * moved, *inputs[1:]])
    assert sum(counts) == full + 1
    ask(0.2, [inputs[0] + moved, *inputs[1:]])
    assert sum(counts) == 2 * full + 1
    injected.eject()


def test_change_is_since_all_was_computed_not_since_the_step_before(network: nn.Module) -> None:
    inputs, direction = given(), drawn(2, 4, 6, 8)

    def computed(*steps: float) -> int:
        injected, ask = begun(network, 0.2)
        ask(0.0, inputs)
        for k, step in enumerate(steps, 1):
            ask(k / 10, [inputs[0] + step * direction, *inputs[1:]])
        injected.eject()
        return sum(counts)

    counts = counted(network)
    full = len(counts)
    small = next(s for s in (0.3 / 2**k for k in range(12)) if _spends(computed, counts, s) == 1)
    assert _spends(computed, counts, *(small * k for k in range(1, 40))) > 39 + full


def _spends(computed: Callable[..., int], counts: list[int], *steps: float) -> int:
    """Blocks computed after the first step."""
    counts[:] = [0] * len(counts)
    return computed(*steps) - len(counts)


def test_at_no_threshold_everything_is_computed(network: nn.Module) -> None:
    inputs = given()
    plain = network(*inputs)
    injected, ask = begun(network, 0.0)
    counts = counted(network)
    for k in range(3):
        assert torch.equal(ask(k / 4, inputs), plain)  # nothing has changed at all
    assert counts == [3] * len(counts)
    injected.eject()


@pytest.mark.parametrize("number", [-0.1, math.nan])
def test_a_threshold_that_is_none_is_refused(number: float) -> None:
    with pytest.raises(InputError, match="first_block threshold"):
        first_block(number)


def test_networks_without_such_blocks_are_refused() -> None:
    with pytest.raises(InputError, match="for transformers, and this model is a PixelAttention"):
        first_block().inject({"network": Part(PixelAttention(4, 1, 1e-5), ())})
    with pytest.raises(InputError, match="has only one"):
        first_block().inject({"network": Part(flux(1, 0), ())})
