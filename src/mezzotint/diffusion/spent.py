"""What a sampler spends on its way, and how another goes on from there.

Samplers are compared at as many calls of the network, their NFE (number of function evaluations),
for it is the calls that take time: a sampler that looks twice in a step gets half the steps.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mezzotint.diffusion.noise import Noise
from mezzotint.diffusion.prediction import Denoiser
from mezzotint.diffusion.process import Process
from mezzotint.diffusion.samplers import Sampler, Step
from mezzotint.errors import InputError


@dataclass
class Spent:
    """What was asked for so far.

    Attributes:
        calls: of the denoiser.
        draws: of noise, by the sampler itself.
    """

    calls: int = 0
    draws: int = 0


def metered(sampler: Sampler, spent: Spent) -> Sampler:
    """The same sampler; at each of its steps ``spent`` tells what it has asked for."""

    def counted(
        denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise
    ) -> Iterator[Step]:
        def called(x: Tensor, t: Tensor) -> Tensor:
            spent.calls += 1
            return denoise(x, t)

        def drawn(x: Tensor) -> Tensor:
            spent.draws += 1
            return rng(x)

        return sampler(called, x, times, process, drawn)

    return counted


def calls(sampler: Sampler, times: Tensor, process: Process) -> int:
    """How often a sampler calls the denoiser on a grid (n + 1,): counted, on a single number."""
    spent, x = Spent(), torch.zeros(1, 1)

    def nothing(x: Tensor, _: Tensor) -> Tensor:
        return x

    for _ in metered(sampler, spent)(nothing, x, times, process, torch.zeros_like):
        pass
    return spent.calls


def steps_within(
    budget: int, sampler: Sampler, grid: Callable[[int], Tensor], process: Process
) -> int:
    """The most steps that a sampler takes with no more than ``budget`` calls.

    Args:
        budget: at least what one step takes.
        sampler: any, whose calls do not fall as its steps grow.
        grid: n → the times of n steps.
        process: of the grid.

    Raises:
        InputError: one step takes more.
    """

    def cost(steps: int) -> int:
        return calls(sampler, grid(steps), process)

    steps = bisect_right(range(1, budget + 1), budget, key=cost)
    if not steps:
        raise InputError(f"{budget} calls of the network are no step of this sampler: allow more")
    return steps


def resumed(sampler: Sampler, x: Tensor, steps: int, draws: int = 0) -> Sampler:
    """A sampler that takes only the steps that are left, from where another one stands.

    What it remembers of earlier predictions, a multistep sampler begins anew.

    Args:
        sampler: for the rest of the times.
        x: (b, …), the sample after ``steps`` steps; what the new sampler is given is not used.
        steps: how many of the grid's steps are done.
        draws: how often noise was drawn for them, so that none is drawn twice.
    """

    def rest(
        denoise: Denoiser, _: Tensor, times: Tensor, process: Process, rng: Noise
    ) -> Iterator[Step]:
        for _past in range(draws):
            rng(x)
        for step in sampler(denoise, x, times[steps:], process, rng):
            yield replace(step, index=steps + step.index, total=len(times) - 1)

    return rest
