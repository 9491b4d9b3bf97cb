"""The sky over a place: its light, its sun or moon, its clouds."""

import numpy as np

from mezzotint.world.easel import SUN, Easel
from mezzotint.world.paint import Array, disc, dots, mix, rgb

WHITE = rgb("ffffff")


def sky(e: Easel) -> None:
    """The sky of the scene's hour and weather, all over the canvas."""
    light = e.light
    high, middle, low = light.high, light.middle, light.low
    e.column(high, mix(high, middle, 0.65), middle, low, low, low)
    rng = e.rng(SUN)
    rng.random(2)  # the sun's place, which the easel has drawn
    if e.scene.weather != "clear":
        _overcast(e, rng)
    elif e.scene.hour == "night":
        _night(e, rng)
    else:
        HOURS[e.scene.hour](e, rng)


def cloud(e: Easel, x: float, y: float, r: float, top: Array, bottom: Array) -> None:
    """A cumulus cloud with a flat foot at ``y``."""
    heaps = ((-1.75, 0.42), (-0.85, 0.78), (0.15, 1.0), (1.05, 0.7), (1.8, 0.38))
    circles = [(x + dx * r, y - 0.35 * dr * r, r * dr) for dx, dr in heaps]
    e.cluster(circles, top, bottom, floor=y, squash=0.85)


def stars(e: Easel, rng: np.random.Generator, count: int, depth: float) -> None:
    """Scatter stars down to ``depth``, some of them bright."""
    x, y, s = rng.random((3, count), dtype=np.float32)
    radius = np.where(s > 0.85, 0.0062, 0.0036).astype(np.float32)
    dots(e.canvas, x, y * np.float32(depth), radius, 0.35 + 0.65 * s, rgb("fff8e0"))


def _clouds(e: Easel, rng: np.random.Generator, count: int, top: Array, bottom: Array) -> None:
    for k in range(count):
        x = (k + 0.15 + 0.7 * rng.random()) / count
        y, r = 0.13 + 0.24 * rng.random(), 0.04 + 0.035 * rng.random()
        cloud(e, x, y, r, top, bottom)


def _streaks(e: Easel, rng: np.random.Generator, colour: Array, opacity: float) -> None:
    """Long thin clouds of a low sun."""
    for k in range(5):
        x, y = rng.random(), 0.1 + 0.085 * k + 0.04 * rng.random()
        wide = 0.1 + 0.16 * rng.random()
        e.disc(x, y, wide, colour, squash=0.075, opacity=opacity)
        e.disc(x + wide * 0.5, y + 0.014, wide * 0.7, colour, squash=0.07, opacity=opacity)


def _dawn(e: Easel, rng: np.random.Generator) -> None:
    e.glow(e.sun_x, 0.56, 0.42, e.light.sun, 0.85)
    e.disc(e.sun_x, 0.55, 0.055, rgb("fffaf0"))
    _streaks(e, rng, rgb("f7d3e2"), 0.65)


def _day(e: Easel, rng: np.random.Generator) -> None:
    y = 0.12 + 0.05 * rng.random()
    e.glow(e.sun_x, y, 0.2, e.light.sun, 0.75)
    e.disc(e.sun_x, y, 0.062, rgb("ffdc55"))
    _clouds(e, rng, 3, WHITE, rgb("d5eaf7"))


def _golden(e: Easel, rng: np.random.Generator) -> None:
    y = 0.37 + 0.05 * rng.random()
    e.glow(e.sun_x, y, 0.6, rgb("ffd978"), 0.8)
    e.glow(e.sun_x, y, 0.24, rgb("fff6cf"), 0.9)
    e.disc(e.sun_x, y, 0.075, rgb("fffbe6"))
    _clouds(e, rng, 2, rgb("fff3d6"), rgb("f3c98c"))


def _sunset(e: Easel, rng: np.random.Generator) -> None:
    y = 0.55 + 0.03 * rng.random()
    e.glow(e.sun_x, y, 0.5, rgb("ffb45a"), 0.75)
    e.disc(e.sun_x, y, 0.105, rgb("ffe79a"))
    _streaks(e, rng, rgb("e8637f"), 0.7)


def _night(e: Easel, rng: np.random.Generator) -> None:
    stars(e, rng, 60, 0.58)
    y = 0.13 + 0.06 * rng.random()
    e.glow(e.sun_x, y, 0.26, e.light.sun, 0.45)
    e.disc(e.sun_x, y, 0.075, rgb("fdf4cf"))
    for dx, dy, r in ((-0.024, -0.015, 0.018), (0.022, 0.026, 0.014), (0.02, -0.03, 0.009)):
        disc(e.canvas, e.sun_x + dx, y + dy, r, rgb("ecdfb4"))


def _overcast(e: Easel, rng: np.random.Generator) -> None:
    """A closed sky: banks of cloud in its own grey, darker before rain."""
    if e.scene.weather == "fog":
        return
    light = 0.85 if e.scene.weather == "rain" else 1.06
    top = np.minimum(mix(e.light.middle, e.light.low, 0.45) * np.float32(light), 1)
    foot = mix(e.light.high, e.light.middle, 0.75)
    for k in range(8):
        x, y = (k % 4 + rng.random()) / 4, 0.29 - 0.14 * (k // 4) + 0.03 * rng.random()
        cloud(e, x, y, 0.085 + 0.03 * rng.random(), top, foot)


HOURS = {"dawn": _dawn, "day": _day, "golden hour": _golden, "sunset": _sunset}
