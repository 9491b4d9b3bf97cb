"""Textures that several styles share: noise, blur, tone. All lengths are fractions of the side."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mezzotint.world.easel import Easel
from mezzotint.world.paint import Array
from mezzotint.world.sprites import LUMA

SHEETS = 4
"""How many sheets of each paper or canvas there are; a scene's variant picks one."""


def sheet_of(e: Easel) -> int:
    """Which sheet the scene is drawn on."""
    return e.scene.variant % SHEETS


@lru_cache(maxsize=32)
def noise(size: int, cells: int, sheet: int) -> Array:
    """Smooth noise of ``cells`` bumps a side, in about [-1, 1]: ``(size, size)``."""
    grid = np.random.Generator(np.random.PCG64((sheet, cells))).random((cells, cells), np.float32)
    image = Image.fromarray(grid * 2 - 1).resize((size, size), Image.Resampling.BICUBIC)
    out = np.asarray(image, np.float32)
    out.setflags(write=False)
    return out


def luma(canvas: Array) -> Array:
    """The brightness of a canvas: ``(h, w)``."""
    red, green, blue = (float(weight) for weight in LUMA)
    return (
        canvas[0] * np.float32(red) + canvas[1] * np.float32(green) + canvas[2] * np.float32(blue)
    )


def blurred(planes: Array, radius: float) -> Array:
    """The mean over a box of half width ``radius``, of ``(n, h, w)`` in [0, 1]."""
    reach = radius * planes.shape[-1]
    bytes_ = (planes.clip(0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    blur = ImageFilter.BoxBlur(reach)
    if len(planes) == 3:
        image = Image.fromarray(np.ascontiguousarray(np.moveaxis(bytes_, 0, -1))).filter(blur)
        return np.moveaxis(np.asarray(image), -1, 0).astype(np.float32) / 255
    soft = [np.asarray(Image.fromarray(plane).filter(blur)) for plane in bytes_]
    return np.stack(soft).astype(np.float32) / 255


def picked(planes: Array, where: NDArray[np.intp]) -> Array:
    """Each pixel of ``(n, h, w)`` taken from a flat index ``(h, w)``."""
    flat = planes.reshape(len(planes), -1)
    return np.take(flat, where, axis=1, mode="clip")  # which looks up faster than "raise"


def edges(plane: Array) -> Array:
    """The size of the gradient of ``(h, w)``, between pixels 1/128 of the side apart."""
    step = max(1, round(plane.shape[-1] / 256))
    out = np.zeros_like(plane)
    out[:, step:-step] = np.abs(plane[:, 2 * step :] - plane[:, : -2 * step])
    out[step:-step] += np.abs(plane[2 * step :] - plane[: -2 * step])
    return out
