"""Pen on paper: contours, hatching where it is dark, a thin wash of colour."""

from functools import lru_cache

import numpy as np

from mezzotint.world.easel import Easel
from mezzotint.world.paint import Array, axis, rgb
from mezzotint.world.styles.texture import edges, luma, noise, sheet_of

PAPER, INK = rgb("f8f2e4"), rgb("2b2836")
LINES = 36  # hatching lines along the side
TONES = ((0.66, 1), (0.42, -1))  # below this brightness hatching of this slope is laid
STEP = 0.16  # of brightness, from where a hatching begins to where its lines are full


def ink(e: Easel) -> Array:
    """The picture as a pen drawing, washed with its own colours, things more than the rest."""
    tone = luma(e.canvas)
    line = np.clip((edges(tone) - 0.05) * 5, 0, 1)
    outline = np.clip(edges(e.cover) * 1.2 - 0.1, 0, 1)
    pen = np.maximum(line, outline)
    for threshold, slope in TONES:
        dark = np.clip((threshold - tone) / STEP, 0, 1) * np.float32(0.62)
        dark *= 1 - np.float32(0.55) * e.cover
        np.maximum(pen, hatching(e.size, slope, sheet_of(e)) * dark, out=pen)
    share = np.float32(0.42) + np.float32(0.38) * e.cover
    wash = PAPER * (1 - share + share * np.sqrt(e.canvas.clip(0, 1)))
    return wash + (INK - wash) * pen


@lru_cache(maxsize=16)
def hatching(size: int, slope: int, sheet: int) -> Array:
    """Parallel pen lines, a little unsteady: ``(size, size)``, 1 on a line."""
    line = axis(size)
    across = (line + slope * line[:, None]) * np.float32(LINES)
    across = across + np.float32(0.35) * noise(size, 9, sheet)
    near = np.abs(across % 1 - np.float32(0.5))
    return np.clip((near - np.float32(0.33)) * 9, 0, 1).astype(np.float32)
