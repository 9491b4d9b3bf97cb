"""Styles that are a filter over the whole picture: ink sketch and neon."""

import numpy as np
from PIL import Image, ImageFilter

from mezzotint.world.paint import Array, rgb
from mezzotint.world.sprites import LUMA

PAPER, INK = rgb("f6efdf"), rgb("2a2733")


def ink(canvas: Array) -> Array:
    """Pen lines over a pale wash on paper."""
    line = np.clip((_edges(canvas @ LUMA) - 0.045) * 6, 0, 1)[..., None]
    wash = PAPER * (np.float32(0.38) + np.float32(0.62) * np.sqrt(canvas.clip(0, 1)))
    return wash + (INK - wash) * line


def neon(canvas: Array) -> Array:
    """Glowing outlines in the picture's own hues over darkness."""
    red, green, blue = (np.ascontiguousarray(canvas[..., k]) for k in range(3))
    high = np.maximum(np.maximum(red, green), blue)[..., None]
    low = np.minimum(np.minimum(red, green), blue)[..., None]
    vivid = (canvas - low * np.float32(0.85)) / np.maximum(high - low * np.float32(0.85), 0.08)
    edges = np.maximum(np.maximum(_edges(red), _edges(green)), _edges(blue))
    line = np.clip((edges - 0.05) * 4, 0, 1)[..., None]
    tube = vivid * line
    radius = canvas.shape[0] / 64
    picture = Image.fromarray(np.rint(tube * 255).clip(0, 255).astype(np.uint8))
    glow = np.asarray(picture.filter(ImageFilter.BoxBlur(radius * 1.6)), np.float32) / 255
    base = canvas * np.float32(0.16) + rgb("05030f")
    return base + tube * np.float32(0.95) + glow * np.float32(0.9)


def _edges(plane: Array) -> Array:
    """The size of the gradient of ``(h, w)``, by central differences."""
    out = np.zeros_like(plane)
    out[:, 1:-1] = np.abs(plane[:, 2:] - plane[:, :-2])
    out[1:-1] += np.abs(plane[2:] - plane[:-2])
    return out
