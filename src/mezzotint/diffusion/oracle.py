"""Data whose perfect denoiser is known, a mixture of Gaussians, and where samplers are to go."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mezzotint.diffusion.prediction import Denoiser
from mezzotint.diffusion.process import Process

STEPS = 200
CLEAN = 1e-6  # of the angle; at 0 no ε̂ can be told


@dataclass(frozen=True)
class GaussianMixture:
    """x₀ ~ Σₖ wₖ·N(μₖ, sₖ²·I).

    Attributes:
        means: (k, …), μ.
        stds: (k,), s ≥ 0; 0 is a point mass.
        weights: (k,), w, which sum to 1.
    """

    means: Tensor
    stds: Tensor
    weights: Tensor

    def denoise(self, x: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
        """E[x₀ | x] for x = α·x₀ + σ·ε, shape (b, …), at one α and σ > 0.

        Under component k, x ~ N(α·μₖ, vₖ·I) with vₖ = α²sₖ² + σ², and x₀ given x is Gaussian around
        μₖ + α·sₖ²/vₖ·(x − α·μₖ); Bayes' rule says how much component k has to do with x.
        """
        means, flat = self.means.flatten(1).to(x), x.flatten(1)
        spread = self.stds.to(x).square()
        variance = alpha**2 * spread + sigma**2
        away = flat[:, None] - alpha * means
        likelihood = away.square().sum(2) / variance + flat.shape[1] * variance.log()
        share = (self.weights.to(x).log() - likelihood / 2).softmax(1)
        centres = means + (alpha * spread / variance)[:, None] * away
        return (share[:, :, None] * centres).sum(1).view_as(x)

    def denoiser(self, process: Process) -> Denoiser:
        """The perfect denoiser for ``process``."""
        return lambda x, t: self.denoise(x, process.alpha(t), process.sigma(t))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """``n`` samples of the data, (n, …)."""
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        means = self.means[k]
        noise = torch.randn(means.shape, generator=generator, dtype=means.dtype)
        return means + self.stds[k].reshape(-1, *[1] * (means.ndim - 1)) * noise


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
