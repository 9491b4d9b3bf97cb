"""What a denoiser of the plane has learned, as numbers and as what a page draws."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mezzotint.diffusion import Denoiser, times
from mezzotint.diffusion.oracle import GaussianMixture
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.lab.lessons.trick.learning import PROCESS
from mezzotint.lab.lessons.trick.shapes import EDGE, distance

STEPS, DOTS, ARROWS = 30, 256, 13
LEVELS = times(PROCESS, 10, "exponential")[:-1].round()
"""Timesteps from the noisiest to the cleanest, even in ln(σ/α)."""


@dataclass(frozen=True)
class Probe:
    """What denoisers of a shape are tried with, the same for each of them.

    Attributes:
        points: of the shape, (k, 2).
        shape: the data.
        noise: (DOTS, 2), what samples are drawn from.
        noised: (levels, DOTS, 2), data at each of ``LEVELS``.
    """

    points: Tensor
    shape: GaussianMixture
    noise: Tensor
    noised: Tensor


def probe(points: Tensor, shape: GaussianMixture, seed: int) -> Probe:
    """Draw what a shape's denoisers are tried with."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(DOTS, 2, generator=generator)
    clean = [shape.sample(DOTS, generator) for _ in LEVELS]
    eps = [torch.randn(DOTS, 2, generator=generator) for _ in LEVELS]
    noised = [PROCESS.diffuse(*each) for each in zip(clean, eps, LEVELS, strict=True)]
    return Probe(points, shape, noise, torch.stack(noised))


def levels() -> list[dict[str, float]]:
    """The timesteps at which is looked, and the ratio σ/α of each."""
    ratios = PROCESS.sigma(LEVELS) / PROCESS.alpha(LEVELS)
    return [{"t": int(t), "ratio": float(r)} for t, r in zip(LEVELS, ratios, strict=True)]


@torch.no_grad()
def sampled(denoise: Denoiser, noise: Tensor, steps: int = STEPS) -> Tensor:
    """Samples (b, 2) by DDIM."""
    grid = times(PROCESS, steps)
    *_, last = SAMPLERS["ddim"](denoise, noise, grid, PROCESS, torch.randn_like)
    return last.x


@torch.no_grad()
def errors(denoise: Denoiser, probe: Probe) -> list[float]:
    """At each of ``LEVELS``, how far x̂₀ is from the mean of all that x_t can have come from (RMS).

    That mean is the best answer there is, and the same whatever is predicted.
    """
    perfect = probe.shape.denoiser(PROCESS)
    found: list[float] = []
    for x, t in zip(probe.noised, LEVELS, strict=True):
        away = denoise(x, t) - perfect(x, t)
        found.append(away.square().sum(1).mean().sqrt().item())
    return found


@torch.no_grad()
def field(denoise: Denoiser) -> list[list[float]]:
    """At each of ``LEVELS``, −σ·ε̂ = α·x̂₀ − x at the places of ``places``: x, y, x, y …"""
    at = places()
    arrows = [PROCESS.alpha(t) * denoise(at, t) - at for t in LEVELS]
    return [_flat(each) for each in arrows]


def places() -> Tensor:
    """Where arrows begin, (ARROWS², 2)."""
    line = torch.linspace(-EDGE, EDGE, 2 * ARROWS + 1)[1::2]
    return torch.cartesian_prod(line, line)


@torch.no_grad()
def look(denoise: Denoiser, probe: Probe) -> dict[str, Any]:
    """All of it: the field, samples, guesses in one step, and how good they are."""
    samples, guesses = sampled(denoise, probe.noise), sampled(denoise, probe.noise, 1)
    return {
        "field": field(denoise),
        "samples": _flat(samples),
        "guesses": _flat(guesses),
        "errors": errors(denoise, probe),
        "distance": distance(samples, probe.points),
        "guessed": distance(guesses, probe.points),
        "spread": _spread(guesses) / _spread(probe.points),
    }


def _spread(x: Tensor) -> float:
    return (x - x.mean(0)).square().sum(1).mean().sqrt().item()


def _flat(x: Tensor) -> list[float]:
    return [round(each, 3) for each in x.flatten().tolist()]
