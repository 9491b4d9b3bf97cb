"""Watercolour: pale washes with wandering edges, pigment that gathers there, grain, a bare rim."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mezzotint.world.easel import Easel
from mezzotint.world.paint import Array, axis, rgb
from mezzotint.world.styles.texture import blurred, luma, noise, picked, sheet_of

PAPER = rgb("fdfbf5")
WANDER = 0.0052  # how far an edge strays
RIM = 0.035  # the paper left bare around


def watercolour(e: Easel) -> Array:
    """The picture as pigment on wet paper: what is subtracted from its white."""
    size, sheet = e.size, sheet_of(e)
    moved = picked(e.canvas.clip(0, 1), _wandering(size, sheet))
    soft = blurred(moved, 0.014)
    gathered = np.clip(luma(soft) - luma(moved), 0, 0.25)
    bled = moved * np.float32(0.62) + soft * np.float32(0.38)
    pigment = (1 - bled) * (_granulation(size, sheet) + np.float32(2.2) * gathered)
    return PAPER * (1 - np.float32(0.92) * pigment * _wet(size, sheet))


@lru_cache(maxsize=8)
def _wandering(size: int, sheet: int) -> NDArray[np.intp]:
    """The flat index that each pixel takes its colour from."""
    line = np.arange(size, dtype=np.float32)
    away = np.float32(WANDER * size)
    coarse, fine = noise(size, 26, sheet), noise(size, 61, sheet)
    x = line + away * (coarse + np.float32(0.5) * fine)
    y = line[:, None] + away * (coarse.T + np.float32(0.5) * fine.T)
    x, y = (np.clip(np.rint(at), 0, size - 1).astype(np.intp) for at in (x, y))
    return y * size + x


@lru_cache(maxsize=8)
def _granulation(size: int, sheet: int) -> Array:
    """How much pigment settles where: slow blooms and the paper's grain, around 0.85."""
    blooms = noise(size, 6, sheet) + np.float32(0.5) * noise(size, 15, sheet)
    grain = noise(size, 128, sheet)
    return np.float32(0.85) + np.float32(0.13) * blooms + np.float32(0.06) * grain


@lru_cache(maxsize=8)
def _wet(size: int, sheet: int) -> Array:
    """Where the paper was wetted: 0 in a ragged rim, 1 inside, and most along the wash's end."""
    near = np.minimum(axis(size), 1 - axis(size))
    depth = np.minimum(near, near[:, None]) - np.float32(0.012) * (noise(size, 11, sheet) + 1.4)
    depth = depth + np.float32(0.004) * noise(size, 61, sheet)
    inside = np.clip((depth - np.float32(RIM - 0.03)) * 60, 0, 1)
    return inside * (1 + np.float32(0.25) * np.exp(-((depth - 0.02) ** 2) * 9000))
