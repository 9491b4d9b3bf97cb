"""Green land that wears the seasons: meadow, garden, forest, mountains."""

import numpy as np

from mezzotint.world.easel import LAND, Easel
from mezzotint.world.flora import (
    bush,
    flowers,
    ground,
    hill,
    margin,
    palette,
    pine,
    tree,
    treeline,
)
from mezzotint.world.paint import Array, Circle, blend, dots, mix, patch, rgb
from mezzotint.world.sky import sky


def meadow(e: Easel) -> None:
    """Rolling hills, a tree on one of them, flowers."""
    rng, p = e.rng(LAND), palette(e)
    sky(e)
    hill(e, p.hill, 0.56, 0.1, 0.5, rng)
    e.haze(0.6, 0.1, e.light.low, 0.5)
    hill(e, p.hill, 0.62, 0.08, 0.2, rng)
    x = margin(rng, 0.22)
    tree(e, x, 0.66, 0.3 + 0.08 * rng.random(), int(rng.integers(3)), 0.12)
    tree(e, x + (0.14 if x < 0.5 else -0.14), 0.645, 0.15, int(rng.integers(3)), 0.22)
    ground(e, 0.67, rng, 0.05)
    flowers(e, rng, 0.73, p.flowers, p.petals)


def garden(e: Easel) -> None:
    """A clipped hedge, a white fence, beds of large flowers on both sides."""
    rng, p = e.rng(LAND), palette(e)
    sky(e)
    treeline(e, p.woods, 0.56, 0.1, 0.35, rng, 9)
    tree(e, 0.1, 0.64, 0.36, int(rng.integers(3)), 0.1)
    tree(e, 0.9, 0.64, 0.32, int(rng.integers(3)), 0.1)
    light, dark = (e.far(code, 0.05) for code in p.bush)
    e.below(e.level(0.575), mix(light, dark, 0.4), dark)
    _fence(e, 0.575, 0.69)
    ground(e, 0.685, rng, 0.0)
    for side in (-0.02, 1.02):
        _bed(e, rng, side)


def _fence(e: Easel, top: float, foot: float) -> None:
    """Pickets with pointed heads on two rails, drawn as one profile."""
    white, count = e.lit("fffdf6"), 15
    box = patch(e.canvas, 0, top, 1, foot)
    assert box is not None
    region, x, y = box
    across = np.abs((x * count) % 1 - np.float32(0.5)) / np.float32(count)
    half = np.minimum(np.float32(0.021), np.maximum(y - top, 0) * 0.8)
    cover = np.clip((half - across) * e.size + 0.5, 0, 1)
    for rail in (top + 0.035, top + 0.08):
        rails = np.clip((np.float32(0.007) - np.abs(y - np.float32(rail))) * e.size + 0.5, 0, 1)
        cover = np.maximum(cover, rails)
    blend(region, white, cover.astype(np.float32))


def _bed(e: Easel, rng: np.random.Generator, side: float) -> None:
    """A bed at the picture's edge: leaves, and blossom on them unless it is winter."""
    p = palette(e)
    inward = 1 if side < 0.5 else -1
    light, dark = (e.snowy(code) if p.snow else e.lit(code) * np.float32(0.85) for code in p.bush)
    heap: list[Circle] = []
    for k in range(5):
        x, y = side + inward * 0.045 * k * rng.random(), 0.72 + 0.07 * k
        heap.append((x, y, 0.07 + 0.012 * k))
    e.cluster(heap, light, dark)
    u, v, s = rng.random((3, 15), dtype=np.float32)
    codes = ("e8528a", "ffd34d", "f57fb0", "ffffff", "a86be0")
    if p.snow:
        return
    x = np.float32(side) + np.float32(inward) * 0.15 * u
    y = np.float32(0.7) + 0.3 * v
    for k, code in enumerate(codes):
        part = slice(k, None, 5)
        radius = 0.015 + 0.008 * s[part]
        dots(e.canvas, x[part], y[part], radius, 1.0, e.lit(code))
        dots(e.canvas, x[part], y[part], radius * 0.4, 1.0, e.lit("ffe9a0"))


