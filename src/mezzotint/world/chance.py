"""Drawing among options with odds."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

Rng = np.random.Generator
T = TypeVar("T")


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
