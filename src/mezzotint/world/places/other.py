"""Neither land nor water: above the clouds, space, a room, a plain backdrop."""

import numpy as np

from mezzotint.world.easel import LAND, Easel
from mezzotint.world.paint import Array, Circle, disc, domes, mix, rect, rgb
from mezzotint.world.scene import Colour
from mezzotint.world.sky import WHITE, cloud, sky, stars

BACKGROUNDS: dict[Colour, Array] = {
    "red": rgb("d9413f"),
    "orange": rgb("f59a3c"),
    "yellow": rgb("f9d857"),
    "green": rgb("5fb562"),
    "blue": rgb("4a90d9"),
    "purple": rgb("8a63c9"),
    "pink": rgb("f3a3c0"),
    "brown": rgb("9a6b4a"),
    "white": rgb("f4f4f2"),
    "black": rgb("1c1c22"),
}


def sky_high(e: Easel) -> None:
    """Above the clouds: the sky, and banks of cloud far below."""
    rng = e.rng(LAND)
    sky(e)
    white = e.light.land
    lit, shaded = (
        np.minimum(mix(white, e.light.low, 0.25), 1),
        mix(e.light.middle, e.light.low, 0.4),
    )
    for x in (0.06, 0.94):
        y, r = 0.5 + 0.12 * rng.random(), 0.09 + 0.03 * rng.random()
        cloud(e, x + 0.1 * rng.random() - 0.05, y, r, lit, shaded)
    for k in range(3):
        level, count = 0.74 + 0.085 * k, 9 - 2 * k
        at, big = rng.random((2, count + 1))
        heap: list[Circle] = [
            (
                (j + float(at[j])) / count,
                -0.02 * float(big[j]),
                (0.62 + 0.5 * float(big[j])) / count,
            )
            for j in range(count + 1)
        ]
        edge = level + 0.05 - np.maximum(domes(e.x, heap), 0) * np.float32(0.9)
        top = np.minimum(mix(white, e.light.low, 0.55 - 0.26 * k), 1)
        shade = mix(e.light.middle, e.light.high, 0.25 + 0.1 * k)
        e.below(edge, top, shade)


def space(e: Easel) -> None:
    """Deep violet, two clouds of gas, stars, a planet."""
    rng = e.rng(LAND)
    e.column(rgb("0b0a24"), rgb("17113d"), rgb("241a55"))
    for code in ("7a34a8", "2268b0", "b0417f"):
        e.glow(rng.random(), rng.random(), 0.42 + 0.1 * rng.random(), rgb(code), 0.42)
    stars(e, rng, 90, 1.0)
    for _ in range(4):
        _sparkle(e, rng.random(), rng.random(), 0.016 + 0.012 * rng.random())
    code = ("e58a5a", "5fb5cf", "c98ad9", "e0b85f")[int(rng.integers(4))]
    x, y, r = e.sun_x, 0.15 + 0.08 * rng.random(), 0.075 + 0.03 * rng.random()
    colour = rgb(code)
    e.disc(x, y, r, colour * np.float32(0.62))
    e.disc(x - r * 0.16, y - r * 0.12, r * 0.84, colour)
    for dy, wide in ((-0.3, 0.62), (0.12, 0.74)):
        disc(
            e.canvas,
            x - r * 0.16,
            y + dy * r,
            wide * r,
            mix(colour, WHITE, 0.4),
            squash=0.12,
            opacity=0.7,
        )
    if rng.random() < 0.5:
        disc(e.canvas, x, y + r * 0.1, r * 1.75, rgb("f3e3c0"), squash=0.1, opacity=0.85)


def _sparkle(e: Easel, x: float, y: float, r: float) -> None:
    for squash, wide in ((0.12, r), (8.0, r * 0.125)):
        disc(e.canvas, x, y, wide, rgb("fff6d8"), squash=squash, opacity=0.95)


