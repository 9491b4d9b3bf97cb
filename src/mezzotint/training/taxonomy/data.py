"""Latents of a set of pictures, each told of by what the text tower makes of its caption."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.families.text import TextEncoder
from mezzotint.training.data.latents import LatentSet
from mezzotint.training.draw import Draw, visits
from mezzotint.training.taxonomy.kind import Shape, dequantised


@dataclass(frozen=True)
class Told:
    """What all kinds learn from.

    Attributes:
        latents: of each picture, as the encoder gave them.
        captions: for each picture, one or more wordings.
        tell: captions to vectors (b, told).
        mean, std: moments (1, c, 1, 1) that the latents are normalised by.
    """

    latents: LatentSet
    captions: Sequence[Sequence[str]]
    tell: Callable[[Sequence[str]], Tensor]
    mean: Tensor
    std: Tensor

    def batch(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """Latents (b, c, h, w) and vectors (b, told) of a step, in shuffled epochs."""
        numbers = visits(draw.seed, len(self.captions), draw.step * draw.batch, draw.batch)
        wordings = draw.integers("wording", len(self.captions[0]))
        return self.rows(numbers, wordings, draw)

    def rows(
        self, numbers: NDArray[np.int64], wordings: NDArray[np.int64], draw: Draw
    ) -> tuple[Tensor, Tensor]:
        """The pictures with these numbers, their captions in these wordings."""
        x = torch.from_numpy(self.latents.latents(numbers)).to(self.mean.device).float()
        x = (x - self.mean) / self.std
        pairs = zip(numbers, wordings, strict=True)
        told = self.tell([self.captions[int(number)][int(wording)] for number, wording in pairs])
        return dequantised(x, draw.uniform("grain", *x.shape[1:])), told

    def shape(self) -> Shape:
        """What is learnt.

        Raises:
            InputError: latents that are not square.
        """
        draw = Draw(0, 0, 1, slice(None), self.mean.device)
        x, told = self.rows(np.zeros(1, np.int64), np.zeros(1, np.int64), draw)
        _, channels, height, width = x.shape
        if height != width:
            raise InputError(f"latents of {width}x{height}: they must be square")
        return Shape(channels, height, told.shape[1])


def pooled(encoder: TextEncoder) -> Callable[[Sequence[str]], Tensor]:
    """Captions to the pooled vectors (b, d) of a frozen text tower."""

    @torch.no_grad()
    def tell(captions: Sequence[str]) -> Tensor:
        vectors = encoder(encoder.windows(captions)).pooled
        if vectors is None:
            raise InputError("the text encoder has no pooled vector: a CLIP's text tower has one")
        return vectors.float()

    return tell
