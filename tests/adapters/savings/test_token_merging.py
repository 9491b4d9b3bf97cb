"""Token merging, against loops; and where it must change nothing at all."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as some
from oracles import randomised
from torch import Tensor
from unets import SMALL

from mezzotint.adapters.savings.token_merging import Merging, token_merging
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.models.dit import DiT, DiTParams
from mezzotint.models.unet import UNet
from mezzotint.nn.transformer import PixelTransformer, TransformerBlock

UNET = replace(
    SMALL["sd15"], channels=(32, 32, 32), blocks=1, depths=(1, 1, 1), heads=(1, 2, 2), groups=4
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_loops(x: Tensor, height: int, width: int, count: int) -> tuple[dict[int, int], list[int]]:
    """Which token each of ``count`` goes into, and all that stay, token by token."""
    here = [i for i in range(height * width) if i // width % 2 == 0 and i % width % 2 == 0]
    others = [i for i in range(height * width) if i not in here]

    def alike(i: int, j: int) -> float:
        return float(torch.stack([F.cosine_similarity(r[i], r[j], dim=0) for r in x]).mean())

    best = {i: max(here, key=lambda j, i=i: alike(i, j)) for i in others}
    go = sorted(others, key=lambda i: -alike(i, best[i]))[:count]
    return {i: best[i] for i in go}, [i for i in range(height * width) if i not in go]


@given(
    height=some.integers(1, 4),
    width=some.integers(1, 5),
    rows=some.integers(1, 2),
    share=some.floats(0, 0.75),
    seed=some.integers(0, 99),
)
def test_merging_is_that_of_loops(
    height: int, width: int, rows: int, share: float, seed: int
) -> None:
    n = height * width
    count = int(share * n)
    x = drawn(rows, n, 3, seed=seed)
    merging = Merging.of(x, height, width, count)
    into, stay = by_loops(x, height, width, count)
    merged = merging.done(x)
    assert merged.shape[1] == len(stay) == n - len(into)
    means = x.clone()
    for j in stay:
        means[:, j] = torch.stack([x[:, i] for i in (j, *(k for k in into if into[k] == j))]).mean(
            0
        )
    for i, j in into.items():
        means[:, i] = means[:, j]
    torch.testing.assert_close(merging.undone(merged), means)


def test_pixels_that_are_the_same_attend_as_they_would_alone() -> None:
    transformer = randomised(PixelTransformer(32, 8, 2, 1, 4)).double()
    unet = UNet(
        replace(UNET, channels=(32,), depths=(1,), heads=(2,), mid_depth=0, context_width=8)
    )
    unet.down[0].blocks[0].attention = transformer
    coarse = drawn(2, 32, 3, 4)
    fours = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)
    read = [drawn(2, 2, 5, 16, seed=k) for k in (1, 2)]

    def called(x: Tensor) -> Tensor:
        with torch.no_grad():
            return transformer(x, iter([(read[0], read[1])]))

    plain, uneven = called(fours), drawn(2, 32, 6, 8, seed=3)
    other = called(uneven)
    injected = token_merging(0.75).inject({"network": Part(unet, ())})
    seen: list[int] = []
    attending = transformer.blocks[0].attend_self.attending
    attending.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[2]))
    torch.testing.assert_close(called(fours), plain)
    assert seen == [12]
    assert not torch.allclose(called(uneven), other)
    injected.eject()
    assert torch.equal(called(uneven), other)


@pytest.mark.parametrize("cross_only", [(), (0,)])
@pytest.mark.parametrize("levels", [1, 2, 9])
@torch.no_grad()
def test_levels_are_the_finest_that_have_self_attention(
    levels: int, cross_only: tuple[int, ...]
) -> None:
    unet = randomised(UNet(replace(UNET, cross_only=cross_only))).double()
    seen: set[tuple[int, int]] = set()
    places = 0

    def enter(_: object, given: tuple[Tensor, ...]) -> None:
        nonlocal places
        places = given[0].shape[2:].numel()

    def attend(_: object, given: tuple[Tensor, ...]) -> None:
        seen.add((places, given[0].shape[2]))

    for each in (*unet.down.modules(), *unet.up.modules()):
        if isinstance(each, PixelTransformer) and isinstance(each.blocks[0], TransformerBlock):
            each.register_forward_pre_hook(enter)
            each.blocks[0].attend_self.attending.register_forward_pre_hook(attend)
    injected = token_merging(0.5, levels).inject({"network": Part(unet, ())})
    unet(drawn(1, 4, 6, 8), torch.zeros(1), drawn(1, 5, 24))
    injected.eject()
    attended = [48, 12, 4][len(cross_only) :]
    assert seen == {(n, n if k >= levels else n // 2) for k, n in enumerate(attended)}


def test_what_cannot_be_is_refused() -> None:
    for ratio in (-0.1, 0.8, float("nan")):
        with pytest.raises(InputError, match="token_merging ratio"):
            token_merging(ratio)
    with pytest.raises(InputError, match="token_merging levels"):
        token_merging(0.5, 0)
    for unet in (replace(UNET, depths=(0, 0, 0)), replace(UNET, cross_only=(0, 1, 2))):
        with pytest.raises(InputError, match="do not attend to one another"):
            token_merging().inject({"network": Part(UNet(unet), ())})
    dit = DiT(DiTParams(4, 2, 24, 2, 3, 20, 24, 6))
    with pytest.raises(InputError, match="for U-Nets, and this model is a DiT"):
        token_merging().inject({"network": Part(dit, ())})
