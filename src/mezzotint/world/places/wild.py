"""Land without seasons: snow, jungle, desert, volcano."""

import numpy as np

from mezzotint.world.easel import LAND, Easel
from mezzotint.world.flora import margin, pine, treeline
from mezzotint.world.paint import Array, blend, disc, dots, mix, patch, rgb, waves
from mezzotint.world.sky import sky


def snow(e: Easel) -> None:
    """Deep snow, hills in blue air, laden pines on both sides."""
    rng = e.rng(LAND)
    sky(e)
    for level, high, code, depth in ((0.54, 0.1, "bcd3ee", 0.35), (0.61, 0.07, "d2e3f5", 0.15)):
        colour = mix(e.snowy(code), e.light.low, depth)
        e.below(level - waves(e.x, 3, rng, high, 5.0), colour, mix(colour, e.light.low, 0.2))
    for k in range(8):
        pine(
            e, margin(rng, 0.33), 0.675 + 0.004 * k, 0.17 + 0.02 * k * rng.random(), 0.25 - 0.03 * k
        )
    e.below(0.675 - waves(e.x, 2, rng, 0.035, 4.0), e.snowy("fbfdff"), e.snowy("d0e1f6"))
    e.below(0.86 - waves(e.x, 1, rng, 0.06, 5.0), e.snowy("f3f9ff"), e.snowy("bfd5f0"))


def jungle(e: Easel) -> None:
    """Green air, hanging vines, great leaves in the corners."""
    rng = e.rng(LAND)
    sky(e)
    green = e.lit("a5dd9a")
    e.haze(0.5, 0.6, mix(green, e.light.low, 0.25), 0.85)
    treeline(e, "4fae7a", 0.46, 0.22, 0.38, rng, 8)
    e.haze(0.6, 0.2, e.lit("c4eeb0"), 0.45)
    treeline(e, "2f9460", 0.62, 0.13, 0.12, rng, 11)
    e.below(0.68 - waves(e.x, 2, rng, 0.03, 6.0), e.lit("5fb04c"), e.lit("35783a"))
    for _ in range(5):
        _vine(e, margin(rng, 0.4), 0.2 + 0.22 * rng.random())
    codes = ("1f7d4c", "2c9a58", "16633f", "38ad5f")
    for k in range(4):
        x = 0.0 if k % 2 == 0 else 1.0
        turn = 1 if x == 0 else -1
        for j in range(3):
            down = 0.15 + 0.42 * j + 0.3 * rng.random()
            y, reach = (-0.01, 0.36) if k < 2 else (1.0, 0.27)
            rise = down if k < 2 else -down - 0.2
            _leaf(e, x, y, turn * reach, rise, e.lit(codes[(j + k) % 4]))


def _vine(e: Easel, x: float, long: float) -> None:
    box = patch(e.canvas, x - 0.03, 0, x + 0.03, long)
    if box is None:
        return
    region, columns, rows = box
    bend = np.float32(x) + np.float32(0.012) * np.sin(rows * 22)
    half = np.where(rows < long, np.float32(0.005), 0)
    blend(region, e.lit("3c8f50"), np.clip((half - np.abs(columns - bend)) * e.size + 0.5, 0, 1))
    for k in range(1, 5):
        y = long * k / 4.5
        e.disc(x + (0.016 if k % 2 else -0.016), y, 0.015, e.lit("4fb05c"), squash=0.6)


def _leaf(e: Easel, x: float, y: float, reach: float, slope: float, colour: Array) -> None:
    """A long leaf from the picture's edge inwards: two halves along a bent midrib."""
    long = abs(reach)
    high = long * (abs(slope) + 0.3)
    box = patch(e.canvas, min(x, x + reach), y - high, max(x, x + reach), y + high)
    if box is None:
        return
    region, columns, rows = box
    along = np.clip((columns - np.float32(x)) / np.float32(reach), 0, 1)
    rib = np.float32(y) + np.float32(long * slope) * along + np.float32(0.25 * long) * along**2
    half = (
        np.float32(0.2 * long)
        * np.sqrt(np.maximum(along * (1 - along), 0))
        * 2
        * (1.25 - along * 0.5)
    )
    off = rows - rib
    cover = np.clip((half - np.abs(off)) * e.size + 0.5, 0, 1)
    lower = np.clip(off * e.size + 0.5, 0, 1)
    blend(region, colour * (1 - np.float32(0.16) * lower), cover.astype(np.float32))


