"""Where people live: farm, village, city."""

from itertools import pairwise

import numpy as np

from mezzotint.world.easel import LAND, Easel
from mezzotint.world.flora import bush, ground, hill, margin, palette, tree, treeline
from mezzotint.world.paint import Array, blend, mix, patch, rect, rgb
from mezzotint.world.sky import sky

LAMP = rgb("ffd873")


def farm(e: Easel) -> None:
    """A red barn and a silo, ploughed fields, a rail fence."""
    rng, p = e.rng(LAND), palette(e)
    sky(e)
    hill(e, p.hill, 0.58, 0.07, 0.35, rng)
    treeline(e, p.woods, 0.605, 0.04, 0.3, rng, 26)
    x = 0.2 if rng.random() < 0.5 else 0.8
    _field(e, 0.6)
    _barn(e, x, 0.675)
    tree(e, 1.04 - x, 0.67, 0.28, int(rng.integers(3)), 0.08)
    ground(e, 0.685, rng, 0.02)
    _rails(e, 0.7)


def _field(e: Easel, top: float) -> None:
    """Furrows that meet at the horizon."""
    codes = {"spring": ("b98d5c", "8fce5c"), "summer": ("f2cf6a", "dfae48"),
             "autumn": ("b98a55", "98683f"), "winter": ("f4f8ff", "d3e0f0")}  # fmt: skip
    light, dark = (e.far(code, 0.12) for code in codes[e.scene.season])
    box = patch(e.canvas, 0, top, 1, 0.76)
    assert box is not None
    region, x, y = box
    across = (x - np.float32(0.5)) / np.maximum(y - np.float32(top - 0.03), 1e-3) * np.float32(0.55)
    stripe = np.clip((np.abs(across % 1 - 0.5) - 0.25) * 8 + 0.5, 0, 1)
    blend(region, light + (dark - light) * stripe, np.clip((y - top) * e.size + 0.5, 0, 1))


def _barn(e: Easel, x: float, foot: float) -> None:
    red, trim, roof = e.lit("c8433a"), e.lit("fff4e6"), e.lit("7d4a44")
    if palette(e).snow:
        roof = e.lit("f4f9ff")
    silo = x + (0.19 if x < 0.5 else -0.19)
    rect(e.canvas, silo - 0.04, foot - 0.26, silo + 0.04, foot, e.lit("cfc9c4"))
    rect(e.canvas, silo + 0.005, foot - 0.26, silo + 0.04, foot, e.lit("b4adad"))
    e.disc(silo, foot - 0.26, 0.042, roof, squash=0.8)
    e.polygon(
        [(x - 0.14, foot), (x - 0.14, foot - 0.15), (x + 0.14, foot - 0.15), (x + 0.14, foot)], red
    )
    gable = [(x - 0.14, foot - 0.15), (x - 0.085, foot - 0.235), (x, foot - 0.28)]
    e.polygon([*gable, (x + 0.085, foot - 0.235), (x + 0.14, foot - 0.15)], red)
    for side in (-1, 1):
        corners = [(0.155, 0.145), (0.09, 0.245), (0.0, 0.295)]
        for (ax, ay), (bx, by) in pairwise(corners):
            e.polygon(
                [
                    (x + side * ax, foot - ay), (x + side * bx, foot - by),
                    (x + side * bx, foot - by + 0.024),
                    (x + side * (ax - 0.012), foot - ay + 0.022),
                ],
                roof,
            )  # fmt: skip
    rect(e.canvas, x - 0.062, foot - 0.125, x + 0.062, foot, trim)
    rect(e.canvas, x - 0.05, foot - 0.113, x + 0.05, foot, e.lit("8f2f2c"))
    rect(e.canvas, x - 0.004, foot - 0.113, x + 0.004, foot, trim)
    window(e, x, foot - 0.2, 0.024, 0.024)


def window(e: Easel, x: float, y: float, half: float, tall: float) -> None:
    """A window, lit by the hour's lamps, that throws its light around."""
    glass = mix(e.lit("a8d4ea"), LAMP, e.light.lamps)
    if e.light.lamps > 0.5:
        e.glow(x, y, half * 4.5, LAMP, 0.35 * e.light.lamps)
    rect(e.canvas, x - half, y - tall, x + half, y + tall, e.lit("fff6e8"))
    rect(e.canvas, x - half * 0.72, y - tall * 0.78, x + half * 0.72, y + tall * 0.78, glass)


def _rails(e: Easel, y: float) -> None:
    wood = e.lit("a9794f")
    for k in range(8):
        x = (k + 0.5) / 8
        rect(e.canvas, x - 0.008, y - 0.045, x + 0.008, y + 0.03, wood)
    for rail in (y - 0.022, y + 0.008):
        rect(e.canvas, -0.1, rail - 0.006, 1.1, rail + 0.006, wood)


WALLS = ("fff0d4", "ffdcc4", "e3eef5", "f7e3ea", "e8f0d8")
ROOFS = ("d2604a", "b5544f", "8f6a8f", "5f86a8", "c98545")


