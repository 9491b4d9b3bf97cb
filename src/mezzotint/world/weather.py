"""Weather between the eye and the place: fog, rain, falling snow, and the low sun's haze."""

import numpy as np

from mezzotint.world.easel import FALL, Easel
from mezzotint.world.paint import blend, dots, mix, rgb
from mezzotint.world.scene import OUTDOORS

RUN = 24
"""Dots along a drop of rain."""


def behind(e: Easel) -> None:
    """What lies over the place but behind the things: fog."""
    if e.scene.hour == "dawn" and e.scene.weather == "clear" and e.scene.place in OUTDOORS:
        e.haze(0.65, 0.15, e.light.sun, 0.6)
    if e.scene.weather != "fog":
        return
    y = e.x
    thick = np.interp(y, (0.0, 0.3, 0.62, 0.8, 1.0), (0.3, 0.55, 0.74, 0.42, 0.24))
    pale = mix(np.full_like(e.light.low, e.light.low.mean()), e.light.low, 0.6)
    white = 0.05 if e.scene.hour == "night" else 0.15
    fog = np.minimum(mix(pale, rgb("ffffff"), white), 1)
    blend(e.canvas, fog, thick[:, None].astype(np.float32))


def before(e: Easel) -> None:
    """What falls or hangs before everything."""
    rng = e.rng(FALL)
    if e.scene.weather == "snowfall":
        x, y, r = rng.random((3, 64), dtype=np.float32)
        dots(e.canvas, x, y, 0.0045 + 0.0085 * r * r, 0.95, rgb("ffffff"))
    elif e.scene.weather == "rain":
        _rain(e, rng)
    elif e.scene.weather == "fog":
        veil = mix(e.light.low, rgb("ffffff"), 0.2)
        e.haze(0.72, 0.34, veil, 0.34)
    elif e.scene.place in OUTDOORS and e.scene.hour == "golden hour" and not e.plain:
        _sunlight(e)


def _rain(e: Easel, rng: np.random.Generator) -> None:
    """Slanting drops that brighten towards their lower end."""
    x, y, s = rng.random((3, 52), dtype=np.float32)
    t = np.linspace(0, 1, RUN, dtype=np.float32)
    across = x[:, None] - np.float32(0.022) * t
    down = y[:, None] * np.float32(1.1) - np.float32(0.1) + (0.05 + 0.03 * s[:, None]) * t
    thick = np.full(across.size, 0.0027, np.float32)
    clear = ((0.3 + 0.25 * s[:, None]) * (0.25 + 0.75 * t)).ravel()
    dots(e.canvas, across.ravel(), down.ravel(), thick, clear, rgb("eaf4ff"))


def _sunlight(e: Easel) -> None:
    """Warm light from the sun's side over everything."""
    x, y = e.x, e.x[:, None]
    near = np.clip(1 - np.abs(x - np.float32(e.sun_x)) / 0.95, 0, 1)
    glow = near * near * np.clip(1.15 - y, 0.2, 1) * np.float32(0.26)
    canvas = e.canvas
    canvas += (1 - canvas) * rgb("ffcf7a") * glow
