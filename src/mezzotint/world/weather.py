"""Weather between the eye and the place: fog, rain, falling snow, and the low sun's haze."""

import numpy as np

from mezzotint.world.easel import FALL, Easel
from mezzotint.world.paint import blend, dots, mix, rgb
from mezzotint.world.scene import OUTDOORS


def behind(e: Easel) -> None:
    """What lies over the place but behind the things: fog."""
    if e.scene.hour == "dawn" and e.scene.weather == "clear" and e.scene.place in OUTDOORS:
        e.haze(0.65, 0.15, e.light.sun, 0.6)
    if e.scene.weather != "fog":
        return
    y = e.x
    thick = np.interp(y, (0.0, 0.3, 0.62, 0.8, 1.0), (0.3, 0.55, 0.74, 0.42, 0.24))
    pale = mix(np.full_like(e.light.low, e.light.low.mean()), e.light.low, 0.6)
    blend(e.canvas, np.minimum(mix(pale, rgb("ffffff"), 0.15 if e.scene.hour != "night" else 0.05), 1),
          thick[:, None].astype(np.float32))  # fmt: skip


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
    """Slanting drops, drawn where they are thick enough to be seen."""
    size = e.size
    x, y, s = rng.random((3, 52), dtype=np.float32)
    steps = max(2, round(size * 0.075))
    t = np.linspace(0, 1, steps, dtype=np.float32)
    across = (x[:, None] - 0.022 * t).ravel()
    down = (y[:, None] * 1.1 - 0.1 + (0.05 + 0.03 * s[:, None]) * t).ravel()
    fade = np.repeat((0.35 + 0.3 * s)[:, None], steps, axis=1) * (0.4 + 0.6 * t)
    ok = (down > 0.0) & (across > 0)
    plane = np.zeros((size, size), np.float32)
    thick = max(1.0, size / 160)
    for k in range(max(1, round(thick))):
        column_ = np.minimum((across[ok] * size).astype(int) + k, size - 1)
        row = np.minimum((down[ok] * size).astype(int), size - 1)
        np.maximum.at(plane, (row, column_), fade.ravel()[ok])
    blend(e.canvas, rgb("eaf4ff"), plane)


def _sunlight(e: Easel) -> None:
    """Warm light from the sun's side over everything."""
    x, y = e.x, e.x[:, None]
    near = np.clip(1 - np.abs(x - np.float32(e.sun_x)) / 0.95, 0, 1)
    glow = near * near * np.clip(1.15 - y, 0.2, 1) * np.float32(0.26)
    canvas = e.canvas
    canvas += (1 - canvas) * rgb("ffcf7a") * glow