def desert(e: Easel) -> None:
    """Dunes with a lit and a shaded side, tables of rock far away."""
    rng = e.rng(LAND)
    sky(e)
    for _ in range(2):
        x, half, tall = margin(rng, 0.38), 0.1 + 0.05 * rng.random(), 0.12 + 0.06 * rng.random()
        rock = e.far("c4703f", 0.4)
        foot = [(x - half * 1.25, 0.62), (x - half * 0.85, 0.6 - tall)]
        e.polygon([*foot, (x + half * 0.85, 0.6 - tall), (x + half * 1.25, 0.62)], rock)
    for level, high, light, dark in (
        (0.6, 0.05, "edb273", "dfa066"),
        (0.655, 0.05, "f3bf79", "e0a262"),
        (0.725, 0.035, "fbd492", "e6ad68"),
    ):
        _dune(e, level, high, light, dark, rng)


def _dune(
    e: Easel, level: float, high: float, light: str, dark: str, rng: np.random.Generator
) -> None:
    edge = level - waves(e.x, 2, rng, high * 1.6, 5.0)
    away = -1 if e.sun_x > 0.5 else 1
    slope = np.gradient(edge, e.x).astype(np.float32) * np.float32(away)
    e.below(edge, e.lit(dark) * np.float32(0.86))
    face = np.float32(0.4 * high + 0.12) * np.clip(slope * 2.5, 0, 1) ** 1.5
    e.below(edge + face, e.lit(light), e.lit(dark))


def volcano(e: Easel) -> None:
    """A dark cone with a burning mouth, streams of lava, smoke, black ground."""
    rng = e.rng(LAND)
    sky(e)
    x = 0.36 + 0.28 * rng.random()
    fire, glow = rgb("ff7a2a"), rgb("ff5a1f")
    e.haze(0.62, 0.4, mix(e.light.low, glow, 0.55), 0.6)
    smoke = mix(e.lit("6f6470"), e.light.middle, 0.3)
    drift = 0.05 if x < 0.5 else -0.05
    for k in range(4):
        puff = [
            (x + drift * k + d * (0.05 + 0.02 * k), 0.2 - 0.062 * k, 0.045 + 0.016 * k)
            for d in (-1, 0, 1)
        ]
        e.cluster(puff, mix(smoke, rgb("ffffff"), 0.12), smoke * np.float32(0.85))
    e.glow(x, 0.27, 0.26, glow, 0.8)
    _cone(e, x, 0.27, 0.7, e.far("5d4652", 0.12), fire)
    e.disc(x, 0.277, 0.058, rgb("ffd35a"), squash=0.24)
    e.below(0.665 - waves(e.x, 3, rng, 0.04, 7.0), e.lit("5a4650"), e.lit("342a36"))
    u, v, s = rng.random((3, 14), dtype=np.float32)
    dots(e.canvas, u, 0.12 + 0.5 * v, 0.003 + 0.004 * s, 0.9, rgb("ffb04a"))
    for _ in range(6):
        a, b = margin(rng, 0.3), 0.72 + 0.24 * rng.random()
        disc(e.canvas, a, b, 0.05 + 0.05 * b * rng.random(), fire, squash=0.09, opacity=0.9)


def _cone(e: Easel, x: float, top: float, foot: float, rock: Array, fire: Array) -> None:
    """A concave slope on both sides of the crater, with three streams of lava on it."""
    box = patch(e.canvas, x - 0.55, top, x + 0.55, foot)
    if box is None:
        return
    region, columns, rows = box
    dx, down = columns - np.float32(x), np.clip((rows - np.float32(top)) / (foot - top), 0, 1)
    half = np.float32(0.06) + np.float32(0.2) * down + np.float32(0.26) * down * down
    half = np.where(rows > top, half, 0)
    away = -1 if e.sun_x > x else 1
    shaded = np.clip((dx * away - 0.03 * np.sin(rows * 40)) * e.size + 0.5, 0, 1)
    colour = rock * (1 - np.float32(0.25) * shaded)
    blend(region, colour, np.clip((half - np.abs(dx)) * e.size * 0.8 + 0.5, 0, 1))
    for start, lean, width in ((-0.03, -0.13, 0.013), (0.005, 0.03, 0.018), (0.035, 0.2, 0.011)):
        middle = np.float32(start) + np.float32(lean) * down + np.float32(0.012) * np.sin(rows * 34)
        broad = np.where(rows > top, width * (1.1 - down), 0)
        cover = np.clip((broad - np.abs(dx - middle)) * e.size + 0.5, 0, 1)
        blend(region, fire, cover.astype(np.float32))
