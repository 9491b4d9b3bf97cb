"""A scene's picture."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mezzotint.errors import InputError
from mezzotint.world import weather
from mezzotint.world.easel import Easel
from mezzotint.world.figures import lay_things
from mezzotint.world.light import light_of
from mezzotint.world.paint import Array
from mezzotint.world.places import PAINTERS
from mezzotint.world.scene import Scene
from mezzotint.world.styles import FILTERS

SMALLEST, LARGEST = 16, 1024
FINE = 256
"""Pixels from which on brush strokes and pen lines can be drawn; smaller pictures are reduced."""


def render(scene: Scene, size: int = FINE) -> NDArray[np.uint8]:
    """The picture of a scene, ``(size, size, 3)`` uint8 RGB; a pure function of its arguments.

    Raises:
        InputError: ``size`` is not between 16 and 1024 pixels, or the art cannot be fetched.
    """
    check_size(size)
    if scene.style not in FILTERS:
        return pixels(painted(scene, size).canvas)
    picture = pixels(FILTERS[scene.style](painted(scene, max(size, FINE))))
    if size < FINE:
        small = Image.fromarray(picture).resize((size, size), Image.Resampling.BOX)
        return np.asarray(small)
    return picture


def check_size(size: int) -> None:
    """Refuse what is not between 16 and 1024 pixels."""
    if not SMALLEST <= size <= LARGEST:
        raise InputError(f"size {size} is not between {SMALLEST} and {LARGEST} pixels")


def painted(scene: Scene, size: int) -> Easel:
    """The easel with the scene on it, before its style's filter."""
    e = Easel(np.zeros((3, size, size), np.float32), scene, light_of(scene))
    PAINTERS[scene.place](e)
    weather.behind(e)
    lay_things(e)
    weather.before(e)
    return e


def pixels(canvas: Array) -> NDArray[np.uint8]:
    """A canvas ``(3, h, w)`` as the bytes of a picture ``(h, w, 3)``."""
    planes = (np.clip(canvas, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1))