ROOMS = (
    ("f6dfc6", "efd0b0", "c98b5a", "5f9ea0", "d9745f"),
    ("cfe3dc", "bcd6cd", "b98a62", "e0a45c", "5d8fa8"),
    ("dbe3f3", "c8d3ea", "c59a72", "d97b8a", "6f7fc0"),
    ("f3dbe2", "e9c8d3", "b88463", "8a9f6a", "a86f9a"),
)
"""Harmonies of wall, its lower part, floor, curtain and rug."""


def room(e: Easel) -> None:
    """A wall with a window, skirting, a wooden floor and a rug."""
    rng = e.rng(LAND)
    wall, lower, floor, curtain, rug = (rgb(code) for code in ROOMS[int(rng.integers(len(ROOMS)))])
    e.column(mix(wall, WHITE, 0.25), wall, lower, lower)
    left = rng.random() < 0.5
    _window(e, 0.24 if left else 0.76, curtain)
    _picture(e, 0.8 if left else 0.2, rug, mix(curtain, WHITE, 0.5))
    e.below(e.level(0.655), mix(wall, WHITE, 0.8))
    e.below(e.level(0.685), floor, floor * np.float32(0.8))
    for k in range(9):
        top, foot = 0.5 + (k - 4) * 0.15, 0.5 + (k - 4) * 0.26
        line = floor * np.float32(0.8)
        e.polygon(
            [(top, 0.685), (top + 0.004, 0.685), (foot + 0.008, 1.0), (foot, 1.0)], line
        ) if not e.paper else None
    e.disc(0.5, 0.87, 0.43, rug, squash=0.26)
    e.disc(0.5, 0.87, 0.385, mix(rug, WHITE, 0.55), squash=0.26)
    e.disc(0.5, 0.87, 0.36, mix(rug, WHITE, 0.16), squash=0.26)


def _window(e: Easel, x: float, curtain: Array) -> None:
    frame = rgb("fffaf2")
    rect(e.canvas, x - 0.145, 0.11, x + 0.145, 0.5, frame)
    rect(e.canvas, x - 0.125, 0.13, x + 0.125, 0.48, rgb("a9dcf5"))
    rect(e.canvas, x - 0.125, 0.39, x + 0.125, 0.48, rgb("9fd48a"))
    disc(e.canvas, x + 0.05, 0.22, 0.05, WHITE, squash=0.5)
    disc(e.canvas, x + 0.0, 0.23, 0.035, WHITE, squash=0.5)
    rect(e.canvas, x - 0.007, 0.13, x + 0.007, 0.48, frame)
    rect(e.canvas, x - 0.125, 0.295, x + 0.125, 0.309, frame)
    for side in (-1, 1):
        e.polygon(
            [(x + side * 0.185, 0.085), (x + side * 0.06, 0.085), (x + side * 0.125, 0.36),
             (x + side * 0.13, 0.55), (x + side * 0.185, 0.55)], curtain,
        )  # fmt: skip
    rect(e.canvas, x - 0.205, 0.07, x + 0.205, 0.09, rgb("a9774f"))


def _picture(e: Easel, x: float, dark: Array, light: Array) -> None:
    rect(e.canvas, x - 0.1, 0.17, x + 0.1, 0.41, rgb("a9774f"))
    rect(e.canvas, x - 0.08, 0.19, x + 0.08, 0.39, mix(light, WHITE, 0.5))
    e.polygon([(x - 0.08, 0.39), (x - 0.01, 0.26), (x + 0.06, 0.39)], mix(dark, WHITE, 0.25))
    e.polygon([(x + 0.0, 0.39), (x + 0.04, 0.31), (x + 0.08, 0.39)], dark)


def plain(e: Easel) -> None:
    """The background's colour, a little lighter above."""
    assert e.scene.background is not None
    colour = BACKGROUNDS[e.scene.background]
    e.column(np.minimum(colour * np.float32(1.06) + np.float32(0.02), 1), colour * np.float32(0.93))
