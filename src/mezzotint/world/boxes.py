"""Where the things of a scene are, as boxes, and boxes as a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mezzotint.world.layout import Box
from mezzotint.world.scene import Scene


def boxes(scene: Scene) -> tuple[tuple[str, Box], ...]:
    """The name and box of every drawing, without its hat, from the farthest to the nearest."""
    raise NotImplementedError


def box_map(boxes: Sequence[Box], size: int = 256) -> NDArray[np.uint8]:
    """Boxes as a picture ``(size, size, 3)``: white outlines and grey inside, on black.

    Raises:
        InputError: a box is not left, top, right, bottom in order, or ``size`` is out of range.
    """
    raise NotImplementedError
