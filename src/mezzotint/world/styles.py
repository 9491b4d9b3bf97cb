"""Styles that are a filter over the whole picture: ink sketch and neon."""

import numpy as np
from PIL import Image, ImageFilter

from mezzotint.world.paint import Array, rgb
from mezzotint.world.sprites import LUMA

PAPER, INK = rgb("f6efdf"), rgb("2a2733")


def ink(canvas: Array) -> Array:
    """Pen lines and hatching over a pale wash on paper."""
    luma = canvas @ LUMA
    line = np.clip((_edges(luma) - 0.06) * 5, 0, 1)
    size = luma.shape[0]
    y, x = np.ogrid[:size, :size]
    period = max(4, size // 26)
    stroke = ((x + y) % period < period / 4) * np.float32(0.55)
    dark = np.clip((0.42 - luma) * 4, 0, 1)
    cover = np.maximum(line, dark * stroke)[..., None]
    wash = PAPER * (np.float32(0.36) + np.float32(0.64) * (canvas * np.float32(0.7) + 0.3))
    return wash + (INK - wash) * cover


def neon(canvas: Array) -> Array:
    """Glowing outlines in the picture's own hues over darkness."""
    high = canvas.max(axis=-1, keepdims=True)
    low = canvas.min(axis=-1, keepdims=True)
    vivid = (canvas - low * np.float32(0.85)) / np.maximum(high - low * np.float32(0.85), 0.08)
    edges = np.maximum(_edges(canvas[..., 0]), _edges(canvas[..., 2]))
    line = np.clip((np.maximum(edges, _edges(canvas[..., 1])) - 0.05) * 4, 0, 1)[..., None]
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
