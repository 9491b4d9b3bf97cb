"""Where all samplers are going, if the perfect denoiser is known: their curve, by none of them."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from mezzotint.diffusion import Process
from mezzotint.diffusion.oracle import GaussianMixture

STEPS = 200
CLEAN = 1e-6  # of the angle; at 0 no ε̂ can be told


def followed(
    mixture: GaussianMixture, process: Process, x: Tensor, ends: Tensor
) -> Iterator[Tensor]:
    """The curve through ``x`` (b, …), step by step, by Runge and Kutta's method of order 4.

    A sampler's last step to clean data stays as large as its grid has it however many steps there
    are, so this goes by no grid of theirs. With α = cos φ and σ = sin φ the curve is
    dx/dφ = cos φ·ε̂ − sin φ·x̂₀, smooth from noise alone to clean data, in even steps of φ.

    Args:
        mixture: of which the denoiser is known.
        process: of the times.
        x: the sample where the curve begins.
        ends: (2,), the times where it begins and ends.
    """
    alpha, sigma = process.at(ends)
    (begin, end), (first, last) = torch.atan2(sigma, alpha).tolist(), alpha.hypot(sigma)
    x, h = x / first, (max(end, CLEAN) - begin) / STEPS

    def slope(x: Tensor, angle: float) -> Tensor:
        cos, sin = math.cos(angle), math.sin(angle)
        x0 = mixture.denoise(x, cos, sin)
        return cos * (x - cos * x0) / sin - sin * x0

    for k in range(STEPS):
        angle = begin + k * h
        one = slope(x, angle)
        two = slope(x + h / 2 * one, angle + h / 2)
        three = slope(x + h / 2 * two, angle + h / 2)
        four = slope(x + h * three, angle + h)
        x = x + h / 6 * (one + 2 * two + 2 * three + four)
        yield x * last
