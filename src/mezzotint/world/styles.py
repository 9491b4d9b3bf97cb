"""Styles that are a filter over the whole picture: ink sketch and neon."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mezzotint.world.paint import Array, rgb
from mezzotint.world.sprites import LUMA

PAPER, INK = rgb("f6efdf"), rgb("2a2733")


def pixels(canvas: Array) -> NDArray[np.uint8]:
    """A canvas ``(3, h, w)`` as the bytes of a picture ``(h, w, 3)``."""
    planes = np.rint(np.clip(canvas, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1))


def ink(canvas: Array) -> Array:
    """Pen lines over a pale wash on paper."""
    luma = np.ascontiguousarray(np.moveaxis(canvas, 0, -1)) @ LUMA
    line = np.clip((_edges(luma) - 0.045) * 6, 0, 1)
    wash = PAPER * (np.float32(0.38) + np.float32(0.62) * np.sqrt(canvas.clip(0, 1)))
    return wash + (INK - wash) * line


def neon(canvas: Array) -> Array:
    """Glowing outlines in the picture's own hues over darkness."""
    red, green, blue = canvas
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    vivid = (canvas - low * np.float32(0.85)) / np.maximum(high - low * np.float32(0.85), 0.08)
    edges = np.maximum(np.maximum(_edges(red), _edges(green)), _edges(blue))
    tube = vivid * np.clip((edges - 0.05) * 4, 0, 1)
    blur = ImageFilter.BoxBlur(canvas.shape[-1] / 40)
    glow = np.asarray(Image.fromarray(pixels(tube)).filter(blur), np.float32) / 255
    base = canvas * np.float32(0.16) + rgb("05030f")
    return base + tube * np.float32(0.95) + np.moveaxis(glow, -1, 0) * np.float32(0.9)


def _edges(plane: Array) -> Array:
    """The size of the gradient of ``(h, w)``, by central differences."""
    out = np.zeros_like(plane)
    out[:, 1:-1] = np.abs(plane[:, 2:] - plane[:, :-2])
    out[1:-1] += np.abs(plane[2:] - plane[:-2])
    return out
