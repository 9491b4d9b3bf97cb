"""Neon: glowing outlines in the picture's own hues over darkness."""

import numpy as np

from mezzotint.world.easel import Easel
from mezzotint.world.paint import Array, rgb
from mezzotint.world.styles.texture import blurred, edges

NIGHT = rgb("070414")


def neon(e: Easel) -> Array:
    """Tubes along every edge, brighter on things, and the light they throw."""
    canvas = e.canvas.clip(0, 1)
    high, low = canvas.max(axis=0), canvas.min(axis=0)
    grey = low * np.float32(0.7)
    vivid = (canvas - grey) / np.maximum(high - grey, 0.08)
    change = np.maximum.reduce([edges(plane) for plane in canvas])
    change = np.maximum(change, edges(e.cover) * np.float32(0.8))
    bright = np.float32(0.38) + np.float32(0.62) * e.cover
    tube = vivid * np.clip((change - 0.06) * 3.5, 0, 1) * bright
    near, wide = blurred(tube, 0.008), blurred(tube, 0.035)
    inside = canvas * (np.float32(0.1) + np.float32(0.38) * e.cover)
    core = tube * tube * np.float32(0.35)
    return (
        NIGHT
        + inside
        + tube * np.float32(0.85)
        + core
        + near * np.float32(0.5)
        + wide * np.float32(0.8)
    )
