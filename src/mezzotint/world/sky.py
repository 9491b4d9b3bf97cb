"""The easel a place is painted on, with its light, and the sky over it."""

from dataclasses import dataclass

import numpy as np

from mezzotint.world.paint import Array, axis, disc, dots, gradient, rgb
from mezzotint.world.scene import Hour, Scene


@dataclass(frozen=True)
class Light:
    """An hour's light: the sky's two ends, and what it does to land and to things."""

    high: Array
    low: Array
    land: Array
    things: Array


def _tint(*rgb: float) -> Array:
    return np.array(rgb, np.float32)[:, None, None]


LIGHTS: dict[Hour, Light] = {
    "day": Light(rgb("6db9ee"), rgb("d8f0fa"), rgb("ffffff"), rgb("ffffff")),
    "sunset": Light(rgb("6b4a93"), rgb("ffb267"), _tint(0.98, 0.76, 0.68), rgb("fff0e0")),
    "night": Light(rgb("0b1233"), rgb("2b3a78"), _tint(0.42, 0.47, 0.74), rgb("dde2ff")),
}


@dataclass(frozen=True)
class Easel:
    """What a place is painted on and with: the canvas, this scene's accidents and its light."""

    canvas: Array
    rng: np.random.Generator
    scene: Scene
    light: Light

    @property
    def x(self) -> Array:
        """Columns of the canvas as fractions."""
        return axis(self.canvas.shape[-1])

    def level(self, y: float) -> Array:
        """The flat profile at height ``y``."""
        return np.full_like(self.x, y)

    def lit(self, code: str) -> Array:
        """A land colour in this hour's light."""
        return rgb(code) * self.light.land

    def far(self, code: str, depth: float) -> Array:
        """A land colour seen through ``depth`` (0 to 1) of this hour's air."""
        return self.lit(code) * np.float32(1 - depth) + self.light.low * np.float32(depth)

    def shade(self, colour: Array, factor: float) -> Array:
        """The colour a ground fades to; flat art does not fade."""
        return colour if self.scene.style == "flat" else colour * np.float32(factor)


def sky(e: Easel) -> None:
    """The sky of the scene's hour and weather, down to where any land begins."""
    clear = e.scene.weather == "clear"
    high, low = e.light.high, e.light.low
    if not clear:
        grey = np.float32((float(high.mean()) + float(low.mean())) / 2)
        high, low = (c * np.float32(0.45) + grey * np.float32(0.5) for c in (high, low))
    gradient(e.canvas[:, : int(e.canvas.shape[-1] * 0.75)], high, low, bands(e))
    e.canvas[:, int(e.canvas.shape[-1] * 0.75) :] = low
    if not clear:
        _clouds(e, 4, 0.75)
    elif e.scene.hour == "day":
        _day_sky(e)
    elif e.scene.hour == "sunset":
        _setting_sun(e)
    else:
        _night_sky(e)


def bands(e: Easel) -> int:
    """How many flat bands a gradient has in the scene's style; 0 is a smooth one."""
    return 5 if e.scene.style == "flat" else 0


def aside(e: Easel) -> float:
    """An x near either edge, where the sky is seldom covered."""
    x = 0.1 + 0.14 * e.rng.random()
    return x if e.rng.random() < 0.5 else 1 - x


def _clouds(e: Easel, count: int, opacity: float) -> None:
    colour = e.light.low * np.float32(0.35) + rgb("ffffff") * np.float32(0.65) * e.light.land
    for _ in range(count):
        x, y, r = e.rng.random(), 0.06 + 0.26 * e.rng.random(), 0.05 + 0.03 * e.rng.random()
        for dx, dr in ((-1.2, 0.75), (0.0, 1.15), (1.2, 0.8)):
            disc(
                e.canvas, x + dx * r, y - dr * r * 0.3, r * dr, colour, squash=0.6, opacity=opacity
            )


def _day_sky(e: Easel) -> None:
    x, y = aside(e), 0.1 + 0.08 * e.rng.random()
    disc(e.canvas, x, y, 0.16, rgb("fff6c8"), opacity=0.6, soft=1.0)
    disc(e.canvas, x, y, 0.065, rgb("ffd94a"))
    _clouds(e, 2, 0.9)


def _setting_sun(e: Easel) -> None:
    x, y = aside(e), 0.5 + 0.06 * e.rng.random()
    disc(e.canvas, x, y, 0.34, rgb("ffd27a"), opacity=0.65, soft=1.0)
    disc(e.canvas, x, y, 0.1, rgb("fff0b0"))
    colour = rgb("e9798a")
    for _ in range(3):
        x, y = e.rng.random(), 0.14 + 0.26 * e.rng.random()
        disc(e.canvas, x, y, 0.1 + 0.12 * e.rng.random(), colour, squash=0.14, opacity=0.75)


def stars(e: Easel, count: int, depth: float) -> None:
    """Scatter stars down to ``depth``; a pen draws fewer."""
    count = count // 3 if e.scene.style == "ink" else count
    x, y, s = e.rng.random((3, count), dtype=np.float32)
    radius = np.where(s > 0.82, 0.008, 0.0045).astype(np.float32)
    dots(e.canvas, x, y * np.float32(depth), radius, 0.5 + 0.5 * s, rgb("fff8e0"))


def _night_sky(e: Easel) -> None:
    stars(e, 45, 0.6)
    x, y = aside(e), 0.12 + 0.08 * e.rng.random()
    disc(e.canvas, x, y, 0.19, rgb("aab6f0"), opacity=0.4, soft=1.0)
    disc(e.canvas, x, y, 0.075, rgb("fdf3c9"))
    disc(e.canvas, x - 0.025, y - 0.015, 0.018, rgb("e9dcae"))
    disc(e.canvas, x + 0.022, y + 0.028, 0.013, rgb("e9dcae"))
