"""Figures with the intervals that chance leaves them.

A share's is Wilson's. Of means, ratios and differences of means it is the bootstrap's (Efron 1979):
cases are drawn again and again with replacement, and the middle 95 % of what comes out is told. So
two measurements of the same cases, as with and without an adapter, keep what they have in common.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mezzotint.errors import InputError
from mezzotint.evals.accuracy import wilson

RESAMPLED = 2000
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure and the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float


def share(right: Sequence[bool]) -> Estimate:
    """The share of cases that are right.

    Raises:
        InputError: there are none.
    """
    if not right:
        raise InputError("no cases: give at least one")
    score = wilson(sum(right), len(right))
    return Estimate(score.share, score.low, score.high)


def mean(values: Sequence[float]) -> Estimate:
    """The mean of one number a case."""
    return _bootstrapped(lambda chosen: chosen[0], values)


def gap(values: Sequence[float], others: Sequence[float]) -> Estimate:
    """How much larger the mean of ``values`` is than that of ``others``, of the same cases."""
    return _bootstrapped(lambda chosen: chosen[0] - chosen[1], values, others)


def ratio(values: Sequence[float], others: Sequence[float]) -> Estimate:
    """The mean of ``values`` by that of ``others``, of the same cases.

    Raises:
        InputError: the mean of ``others`` is not above 0: there is nothing to compare with.
    """
    if np.mean(others) <= 0:
        raise InputError(f"a ratio to {np.mean(others):.3g}: what is compared with must be above 0")
    return _bootstrapped(lambda chosen: chosen[0] / np.maximum(chosen[1], 1e-9), values, others)


def _bootstrapped(figure: Callable[[Values], Values], *measured: Sequence[float]) -> Estimate:
    """A figure of the means (k, resamples) of k measurements of the same cases."""
    each = np.array(measured, float)
    if each.size == 0:
        raise InputError("no cases: give at least one")
    rng = np.random.Generator(np.random.PCG64(0))  # the same interval every time
    chosen = rng.integers(each.shape[1], size=(RESAMPLED, each.shape[1]))
    low, high = np.quantile(figure(each[:, chosen].mean(2)), (0.025, 0.975))
    whole = figure(each.mean(1, keepdims=True))
    return Estimate(float(whole[0]), float(low), float(high))
