"""Distillation: a teacher's many steps, or its guidance, learned by heart.

A student of few steps takes DDIM's, so it needs no sampler of its own. What it learns is the x̂₀
with which one such step from a time to the next ends where many steps of its teacher end: Salimans
& Ho's target (2202.00512, algorithm 2), over a whole segment of the teacher's path at once, as
Luhman & Luhman have it for the whole path (2101.02388). The target is a function of what the
student sees, so that a few thousand paths, worked out once, can be learned again and again; a
consistency loss (Song et al. 2303.01469; Heek et al. 2403.06807) asks the teacher for less at a
time, but hears about a segment's end only through the student itself.
"""

import torch
from torch import Tensor

from mezzotint.diffusion.prediction import Denoiser
from mezzotint.diffusion.process import Process, per_sample
from mezzotint.diffusion.samplers import Sampler
from mezzotint.errors import InputError


def through(grid: Tensor, stops: Tensor) -> Tensor:
    """``grid`` (n + 1,), those of its times that lie nearest to ``stops`` (k + 1,) moved there.

    So a teacher goes its own way, and passes every time at which a student stops. Both begin at the
    noisiest time and end with clean data.

    Raises:
        InputError: two stops would share one of the grid's times.
    """
    nearest = (grid[None] - stops[:, None]).abs().argmin(1)
    nearest[0], nearest[-1] = 0, len(grid) - 1
    if not (nearest.diff() > 0).all():
        raise InputError(
            f"{len(grid) - 1} steps of the teacher are too few to stop at the student's "
            f"{len(stops) - 1}: give the teacher more"
        )
    moved = grid.clone()
    moved[nearest] = stops.to(grid)
    return moved


def path(
    denoise: Denoiser, x: Tensor, grid: Tensor, stops: Tensor, process: Process, sampler: Sampler
) -> Tensor:
    """Where the probability-flow ODE passes: (k + 1, b, …), ``x`` and its state at later stops.

    Args:
        denoise: the teacher.
        x: (b, …), noise at the first time.
        grid: (n + 1,), the sampler's times, the stops among them; see ``through``.
        stops: (k + 1,).
        process: of both.
        sampler: a deterministic one.
    """

    def no_noise(x: Tensor) -> Tensor:
        raise InputError("a teacher's sampler must be a deterministic one, such as 'dpmpp_2m'")

    wanted = set(stops.tolist())
    steps = sampler(denoise, x, grid, process, no_noise)
    return torch.stack([x, *(step.x for step in steps if step.t in wanted)])


def jump(x: Tensor, end: Tensor, s: Tensor, t: Tensor, process: Process) -> Tensor:
    """x̂₀ with which DDIM goes from ``x`` (b, …) at times s (b,) to ``end`` (b, …) at t (b,).

    The inverse of ``samplers.grid.move`` (Salimans & Ho 2202.00512, algorithm 2).
    """
    keep = process.sigma(t) / process.sigma(s)
    part = process.alpha(t) - keep * process.alpha(s)
    return (end - per_sample(keep, x) * x) / per_sample(part, x)


def distillation_loss(found: Tensor, goal: Tensor, t: Tensor, process: Process) -> Tensor:
    """(SNR + 1)·|x̂₀ − goal|² (b,), a mean over each sample (Salimans & Ho 2202.00512, section 4).

    Which is the v loss where α² + σ² = 1, whatever the network predicts. The goal is ``jump`` of a
    teacher's path, or, to fold guidance into the weights, what ``guidance.cfg`` of the teacher says
    (Meng et al. 2210.03142, section 3.1).

    Args:
        found: (b, …), the student's x̂₀.
        goal: (b, …), what it is to be.
        t: (b,), the times of what the student saw, none of clean data.
        process: whose SNR.
    """
    error = (found.float() - goal.float()).square().flatten(1).mean(1)
    return (process.snr(t) + 1).to(error) * error
