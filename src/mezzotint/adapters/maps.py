"""Pictures as ControlNets read them: edges, depth, and boxes for things to be in."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mezzotint.adapters.pictures import eight_bits
from mezzotint.errors import InputError

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, as fractions of the picture."""

GREYS = (0, 96, 136, 168, 192)
"""Inside no box, inside one, inside several: the last is of all that are more."""

STROKE = 1 / 128  # of the shorter side: an outline's width

DARK, BETWEEN, COLOUR = 32, 0.1, 4  # what a map of edges is told from a photograph by


def edges(picture: Image.Image, low: float = 100, high: float = 200) -> Image.Image:
    """White edges on black, by OpenCV's Canny; the picture's size.

    Args:
        picture: any; transparency is ignored.
        low, high: thresholds of the gradient, 0…1020, for what continues an edge and for what
            begins one; ControlNets for edges are trained with about the default.

    Raises:
        InputError: OpenCV is not installed, or as ``eight_bits``.
    """
    pixels = np.asarray(eight_bits(picture).convert("RGB"))
    return Image.fromarray(canny(pixels, low, high)).convert("RGB")


def canny(pixels: NDArray[np.uint8], low: float = 100, high: float = 200) -> NDArray[np.uint8]:
    """The same of and as pixels: (h, w, 3) to (h, w), 0 or 255."""
    cv2 = _opencv()
    return cv2.Canny(np.ascontiguousarray(pixels), low, high)


def is_edges(picture: Image.Image) -> bool:
    """Whether a picture is a map of edges already: black and white, with hardly any grey.

    JPEG and resizing leave some of that, and a little colour, in a map.
    """
    pixels = np.asarray(eight_bits(picture).convert("RGB")).astype(np.int16)
    colour = np.ptp(pixels, axis=-1).mean()
    grey = pixels.mean(-1)
    between = (grey > DARK) & (grey < 255 - DARK)
    return bool(colour < COLOUR and between.mean() < BETWEEN)


def depth_map(depth: NDArray[np.floating[Any]]) -> Image.Image:
    """A depth map as a grey picture.

    Args:
        depth: (h, w) in [0, 1], 1 nearest.

    Raises:
        InputError: it has another number of dimensions, or numbers out of that range.
    """
    if depth.ndim != 2 or not ((depth >= 0) & (depth <= 1)).all():
        raise InputError(f"a depth map of shape {depth.shape}: give (h, w) in 0…1, 1 nearest")
    return Image.fromarray((depth * 255).round().astype(np.uint8)).convert("RGB")


def layout(boxes: Sequence[Box], size: int | tuple[int, int]) -> Image.Image:
    """Boxes as a picture: white outlines and grey inside, on black.

    The more boxes lie over one another, the lighter the grey, and no outline is covered. What
    stands in a box is for the prompt to say.

    Args:
        boxes: what is outside of the picture is cut off.
        size: pixels, of a square's side or width and height.

    Raises:
        InputError: a box is not left, top, right, bottom in order, or has no part in the picture.
    """
    width, height = (size, size) if isinstance(size, int) else size
    cover = np.zeros((height, width), np.intp)
    outline = np.zeros((height, width), np.bool_)
    wide = max(1, round(STROKE * min(width, height)))
    for box in boxes:
        x0, y0, x1, y1 = _pixels(box, width, height)
        cover[y0:y1, x0:x1] += 1
        frame = outline[y0:y1, x0:x1]
        frame[:wide] = frame[-wide:] = frame[:, :wide] = frame[:, -wide:] = True
    grey = np.array(GREYS, np.uint8)[np.minimum(cover, len(GREYS) - 1)]
    grey[outline] = 255
    return Image.fromarray(grey).convert("RGB")


def _pixels(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """A box's edges in pixels, one pixel wide at least."""
    left, top, right, bottom = box
    within = left < 1 and top < 1 and right > 0 and bottom > 0
    if not (within and left < right and top < bottom and all(map(isfinite, box))):
        raise InputError(
            f"box {tuple(box)} is not left, top, right, bottom, as fractions of the picture"
        )
    x0, x1 = _within(left, right, width)
    y0, y1 = _within(top, bottom, height)
    return x0, y0, x1, y1


def _within(low: float, high: float, side: int) -> tuple[int, int]:
    first = min(side - 1, round(max(0, low) * side))
    return first, max(first + 1, round(min(1, high) * side))


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise InputError("finding edges needs OpenCV: pip install 'mezzotint[control]'") from error
    return cv2
