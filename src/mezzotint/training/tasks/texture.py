"""How much texture there is at each place, whatever its strokes: what L1 cannot ask of a decoder.

A latent does not say where each stroke of a brush is. What is then nearest to the picture, by the
distances of pixels or of gradients, is no stroke at all. Textures look alike if their oriented
bands are as strong (Heeger & Bergen 1995, "Pyramid-based texture analysis/synthesis", section 2),
so here a decoder is asked for the strength of gradients in each window, in four directions and at
three scales, and may put the strokes where it likes.
"""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

SCALES, WINDOW = 3, 8  # pixels along a window, at each scale
STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))  # down and across, to the pixel that is compared
FAINT = 1e-4  # added to the mean square of gradients, whose root is steep at zero


def texture_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of how strong gradients are, of images (b, c, h, w) in [−1, 1]."""
    total = a.new_zeros(())
    for _ in range(SCALES):
        for one, other in zip(_strengths(a), _strengths(b), strict=True):
            total = total + (one - other).abs().mean()
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return total / (SCALES * len(STEPS))


def _strengths(x: Tensor) -> Iterator[Tensor]:
    """Root mean square (b, c, …) of the gradients along each of ``STEPS``, a window every half."""
    height, width = x.shape[2:]
    for down, across in STEPS:
        left, right = max(0, -across), max(0, across)
        there = x[..., down:, right : width - left]
        here = x[..., : height - down, left : width - right]
        square = (there - here).square()
        yield F.avg_pool2d(square, min(WINDOW, *square.shape[2:]), WINDOW // 2).add(FAINT).sqrt()
