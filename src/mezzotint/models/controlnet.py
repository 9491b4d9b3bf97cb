"""ControlNet: a copy of a U-Net's first half that reads pictures (Zhang et al. 2302.05543).

Published ones read one kind of picture each. Here several kinds can share the copy, which is most
of the weights: each has a small network of its own, the *hint*, that brings its pictures to where
the copy begins.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.nn.init import zeroed
from mezzotint.nn.memory import pairs

FACTOR = 8  # pixels of the picture along one of the latent
HINT_WIDTHS = (16, 32, 96, 256)  # of the published hint, one a resolution, the finest first
CUT, CUT_WIDTHS = 4, (32, 64, 96)  # of the other: pixels along a piece, and its widths
ONE = "picture"  # what the kind is called where there is one only


@dataclass(frozen=True)
class ControlNetParams:
    """The sizes of a ControlNet.

    Attributes:
        unet: of the U-Net that it is a copy of and that it steers.
        kinds: names of the kinds of pictures that it reads, words of their own.
        middle: whether the copy has the U-Net's middle too, as published ones have. Without, the
            middle is steered by the features before it: in the storybook's U-Net a place is 32
            pixels wide there, and the middle is two fifths of the copy.
    """

    unet: UNetParams
    kinds: tuple[str, ...]
    middle: bool

    def __post_init__(self) -> None:
        """Raise InputError for kinds that cannot be told apart."""
        distinct = len(set(self.kinds)) == len(self.kinds) > 0
        if not distinct or not all(kind.isidentifier() for kind in self.kinds):
            raise InputError(f"a ControlNet for {list(self.kinds)}: give words, each of them once")


def published(unet: UNetParams) -> ControlNetParams:
    """Sizes as those of published ControlNets."""
    return ControlNetParams(unet, kinds=(ONE,), middle=True)


class ControlNet(nn.Module):
    """Noisy latents, time, context and a hint to residuals for a U-Net of the same sizes.

    ``hints`` bring images (b, 3, 8·h, 8·w) in [0, 1], each of its kind, to what is added to the
    latents' features, (b, channels[0], h/patch, w/patch). They do not depend on the time.
    """

    def __init__(self, params: ControlNetParams) -> None:
        super().__init__()
        self.params = params
        unet = params.unet
        self.copy = UNet(unet)
        del self.copy.up, self.copy.norm_out, self.copy.conv_out
        if not params.middle:
            self.copy.mid = nn.ModuleList()
        self.hints = nn.ModuleDict(
            {kind: nn.Sequential(*_hint(unet.channels[0], unet.patch)) for kind in params.kinds}
        )
        self.zeros = nn.ModuleList(_zero(width) for width in unet.skips)
        self.zero_mid = _zero(unet.channels[-1])

    @classmethod
    def of(cls, unet: UNet, kinds: tuple[str, ...], *, middle: bool) -> Self:
        """One with the first half of a U-Net as it is, and nothing to add to it yet."""
        params = ControlNetParams(replace(unet.params, guided=False), kinds, middle)
        control = cls(params)
        whole, half = unet.state_dict(), control.copy.state_dict()
        control.copy.load_state_dict({name: whole[name] for name in half})
        return control.to(next(unet.parameters()).device)

    def hint(self, images: Tensor, kinds: Tensor) -> Tensor:
        """The hints of images (b, 3, 8·h, 8·w), whose kinds (b,) are places in ``params.kinds``."""
        each = list(self.hints.values())
        parts = [each[kind](images[kinds == kind]) for kind in kinds.unique().tolist()]
        return torch.cat(parts)[kinds.argsort(stable=True).argsort()]

    def forward(
        self, x: Tensor, t: Tensor, context: Tensor, hint: Tensor, y: Tensor | None = None
    ) -> list[Tensor]:
        """What to add to the features of ``UNet.contract``, in their order.

        Args:
            x, t, context, y: what the U-Net is given.
            hint: what ``hints`` made of pictures, (b, channels[0], …) or one for all.

        Raises:
            InputError: ``y`` is missing where it is needed, or given where it has no use.
        """
        time = self.copy.embed(t, y, None, x.dtype)
        read = pairs(self.copy.memory(context))
        features = self.copy.contract(self.copy.enter(x) + hint, time, read)
        zeros = [*self.zeros, self.zero_mid]
        return [zero(feature) for zero, feature in zip(zeros, features, strict=True)]


def _hint(width: int, patch: int) -> Iterator[nn.Module]:
    """The published network; a quicker one for U-Nets that cut latents into patches.

    At full resolution the published one computes as much as the whole of a small U-Net does.
    """
    if patch == 1:
        yield nn.Conv2d(3, HINT_WIDTHS[0], 3, padding=1)
        for fine, coarse in pairwise(HINT_WIDTHS):
            yield nn.SiLU()
            yield nn.Conv2d(fine, fine, 3, padding=1)
            yield nn.SiLU()
            yield nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        yield nn.SiLU()
        yield zeroed(nn.Conv2d(HINT_WIDTHS[-1], width, 3, padding=1))
        return
    halvings = int(math.log2(FACTOR * patch // CUT))
    widths = [*CUT_WIDTHS[: halvings + 1], *[CUT_WIDTHS[-1]] * (halvings + 1 - len(CUT_WIDTHS))]
    yield nn.PixelUnshuffle(CUT)
    yield nn.Conv2d(3 * CUT**2, widths[0], 3, padding=1)
    for fine, coarse in pairwise(widths):
        yield nn.SiLU()
        yield nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
    yield nn.SiLU()
    yield zeroed(nn.Conv2d(widths[-1], width, 3, padding=1))


def _zero(width: int) -> nn.Conv2d:
    return zeroed(nn.Conv2d(width, width, 1))
