"""Painting a part anew while the rest is known: a denoiser goes in, a denoiser comes out."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from mezzotint.diffusion.noise import Noise
from mezzotint.diffusion.prediction import Denoiser
from mezzotint.diffusion.process import Process
from mezzotint.diffusion.samplers import Sampler, Step

STRETCHES = 10  # that a grid is cut into to be walked more than once
SHORTEST = 2  # steps of a stretch, so that multistep methods have something to go by


def held(denoise: Denoiser, known: Tensor, mask: Tensor, grid: Tensor) -> Denoiser:
    """The denoiser where x₀ is ``known`` outside of a mask.

    There x̂₀ is the known x₀ instead of a guess, so that with any sampler x runs from the diffused
    picture back to the picture. For data whose parts are independent that is E[x₀ | x, known],
    exactly; where they are not, what the network sees of the known is noised, and more passes of
    ``resampled`` bring the rest nearer to it.

    A grey mask gives each place a strength of its own (Levin & Fried 2306.00950): it is known
    until as much of the grid is left as the mask is white there.

    Args:
        denoise: of all.
        known: x₀, (1, c, h, w) or (b, c, h, w).
        mask: (1, 1, h, w) in [0, 1]; 1 is painted anew and 0 known.
        grid: the sampler's times (n + 1,).
    """
    steps = len(grid) - 1

    def denoised(x: Tensor, t: Tensor) -> Tensor:
        begun = int((grid[:-1] >= t.to(grid)).sum())
        left = 1 - max(begun - 1, 0) / steps
        return torch.where(mask >= left, denoise(x, t), known.to(x))

    return denoised


def resampled(
    sampler: Sampler,
    denoise: Denoiser,
    x: Tensor,
    grid: Tensor,
    process: Process,
    rng: Noise,
    passes: int,
) -> Iterator[Step]:
    """A sampler that goes over each stretch of its grid several times.

    RePaint (Lugmayr et al. 2201.09865, algorithm 1) with any sampler: after each time but the last
    it is noised again to where the stretch began, and so what is painted comes into harmony with
    what is known around it. The stretches are a tenth of the grid; the paper's are 10 of 250 steps.

    Args:
        sampler: any, as in ``SAMPLERS``; multistep ones begin afresh with each stretch.
        denoise, x, grid, process, rng: what it takes.
        passes: how often, at least 1, which is the sampler alone.
    """
    if passes == 1:
        yield from sampler(denoise, x, grid, process, rng)
        return
    steps, index = len(grid) - 1, 0
    length = max(SHORTEST, steps // STRETCHES)
    for first in range(0, steps, length):
        stretch = grid[first : first + length + 1]
        for time in range(passes):
            if time:
                x = renoised(process, x, stretch[-1], stretch[0], rng)
            for step in sampler(denoise, x, stretch, process, rng):
                x = step.x
                yield replace(step, index=index, total=steps * passes)
                index += 1


def renoised(process: Process, x: Tensor, t: Tensor, s: Tensor, rng: Noise) -> Tensor:
    """A draw from q(x_s | x_t) at a noisier time s: a·x_t + √(σ_s² − a²σ_t²)·ε with a = α_s/α_t."""
    ratio = float(process.alpha(s) / process.alpha(t))
    fresh = float(process.sigma(s) ** 2 - (ratio * process.sigma(t)) ** 2) ** 0.5
    return ratio * x + fresh * rng(x)
