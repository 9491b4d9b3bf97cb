"""Shapes in the plane, as data: presets, and what a visitor drew."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from mezzotint.diffusion.oracle import GaussianMixture
from mezzotint.errors import InputError

EDGE = 2.5
"""The plane that is seen: −2.5 … 2.5 both ways, so that noise of unit width lies within."""

PEN = 0.05
FEWEST, MOST = 3, 400
COUNT = 200


def ring() -> Tensor:
    """A circle, (k, 2)."""
    a = _even(0, 2 * math.pi)
    return 1.4 * torch.stack([a.cos(), a.sin()], 1)


def moons() -> Tensor:
    """Two half circles that reach into one another, (k, 2)."""
    a = _even(0, math.pi, COUNT // 2)
    upper = torch.stack([a.cos() - 0.5, a.sin() - 0.25], 1)
    return 1.2 * torch.cat([upper, -upper])


def spiral() -> Tensor:
    """An arm that turns one and a half times, (k, 2)."""
    a = _even(0, 3 * math.pi)
    return (0.3 + 1.5 * a / a[-1])[:, None] * torch.stack([a.cos(), a.sin()], 1)


def heart() -> Tensor:
    """A heart, (k, 2)."""
    a = _even(0, 2 * math.pi)
    x = 16 * a.sin() ** 3
    y = 13 * a.cos() - 5 * (2 * a).cos() - 2 * (3 * a).cos() - (4 * a).cos()
    return torch.stack([x, y + 2.5], 1) / 9.5


PRESETS: dict[str, Callable[[], Tensor]] = {
    "two moons": moons,
    "ring": ring,
    "spiral": spiral,
    "heart": heart,
}


def read(text: str) -> Tensor:
    """Points (k, 2) of hundredths as a page sends them: "x_y_x_y…".

    Raises:
        InputError: they are not numbers in pairs, too few or too many, or out of sight.
    """
    try:
        numbers = [int(each) for each in text.split("_")]
    except ValueError:
        raise InputError("the shape is not whole numbers with _ between: draw it again") from None
    count, odd = divmod(len(numbers), 2)
    if odd or not FEWEST <= count <= MOST:
        raise InputError(f"a shape of {count} points: draw {FEWEST} to {MOST}")
    if max(map(abs, numbers)) > 100 * EDGE:
        raise InputError(f"a point lies outside of the plane, which ends at {EDGE}: draw within it")
    return torch.tensor(numbers).view(-1, 2) / 100


def drawn(points: Tensor) -> GaussianMixture:
    """The shape (k, 2) as a pen of width ``PEN`` draws it: no two samples of it are the same."""
    k = len(points)
    return GaussianMixture(points, torch.full((k,), PEN), torch.full((k,), 1 / k))


def distance(x: Tensor, points: Tensor) -> float:
    """How far the samples (b, 2) are from the nearest of the points (k, 2), on average."""
    return torch.cdist(x, points).min(1).values.mean().item()


def _even(first: float, last: float, count: int = COUNT) -> Tensor:
    return torch.linspace(first, last, count)
