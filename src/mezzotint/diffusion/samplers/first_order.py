"""Samplers that believe x̂₀ for a whole step. One formula, ``grid.move``, and how much new noise."""

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from mezzotint.diffusion.noise import Noise
from mezzotint.diffusion.prediction import Denoiser
from mezzotint.diffusion.process import Process
from mezzotint.diffusion.samplers.grid import Step, ancestral, follow, move, points, slope


def ddim(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise, *, eta: float = 0.0
) -> Iterator[Step]:
    """DDIM (Song et al. 2010.02502, eq. 12): deterministic for η = 0, DDPM for η = 1."""
    path = points(process, times)
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        up = ancestral(s, t, eta)
        x = move(x, x0, s, t, up)
        if up:
            x = x + up * rng(x)
        yield Step(i, len(path) - 1, float(t.t), x, x0)


def ddpm(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise
) -> Iterator[Step]:
    """Ancestral sampling from q(x_t | x_s, x̂₀) (Ho et al. 2006.11239, eq. 6 and 7)."""
    return ddim(denoise, x, times, process, rng, eta=1.0)


def euler(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise
) -> Iterator[Step]:
    """Euler's method on the probability-flow ODE (Karras et al. 2206.00364, algorithm 1, line 5).

    In any coordinates of ``grid.Point`` it is DDIM with η = 0.
    """
    path = points(process, times)
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        x = follow(x, slope(x, x0, s), s, t)
        yield Step(i, len(path) - 1, float(t.t), x, x0)


def euler_ancestral(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise, *, eta: float = 1.0
) -> Iterator[Step]:
    """Euler's method to less noise than wanted, then the rest as new noise (k-diffusion).

    Which is DDIM with the same η.
    """
    return ddim(denoise, x, times, process, rng, eta=eta)


def lcm(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise
) -> Iterator[Step]:
    """x̂₀ with all noise new: multistep consistency sampling (Luo et al. 2310.04378, algorithm 3).

    For networks distilled to give a sharp x̂₀; others stay blurred.
    """
    path = points(process, times)
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        x = t.alpha * x0
        if t.sigma:
            x = x + t.sigma * rng(x)
        yield Step(i, len(path) - 1, float(t.t), x, x0)
