"""Samplers where the perfect denoiser is known: no network, and errors down to the rounding."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from mezzotint.diffusion import Process, spent, times
from mezzotint.diffusion.noise import Noise
from mezzotint.diffusion.oracle import GaussianMixture
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.errors import choose
from mezzotint.lab.lessons.samplers.goal import arrival
from mezzotint.lab.lessons.samplers.measure import (
    ORDERS,
    Run,
    measured_order,
    rms,
    steps_for,
)
from mezzotint.lab.live import Event

MIXTURE = GaussianMixture(
    means=torch.tensor([[1.0, 0.5], [-1.0, 0.2], [0.2, -1.0]], dtype=torch.float64),
    stds=torch.tensor([0.6, 0.7, 0.8], dtype=torch.float64),
    weights=torch.tensor([0.3, 0.4, 0.3], dtype=torch.float64),
)
PROCESSES = {
    "cosine": Process.cosine(),
    "flow": Process.flow(),
    "scaled_linear": Process.scaled_linear(),
}
CALLS = (5, 10, 20, 40, 80, 160)
SMOOTH = "smooth"
GRIDS = (SMOOTH, "linspace", "karras", "exponential")
STARTS = 64


def grid_of(process: Process, steps: int, spacing: str) -> Tensor:
    """The times of some steps, (steps + 1,): ``times``, or the smooth stretch.

    That goes from σ/α = 8 to 0.2 only, dense at both ends in λ. A method that remembers begins with
    a step of first order, and one to clean data has no λ to go to: there it takes short steps or
    none, so that what is left is the method's own error.
    """
    if spacing != SMOOTH:
        return times(process, steps, spacing)
    u = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    ends = torch.tensor([8.0, 0.2], dtype=torch.float64).log()
    return process.time_of(torch.lerp(ends[0], ends[1], u * u * (3 - 2 * u)).exp())


def sample(sampler: str, process: Process, grid: Tensor, options: dict[str, Any]) -> Tensor:
    """Where a sampler takes the noise, (STARTS, 2) float64."""
    noise = _noise()
    x = process.sigma(grid[0]) * noise(torch.empty(STARTS, 2, dtype=torch.float64))
    denoise = MIXTURE.denoiser(process)
    *_, last = SAMPLERS[sampler](denoise, x, grid, process, noise, **options)
    return last.x


@cache
def goal(process: str, spacing: str) -> Tensor:
    """Where all of them are going, (STARTS, 2)."""
    ends = grid_of(PROCESSES[process], 1, spacing)
    noise = _noise()(torch.empty(STARTS, 2, dtype=torch.float64))
    return arrival(MIXTURE, PROCESSES[process], PROCESSES[process].sigma(ends[0]) * noise, ends)


@cache
def run(sampler: str, process: str, spacing: str, calls: int) -> Run:
    """Sample in about so many calls of the denoiser; the same for every visitor."""
    grid = grid_of(PROCESSES[process], steps_for(sampler, calls), spacing)
    found = sample(sampler, PROCESSES[process], grid, {})
    cost = spent.calls(SAMPLERS[sampler], grid, PROCESSES[process])
    return Run(cost, rms(found - goal(process, spacing)))


def curves(samplers: Sequence[str], process: str, spacing: str) -> Iterator[Event]:
    """Events "curve", one a sampler, and "done".

    Raises:
        InputError: an unknown process or spacing.
    """
    choose("process", process, PROCESSES)
    choose("spacing", spacing, dict.fromkeys(GRIDS))
    for sampler in samplers:
        runs = [run(sampler, process, spacing, calls) for calls in CALLS]
        told = {
            "sampler": sampler,
            "order": ORDERS[sampler],
            "measured": measured_order(runs),
            "runs": [[each.calls, each.error] for each in runs],
        }
        yield Event("curve", told)
    yield Event("done", {})


def _noise() -> Noise:
    """The same noise for every sampler."""
    generator = torch.Generator().manual_seed(0)
    return lambda like: torch.randn(like.shape, dtype=like.dtype, generator=generator)
