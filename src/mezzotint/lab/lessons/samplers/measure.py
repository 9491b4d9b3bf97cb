"""How near a sampler comes to where it is going, and in how many calls of the denoiser."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from mezzotint.errors import InputError, choose

ORDERS: dict[str, int | None] = {
    "ddim": 1,
    "heun": 2,
    "dpm2": 2,
    "dpmpp_2m": 2,
    "deis": 3,
    "unipc": 3,
    "lms": 4,
    "euler_ancestral": None,
}
"""The samplers that are shown, and the order of a step's rule; None where noise is drawn anew.

UniPC is counted with its corrector, which adds one to its predictor's.
"""

TWICE = ("heun", "dpm2")
"""Those that look twice in a step."""


@dataclass(frozen=True)
class Run:
    """A sampler's run.

    Attributes:
        calls: of the denoiser.
        error: root mean square, to where all samplers are going.
    """

    calls: int
    error: float


def chosen(names: str) -> list[str]:
    """Samplers of a list "ddim,heun", in the order of ``ORDERS``.

    Raises:
        InputError: there are none, or one is unknown.
    """
    asked = [name for name in names.split(",") if name]
    for name in asked:
        choose("sampler", name, ORDERS)
    if not asked:
        raise InputError("no sampler is chosen: choose one or more")
    return [name for name in ORDERS if name in asked]


def steps_for(sampler: str, calls: int) -> int:
    """As many steps as ``calls`` calls of the denoiser are enough for, at least 1.

    It is what ``spent.steps_within`` finds by trying, which for a curve of many would take longer
    than to sample.
    """
    return max(1, (calls + 1) // 2) if sampler in TWICE else calls


def rms(difference: Tensor) -> float:
    """√(mean of squares)."""
    return difference.double().square().mean().sqrt().item()


def measured_order(runs: Sequence[Run], last: int = 3) -> float | None:
    """p of error ∝ calls⁻ᵖ: the slope in log-log through the last runs; None if there are none.

    By least squares over up to ``last`` runs of the most calls.
    """
    found = [each for each in sorted(runs, key=lambda run: run.calls) if each.error > 0][-last:]
    u = [math.log(each.calls) for each in found]
    v = [math.log(each.error) for each in found]
    if len(set(u)) < 2:
        return None
    mu, mv = sum(u) / len(u), sum(v) / len(v)
    slope = sum((a - mu) * (b - mv) for a, b in zip(u, v, strict=True))
    return -slope / sum((a - mu) ** 2 for a in u)


def calls_for(runs: Sequence[Run], error: float) -> float | None:
    """How many calls make so small an error, log-linear between runs; None beyond them."""
    found = sorted(runs, key=lambda run: run.calls)
    for few, many in pairwise(found):
        if few.error >= error >= many.error > 0 and few.error > many.error:
            share = math.log(few.error / error) / math.log(few.error / many.error)
            return few.calls * (many.calls / few.calls) ** share
    return None
