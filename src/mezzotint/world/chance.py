"""Drawing among options with odds."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from mezzotint.errors import InputError

Rng = np.random.Generator
T = TypeVar("T")

OF_CHANGE, OF_INSTRUCTION, OF_VIEW, OF_STYLE, OF_CHARACTER, OF_SETTING = range(3, 9)
"""Purposes, after the stages and ``compose``: seeds of one are not those of another."""


def chance(seed: int, *purpose: int) -> Rng:
    """The chance of a seed for one purpose.

    Raises:
        InputError: the seed is negative.
    """
    if seed < 0:
        raise InputError(f"seed {seed} is negative: choose 0 or more")
    return np.random.Generator(np.random.PCG64((seed, *purpose)))


def draw(rng: Rng, odds: Mapping[T, float]) -> T:
    """One of the keys, with its odds."""
    edges = np.cumsum(list(odds.values()))
    at = int(np.searchsorted(edges, rng.random() * edges[-1], "right"))
    return list(odds)[min(at, len(odds) - 1)]


def some(rng: Rng, odds: Mapping[T, float], fits: Callable[[T], bool]) -> T | None:
    """One of the keys that fit, or None if there are none."""
    left = {key: odd for key, odd in odds.items() if fits(key)}
    return draw(rng, left) if left else None


def drawn(rng: Rng, options: Sequence[T], fits: Callable[[T], bool]) -> T | None:
    """One of the options that fit, as likely as another."""
    return some(rng, dict.fromkeys(options, 1.0), fits)


def shuffled(rng: Rng, options: Sequence[T]) -> list[T]:
    """All options in chance order."""
    return [options[k] for k in rng.permutation(len(options))]