def forest(e: Easel) -> None:
    """A clearing: woods behind woods, great trunks on both sides, light between them."""
    rng, p = e.rng(LAND), palette(e)
    sky(e)
    treeline(e, p.woods, 0.42, 0.14, 0.55, rng, 10)
    e.haze(0.5, 0.16, e.light.low, 0.45)
    for k in range(7):
        x, tall = (k + rng.random()) / 7, 0.34 + 0.1 * rng.random()
        pine(e, x, 0.67, tall, 0.3 + 0.12 * rng.random())
    e.haze(0.62, 0.12, e.light.low, 0.35)
    for k, x in enumerate((0.2, 0.82, 0.05, 0.95)):
        near = k // 2
        foot, tall = 0.69 + 0.03 * near, 0.5 + 0.14 * near + 0.06 * rng.random()
        tree(e, x + 0.04 * rng.random() - 0.02, foot, tall, int(rng.integers(3)), 0.12 - 0.1 * near)
    ground(e, 0.685, rng, 0.03)
    bush(e, -0.01, 0.76, 0.08)
    bush(e, 1.01, 0.755, 0.075)
    flowers(e, rng, 0.74, p.flowers, p.petals // 2)


def mountains(e: Easel) -> None:
    """Ranges of snowy peaks, pines at their feet, an alp in front."""
    rng, p = e.rng(LAND), palette(e)
    sky(e)
    for k in range(4):
        x, tall = (k + 0.2 + 0.6 * rng.random()) / 4, 0.2 + 0.08 * rng.random()
        peak(e, x, 0.6, tall, 0.24, "8ea3c8", 0.55, 0.35)
    e.haze(0.58, 0.12, e.light.low, 0.6)
    first = 0.24 + 0.12 * rng.random()
    tall = 0.4 + 0.05 * rng.random()
    peak(e, first + 0.42, 0.64, tall - 0.1, 0.34, "7487ad", 0.22, 0.45)
    peak(e, first, 0.64, tall, 0.36, "687ca6", 0.12, 0.45)
    e.haze(0.64, 0.1, e.light.low, 0.4)
    hill(e, p.hill, 0.64, 0.05, 0.2, rng)
    for _ in range(9):
        pine(e, margin(rng, 0.34), 0.685, 0.1 + 0.07 * rng.random(), 0.12)
    ground(e, 0.685, rng, 0.04)
    flowers(e, rng, 0.75, p.flowers, p.petals // 2)


def peak(
    e: Easel, x: float, foot: float, tall: float, half: float, code: str, depth: float, cap: float
) -> None:
    """A mountain: a lit and a shaded face along a crooked ridge, snow down to ``cap`` of it."""
    box = patch(e.canvas, x - half, foot - tall, x + half, foot)
    if box is None:
        return
    region, columns, rows = box
    dx, dy = columns - np.float32(x), rows - np.float32(foot - tall)
    rough = np.float32(0.008) * np.sin(columns * 61) + np.float32(0.005) * np.sin(columns * 137)
    steep = np.float32(tall / half)
    inside = (dy - (np.abs(dx) * steep + rough * np.minimum(np.abs(dx) * 20, 1))) / np.sqrt(
        1 + steep * steep
    )
    away = -1 if e.sun_x > x else 1
    ridge = np.float32(0.02) * np.sin(dy * 48) + np.float32(0.12) * dy
    shaded = np.clip((dx * away - ridge) * e.size + 0.5, 0, 1)
    zigzag = np.abs((dx * np.float32(9 / half) / 2) % 2 - 1) - 0.5
    line = np.float32(tall * cap) * (1 + np.float32(0.5) * zigzag)
    white = np.clip((line - dy) * e.size + 0.5, 0, 1)
    rock, snow = e.far(code, depth), e.far("ffffff", depth * 0.8)
    colour: Array = rock + (snow - rock) * white
    dim = 1 - np.float32(0.2) * shaded
    cool = mix(rgb("ffffff"), rgb("b9c4ff"), 0.35)
    colour *= dim * (1 - (1 - cool) * shaded)
    blend(region, colour, np.clip(inside * e.size + 0.5, 0, 1))