def village(e: Easel) -> None:
    """Gabled cottages in a row, a steeple, smoke from a chimney, a path."""
    rng, p = e.rng(LAND), palette(e)
    sky(e)
    hill(e, p.hill, 0.55, 0.08, 0.4, rng)
    treeline(e, p.woods, 0.6, 0.05, 0.35, rng, 18)
    _steeple(e, 0.22 if rng.random() < 0.5 else 0.78, 0.63)
    codes = rng.permutation(5)
    for k, x in enumerate((0.32, 0.68, 0.11, 0.89)):
        near = k // 2
        wide = 0.17 + 0.05 * near + 0.02 * rng.random()
        _cottage(
            e,
            x,
            0.655 + 0.03 * near,
            wide,
            WALLS[codes[k]],
            ROOFS[codes[(k + 1) % 5]],
            0.14 - 0.12 * near,
        )
    ground(e, 0.69, rng, 0.015)
    light, dark = (
        e.lit(code) for code in (("eef2fa", "c3cfe2") if p.snow else ("eadbb8", "cfb98e"))
    )
    e.polygon([(0.46, 0.69), (0.54, 0.69), (0.92, 1.02), (0.2, 1.02)], mix(light, dark, 0.35))
    bush(e, 0.0, 0.735, 0.06)
    bush(e, 1.0, 0.74, 0.065)


def _cottage(
    e: Easel, x: float, foot: float, wide: float, wall: str, roof: str, depth: float
) -> None:
    half, tall = wide / 2, wide * 0.62
    eaves = foot - tall
    chimney = x + half * 0.5
    rect(
        e.canvas,
        chimney - 0.014,
        eaves - wide * 0.5,
        chimney + 0.014,
        eaves,
        e.far("9a6a5a", depth),
    )
    front = e.far(wall, depth)
    e.polygon([(x - half, foot), (x - half, eaves), (x + half, eaves), (x + half, foot)], front)
    tiles = e.far("f6faff" if palette(e).snow else roof, depth)
    brow = half * 1.22
    e.polygon(
        [(x - brow, eaves + 0.012), (x, eaves - wide * 0.56), (x + brow, eaves + 0.012)], tiles
    )
    rect(
        e.canvas, x - wide * 0.11, foot - tall * 0.62, x + wide * 0.11, foot, e.far("8a5a44", depth)
    )
    for side in (-0.3, 0.3):
        window(e, x + side * wide, foot - tall * 0.55, wide * 0.085, wide * 0.11)


def _steeple(e: Easel, x: float, foot: float) -> None:
    wall, roof = e.far("f3ead8", 0.25), e.far("f4f8ff" if palette(e).snow else "7a6f9a", 0.2)
    e.polygon([(x - 0.042, foot), (x - 0.042, 0.4), (x + 0.042, 0.4), (x + 0.042, foot)], wall)
    e.polygon([(x - 0.056, 0.41), (x, 0.22), (x + 0.056, 0.41)], roof)
    window(e, x, 0.46, 0.014, 0.024)


def city(e: Easel) -> None:
    """Two rows of towers with windows, a pavement, a road."""
    rng = e.rng(LAND)
    sky(e)
    _skyline(e, rng, 11, 0.24, 0.26, "9db4d6", 0.5, 0.0)
    e.haze(0.6, 0.2, e.light.low, 0.45)
    _skyline(e, rng, 7, 0.14, 0.32, "66799f", 0.1, 0.9)
    for _ in range(4):
        x = margin(rng, 0.36)
        e.cluster(
            [(x - 0.025, 0.68, 0.032), (x + 0.02, 0.675, 0.036)],
            e.lit("79b86a"),
            e.lit("4b8f55"),
            floor=0.705,
        )
    e.below(e.level(0.7), e.lit("d6d8de"), e.lit("c4c7d0"))
    e.below(e.level(0.765), e.lit("878c9b"), e.lit("6c7182"))
    for k in range(6):
        x = (k + 0.5) / 6
        rect(e.canvas, x - 0.045, 0.963, x + 0.045, 0.975, e.lit("f3f0dc"))


def _skyline(
    e: Easel,
    rng: np.random.Generator,
    count: int,
    low: float,
    spread: float,
    code: str,
    depth: float,
    panes: float,
) -> None:
    """A row of towers; ``panes`` is how many of the windows show."""
    cuts = (np.arange(1, count) + 0.5 * rng.random(count - 1) - 0.25) / count
    tall = low + spread * rng.random(count)
    ends = [-0.01, *cuts.tolist(), 1.01]
    lit = rng.random((count, 12, 4))
    for k in range(count):
        left, right, top = ends[k] + 0.004, ends[k + 1] - 0.004, 0.7 - float(tall[k])
        shade = np.float32(1 - 0.09 * (k % 3))
        wall = e.far(code, depth) * shade
        e.polygon([(left, 0.72), (left, top), (right, top), (right, 0.72)], wall)
        if panes:
            _panes(e, left, top, right, lit[k], panes)


def _panes(e: Easel, left: float, top: float, right: float, lit: Array, share: float) -> None:
    """The windows of a tower, 12 floors of 4 at most, as one layer."""
    box = patch(e.canvas, left, top + 0.02, right, 0.68)
    if box is None:
        return
    region, x, y = box
    wide, high = np.float32((right - left) / 4.4), np.float32(0.045)
    across, down = (x - left) / wide - np.float32(0.2), (y - top - np.float32(0.02)) / high
    pane = np.clip((np.float32(0.28) - np.abs(across % 1 - 0.5)) * wide * e.size + 0.5, 0, 1)
    pane = pane * np.clip((np.float32(0.3) - np.abs(down % 1 - 0.5)) * high * e.size + 0.5, 0, 1)
    column, floor = np.floor(across).astype(int), np.floor(down).astype(int)
    shown = (column >= 0) & (column < 4) & (floor >= 0) & (floor < 12)
    on = lit[floor.clip(0, 11), column.clip(0, 3)] < (0.6 if e.light.lamps > 0.5 else share)
    glass = mix(e.lit("d3e8f6"), rgb("ffdf8a"), e.light.lamps)
    blend(region, glass, (pane * (shown & on) * np.float32(0.85)).astype(np.float32))
