"""Samplers where the perfect denoiser is known: no network, and errors down to the rounding."""

from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from mezzotint.diffusion import Process, times
from mezzotint.diffusion.noise import Noise
from mezzotint.diffusion.oracle import GaussianMixture, followed
from mezzotint.diffusion.samplers import SAMPLERS, Sampler
from mezzotint.diffusion.spent import Spent, metered
from mezzotint.errors import choose
from mezzotint.lab.lessons.samplers.measure import (
    ORDERS,
    Run,
    measured_order,
    rms,
    steps_for,
)
from mezzotint.lab.live import Event

T = TypeVar("T")

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
PAUSE = 50  # steps of a turn


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


def sampling(sampler: Sampler, process: Process, grid: Tensor) -> Iterator[Tensor]:
    """Where a sampler takes the noise, step by step, (STARTS, 2) float64."""
    noise = _noise()
    x = process.sigma(grid[0]) * noise(torch.empty(STARTS, 2, dtype=torch.float64))
    for step in sampler(MIXTURE.denoiser(process), x, grid, process, noise):
        yield step.x


Found = Generator[Event, None, T]
"""What is found in the end. An event ends a turn, so that others have theirs in between."""

_goals: dict[tuple[str, str], Tensor] = {}
_runs: dict[tuple[str, str, str, int], Run] = {}


def goal(process: str, spacing: str) -> Found[Tensor]:
    """Where all of them are going, (STARTS, 2); the same for every visitor."""
    key = (process, spacing)
    if key not in _goals:
        ends = grid_of(PROCESSES[process], 1, spacing)
        x = PROCESSES[process].sigma(ends[0]) * _noise()(torch.empty(STARTS, 2).double())
        _goals[key] = yield from _last(followed(MIXTURE, PROCESSES[process], x, ends))
    return _goals[key]


def run(sampler: str, process: str, spacing: str, calls: int) -> Found[Run]:
    """Sample in about so many calls of the denoiser; the same for every visitor."""
    key = (sampler, process, spacing, calls)
    if key not in _runs:
        grid, spent = grid_of(PROCESSES[process], steps_for(sampler, calls), spacing), Spent()
        steps = sampling(metered(SAMPLERS[sampler], spent), PROCESSES[process], grid)
        found = yield from _last(steps)
        _runs[key] = Run(spent.calls, rms(found - (yield from goal(process, spacing))))
    return _runs[key]


def curves(samplers: Sequence[str], process: str, spacing: str) -> Iterator[Event]:
    """Events "curve", one a sampler, and "done"; "turn" where there is nothing to tell yet.

    Raises:
        InputError: an unknown process or spacing.
    """
    choose("process", process, PROCESSES)
    choose("spacing", spacing, dict.fromkeys(GRIDS))
    for sampler in samplers:
        runs: list[Run] = []
        for calls in CALLS:
            runs.append((yield from run(sampler, process, spacing, calls)))
        told = {
            "sampler": sampler,
            "order": ORDERS[sampler],
            "measured": measured_order(runs),
            "runs": [[each.calls, each.error] for each in runs],
        }
        yield Event("curve", told)
    yield Event("done", {})


def _last(steps: Iterator[T]) -> Found[T]:
    """The last of some steps, at least one."""
    last = next(steps)
    while some := [*islice(steps, PAUSE - 1)]:
        last = some[-1]
        yield Event("turn", {})
    return last


def _noise() -> Noise:
    """The same noise for every sampler."""
    generator = torch.Generator().manual_seed(0)
    return lambda like: torch.randn(like.shape, dtype=like.dtype, generator=generator)
