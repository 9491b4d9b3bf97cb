"""Second-order samplers that look at x̂₀ twice in a step."""

import math
from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from mezzotint.diffusion.noise import Noise
from mezzotint.diffusion.prediction import Denoiser
from mezzotint.diffusion.process import Process
from mezzotint.diffusion.samplers.grid import (
    Step,
    ancestral,
    at_level,
    at_ratio,
    follow,
    kept,
    move,
    points,
    slope,
)


def heun(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise
) -> Iterator[Step]:
    """Heun's method: the mean slope of both ends (Karras et al. 2206.00364, algorithm 1)."""
    path = points(process, times)
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        d = slope(x, x0, s)
        if t.sigma:
            trial = follow(x, d, s, t)
            x0 = denoise(trial, t.t)
            d = (d + slope(trial, x0, t)) / 2
        x = follow(x, d, s, t)
        yield Step(i, len(path) - 1, float(t.t), x, x0)


def dpm2(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise
) -> Iterator[Step]:
    """The slope at the geometric mean of both levels (k-diffusion, after Lu et al. 2206.00927)."""
    return dpm2_ancestral(denoise, x, times, process, rng, eta=0.0)


def dpm2_ancestral(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise, *, eta: float = 1.0
) -> Iterator[Step]:
    """DPM2 to less noise than wanted, then the rest as new noise (k-diffusion)."""
    path = points(process, times)
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        up = ancestral(s, t, eta)
        down = at_ratio(process, kept(t, up) / t.alpha) if up else t
        d = slope(x, x0, s)
        if down.sigma:
            middle = at_level(process, math.sqrt(s.level * down.level))
            trial = follow(x, d, s, middle)
            x0 = denoise(trial, middle.t)
            d = slope(trial, x0, middle)
        x = t.alpha / down.alpha * follow(x, d, s, down)
        if up:
            x = x + up * rng(x)
        yield Step(i, len(path) - 1, float(t.t), x, x0)


def dpmpp_2s_ancestral(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise, *, eta: float = 1.0
) -> Iterator[Step]:
    """DPM-Solver++(2S) (Lu et al. 2211.01095, algorithm 1), with ancestral noise (k-diffusion)."""
    path = points(process, times)
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        up = ancestral(s, t, eta)
        down = kept(t, up) / t.alpha
        if 0 < s.ratio * down < math.inf:
            middle = at_ratio(process, math.sqrt(s.ratio * down))
            x0 = denoise(move(x, x0, s, middle), middle.t)
        x = move(x, x0, s, t, up)
        if up:
            x = x + up * rng(x)
        yield Step(i, len(path) - 1, float(t.t), x, x0)


def dpmpp_sde(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise, *, eta: float = 1.0
) -> Iterator[Step]:
    """DPM-Solver++ (SDE): 2S on the reverse SDE, noise in both stages (k-diffusion).

    One Brownian motion in σ/α drives both, so that the whole step's noise knows its first half's:
    with independent ones the sampler would be of first order. From s to the middle, σ/α falls by
    κ = e^(−h/2), and once more from there to t, and each half has its share in what it falls by.
    """
    path = points(process, times)
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        z = rng(x) if t.sigma and eta else 0.0
        if 0 < s.ratio * t.ratio < math.inf:
            middle = at_ratio(process, math.sqrt(s.ratio * t.ratio))
            up = ancestral(s, middle, eta)
            x0 = denoise(move(x, x0, s, middle, up) + up * z, middle.t)
            if eta:
                kappa = middle.ratio / s.ratio
                z = (z + math.sqrt(kappa) * rng(x)) / math.sqrt(1 + kappa)
        up = ancestral(s, t, eta)
        x = move(x, x0, s, t, up) + up * z
        yield Step(i, len(path) - 1, float(t.t), x, x0)
