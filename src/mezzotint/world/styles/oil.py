"""Oil: strokes of one colour each, large ones first and small ones where there is detail.

After Hertzmann, "Painterly rendering with curved brush strokes of multiple sizes" (1998), with the
strokes of a canvas laid once: a stroke map holds, for each pixel, the middle of the stroke that
covers it, so painting is looking colours up.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mezzotint.world.easel import Easel
from mezzotint.world.paint import Array, axis
from mezzotint.world.styles.texture import blurred, picked, sheet_of

COARSE, FINE, THIN = (0.085, 0.021), (0.044, 0.0115), (0.022, 0.006)
"""Length and width of a layer's strokes."""
TOLERANCE = 0.14  # by how much a stroke may miss the colour under it


@dataclass(frozen=True)
class Strokes:
    """For each pixel the flat index of its stroke's middle, and the paint's relief around 1."""

    middle: NDArray[np.intp]
    relief: Array


def oil(e: Easel) -> Array:
    """The picture in layers of ever smaller strokes, with the relief of brush and cloth.

    A smaller stroke is laid where the larger one is wrong; where all are, the brush dabs.
    """
    size, sheet = e.size, sheet_of(e)
    clear, soft = blurred(e.canvas, 0.004), blurred(e.canvas, 0.01)
    tolerance = np.float32(TOLERANCE) * (1 - np.float32(0.35) * e.cover)
    out, relief = clear, np.ones((size, size), np.float32)
    for brush, source in ((THIN, clear), (FINE, clear), (COARSE, soft)):
        layer = strokes(size, *brush, sheet)
        paint = picked(source, layer.middle)
        right = np.abs(paint - clear).max(axis=0) < tolerance
        out, relief = np.where(right, paint, out), np.where(right, layer.relief, relief)
    return out * relief * cloth(size)


@lru_cache(maxsize=24)
def strokes(size: int, long: float, wide: float, sheet: int) -> Strokes:
    """Strokes at chance places along a slow flow, each over those before it."""
    rng = np.random.Generator(np.random.PCG64((sheet, round(1e4 * long))))
    count = int(2.6 / (long * wide))
    x, y, turn, gain = rng.random((4, count), dtype=np.float32)
    angle = 0.5 + 1.1 * np.sin(5 * x + 2 * sheet) * np.cos(4 * y) + 0.5 * (turn - 0.5)
    middle = np.arange(size * size).reshape(size, size)
    relief = np.ones((size, size), np.float32)
    line = axis(size)
    for k in range(count):
        c, s = np.cos(angle[k]), np.sin(angle[k])
        reach_x, reach_y = abs(c) * long / 2 + wide, abs(s) * long / 2 + wide
        x0, x1 = (int(np.clip(at, 0, 1) * size) for at in (x[k] - reach_x, x[k] + reach_x))
        y0, y1 = (int(np.clip(at, 0, 1) * size) for at in (y[k] - reach_y, y[k] + reach_y))
        dx, dy = line[x0:x1] - x[k], line[y0:y1, None] - y[k]
        along, across = dx * c + dy * s, (dy * c - dx * s) / (wide / 2)
        inside = (np.abs(along) < long / 2) & (np.abs(across) < 1)
        bristle = 0.028 * np.sin(across * 7 + k) - 0.05 * across * np.abs(across)
        middle[y0:y1, x0:x1][inside] = int(y[k] * size) * size + int(x[k] * size)
        shade = 1 + bristle + 0.07 * (gain[k] - 0.5)
        relief[y0:y1, x0:x1][inside] = shade[inside]
    return Strokes(middle, relief)


@lru_cache(maxsize=4)
def cloth(size: int) -> Array:
    """The weave of the canvas under the paint."""
    thread = np.sin(axis(size) * np.float32(2 * np.pi * 72))
    return 1 + np.float32(0.02) * thread * thread[:, None]
