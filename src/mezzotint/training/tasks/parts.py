"""A denoiser that also says which part of which thing it draws at each place.

What a network has to know to draw a thing is what recognises it, and networks that are helped to
recognise learn to draw many times sooner (Yu et al. 2410.06940, "REPA": features are aligned with
those of a network that sees well). The world knows what each place of a scene shows, so here the
features in the middle of a denoiser are asked for that: the name of the thing, and how far across
and down it the place is. A linear layer has to read it off, so the features must hold it.

The question is for the beginning: it is asked less and less, until at the end only pictures count
(Wang et al. 2505.16792, "HASTE": the help hinders in the end).
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.models.dit import DiT
from mezzotint.models.unet import UNet
from mezzotint.training.data.parts import LEVELS, NOTHING

BINS = 8  # along each side of a thing


class PartsReader(nn.Module):
    """A linear layer from features to what each place shows."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.read = nn.Conv2d(width, NOTHING + 1 + 2 * BINS, 1)

    def forward(self, features: Tensor, parts: Tensor) -> Tensor:
        """The cross-entropy of features (b, width, …) about parts (b, 3, h, w) uint8.

        That of the name over all places, and that of both sides over those with a thing.
        """
        kinds, *sides = parts.unbind(1)
        near = F.interpolate(features, kinds.shape[1:])
        name, across, down = self.read(near).float().split([NOTHING + 1, BINS, BINS], 1)
        there = kinds != NOTHING
        wrong = F.cross_entropy(name, kinds.long())
        for said, side in zip((across, down), sides, strict=True):
            places = F.cross_entropy(said, side.long() * BINS // (LEVELS + 1), reduction="none")
            wrong = wrong + (places * there).sum() / there.sum().clamp(min=1)
        return wrong


@dataclass
class Seen:
    """The features (b, width, h, w) of the last call within ``tapped``."""

    features: Tensor = field(default_factory=lambda: torch.empty(0))


def width_of(network: UNet | DiT) -> int:
    """Channels of the features that ``tapped`` shows."""
    if isinstance(network, DiT):
        return network.params.width
    return network.params.channels[:2][-1]


@contextmanager
def tapped(network: UNet | DiT) -> Generator[Seen]:
    """Show features from within a network, of each call within the block.

    Of a U-Net they are what the finest level on the way up is given, of a transformer what its
    middle block is.
    """
    seen = Seen()

    def look(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        features: Tensor = inputs[0]
        if features.ndim == 3:
            side = round(features.shape[1] ** 0.5)
            features = features.transpose(1, 2).unflatten(2, (side, side))
        seen.features = features

    within = network.up[-1] if isinstance(network, UNet) else _middle(network)
    handle = within.register_forward_pre_hook(look)
    try:
        yield seen
    finally:
        handle.remove()


def _middle(network: DiT) -> nn.Module:
    return network.blocks[len(network.blocks) // 2]
