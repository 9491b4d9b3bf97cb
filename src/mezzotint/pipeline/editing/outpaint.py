"""Pictures that grow: the new part is painted in windows, each of which knows some of the rest."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.pipeline.editing.pictures import MAX_PIXELS, Size
from mezzotint.pipeline.editing.regions import weights

Expand: TypeAlias = float | Sequence[float]
"""How much a picture grows: at the left, top, right and bottom, or the same at each of them.

Shares of its width or height up to 1, and pixels above that.
"""

Place: TypeAlias = tuple[int, int, int, int]
"""Left, top, right and bottom of a part of a picture, in pixels."""


@dataclass(frozen=True)
class Window:
    """A part of a picture that is painted at once.

    Attributes:
        place: which.
        mask: (1, 1, h, w) of the part, 1 where it is painted; see ``Ground``.
        weight: (1, 1, h, w), how much of what was painted each pixel takes.
    """

    place: Place
    mask: Tensor
    weight: Tensor


def margins(expand: Expand, size: Size) -> Place:
    """How many pixels a picture of this width and height grows at each side.

    Raises:
        InputError: it is not one number or four, one is negative or no number, or there is nothing
            to add, or too much.
    """
    four = tuple(expand) if isinstance(expand, Sequence) else (expand,) * 4
    if len(four) != 4:
        raise InputError(f"expand: give one number or left, top, right, bottom, not {len(four)}")
    for each in four:
        if not 0 <= each < math.inf:
            raise InputError(f"expand {each:g}: give shares of the side up to 1, or pixels above 1")
    added = [
        round(each * side if each <= 1 else each)
        for each, side in zip(four, (*size, *size), strict=True)
    ]
    left, top, right, bottom = added
    if not any(added):
        raise InputError("expand 0: it adds nothing, give a side some pixels, such as right=128")
    width, height = left + size[0] + right, top + size[1] + bottom
    if width * height > MAX_PIXELS:
        raise InputError(
            f"expand: {width}x{height} is {width * height / 1e6:.0f} megapixels, "
            f"stay within {MAX_PIXELS / 1e6:.0f}"
        )
    return left, top, right, bottom


def mirrored(picture: Image.Image, added: Place) -> Image.Image:
    """A picture that has grown, and mirrors itself in what is new."""
    left, top, right, bottom = added
    sides = ((top, bottom), (left, right), (0, 0))
    return Image.fromarray(np.pad(np.asarray(picture), sides, mode="symmetric"))


def windows(size: Size, added: Place, window: Size, feather: int) -> list[Window]:
    """What is painted of a picture that has grown, in this order.

    Windows lie half over each other. Which knows most goes first, and paints all it does not know;
    so nothing is painted that does not go on from something.

    Args:
        size: width and height of the whole.
        added: what of it is new, at each side.
        window: width and height of a window.
        feather: over how many pixels old and new run into each other.
    """
    width, height = size
    left, top, right, bottom = added
    own = torch.zeros(1, 1, height, width)
    own[:, :, top : height - bottom, left : width - right] = 1
    new = 1 - own
    unknown = {place: int(_part(new, place).sum()) for place in _lattice(size, window)}
    found: list[Window] = []
    while left_over := {place: count for place, count in unknown.items() if count}:
        place = min(left_over, key=left_over.__getitem__)
        part = _part(new, place).clone()
        found.append(Window(place, part, weights(_part(own, place), part, feather)))
        _part(new, place).zero_()
        near = [other for other in left_over if _meet(other, place)]
        unknown = left_over | {other: int(_part(new, other).sum()) for other in near}
    return found


def _lattice(size: Size, window: Size) -> Iterator[Place]:
    """Windows that cover all, each at least half over the next."""
    width, height = window
    for top in _starts(size[1], height):
        for left in _starts(size[0], width):
            yield left, top, left + width, top + height


def _starts(side: int, window: int) -> list[int]:
    rest = side - window
    if not rest:
        return [0]
    count = math.ceil(rest / (window // 2))
    return [rest * k // count for k in range(count + 1)]


def _part(whole: Tensor, place: Place) -> Tensor:
    left, top, right, bottom = place
    return whole[:, :, top:bottom, left:right]


def _meet(one: Place, other: Place) -> bool:
    across = max(one[0], other[0]) < min(one[2], other[2])
    return across and max(one[1], other[1]) < min(one[3], other[3])
