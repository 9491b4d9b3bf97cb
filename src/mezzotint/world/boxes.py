"""Where the things of a scene are, as boxes, and boxes as a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mezzotint.errors import InputError
from mezzotint.world.figures import drawings
from mezzotint.world.layout import Box, box
from mezzotint.world.render import check_size
from mezzotint.world.scene import Scene

GREYS = (0, 96, 136, 168, 192)
"""Inside no box, inside one, inside several: the last is of all that are more."""

STROKE = 1 / 128  # of the side: an outline's width


def boxes(scene: Scene) -> tuple[tuple[str, Box], ...]:
    """The name and box of every drawing, from the farthest to the nearest.

    A box is the whole drawing's, without its hat, with what others cover and what is under water.
    """
    return tuple((thing.name, box(thing.name, spot)) for thing, spot, _ in drawings(scene))


def box_map(boxes: Sequence[Box], size: int = 256) -> NDArray[np.uint8]:
    """Boxes as a picture ``(size, size, 3)``: white outlines and grey inside, on black.

    The more boxes lie over one another, the lighter the grey, and no outline is covered. What
    stands in a box is for the prompt to say.

    Raises:
        InputError: a box is not left, top, right, bottom in order, or has no part in the picture,
            or ``size`` is not between 16 and 1024 pixels.
    """
    check_size(size)
    cover = np.zeros((size, size), np.intp)
    outline = np.zeros((size, size), np.bool_)
    wide = max(1, round(STROKE * size))
    for given in boxes:
        left, top, right, bottom = _pixels(given, size)
        cover[top:bottom, left:right] += 1
        frame = outline[top:bottom, left:right]
        frame[:wide] = frame[-wide:] = frame[:, :wide] = frame[:, -wide:] = True
    grey = np.array(GREYS, np.uint8)[np.minimum(cover, len(GREYS) - 1)]
    grey[outline] = 255
    return np.repeat(grey[..., None], 3, axis=-1)


def _pixels(given: Box, size: int) -> tuple[int, int, int, int]:
    """A box's edges in pixels, one pixel wide at least, cut at the picture's edges."""
    left, top, right, bottom = given
    if not (left < right and top < bottom and left < 1 and top < 1 and right > 0 and bottom > 0):
        raise InputError(
            f"box {tuple(given)} is not left, top, right, bottom, as fractions of the picture"
        )
    x0, y0 = (min(size - 1, max(0, round(low * size))) for low in (left, top))
    x1, y1 = (min(size, max(1, round(high * size))) for high in (right, bottom))
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)
