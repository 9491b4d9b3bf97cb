"""What grows on land and changes with the season: trees, pines, bushes, flowers, treelines."""

import numpy as np

from mezzotint.world.easel import Easel
from mezzotint.world.paint import Array, Circle, blend, domes, dots, mix, patch, waves
from mezzotint.world.season import PALETTES, Palette

Rng = np.random.Generator


def palette(e: Easel) -> Palette:
    """The colours of the scene's season."""
    return PALETTES[e.scene.season]


def ground(e: Easel, level: float, rng: Rng, height: float = 0.03) -> None:
    """The season's grass or snow from ``level`` down, calm where things stand."""
    p = palette(e)
    top, bottom = (e.snowy(code) if p.snow else e.lit(code) for code in p.grass)
    e.below(level - waves(e.x, 2, rng, height, 4.5), top, bottom)


def hill(e: Easel, code: str, level: float, height: float, depth: float, rng: Rng) -> None:
    """A range of soft hills, seen through ``depth`` of air."""
    top = e.far(code, depth)
    e.below(level - waves(e.x, 3, rng, height, 5.0), top, e.far(code, min(1, depth + 0.2)))


def treeline(
    e: Easel, code: str, level: float, height: float, depth: float, rng: Rng, count: int = 16
) -> None:
    """The round tops of a far wood."""
    at, tall = rng.random((2, count))
    circles = [
        ((k + 0.8 * float(at[k])) / count, height * float(tall[k]) * 0.6, height * 0.75 + 0.012)
        for k in range(count)
    ]
    edge = level - np.maximum(domes(e.x, circles), 0)
    e.below(edge, e.far(code, depth), e.far(code, min(1, depth + 0.3)))


def tree(e: Easel, x: float, foot: float, tall: float, kind: int, depth: float = 0.0) -> None:
    """A broad-leaved tree; its season gives the crown its colours."""
    p = palette(e)
    light, dark = (e.far(code, depth) for code in p.crowns[kind % len(p.crowns)])
    trunk = e.far("7a5236", depth)
    wide = tall * 0.05
    e.polygon(
        [
            (x - wide, foot), (x - wide * 0.6, foot - tall * 0.5),
            (x + wide * 0.6, foot - tall * 0.5), (x + wide, foot),
        ],
        trunk,
    )  # fmt: skip
    y = foot - tall * 0.66
    crown: list[Circle] = [
        (x - tall * 0.17, y + tall * 0.1, tall * 0.17),
        (x + tall * 0.18, y + tall * 0.08, tall * 0.18),
        (x, y - tall * 0.08, tall * 0.22),
        (x, y + tall * 0.08, tall * 0.2),
    ]
    e.cluster(crown, mix(light, dark, 0.45), dark)
    if not e.plain:
        side = 0.05 if e.sun_x > x else -0.05
        lit = [(cx + side * tall, cy - tall * 0.05, r * 0.68) for cx, cy, r in crown[:3]]
        e.cluster(lit, light, mix(light, dark, 0.5))


def pine(e: Easel, x: float, foot: float, tall: float, depth: float = 0.0) -> None:
    """A pine of three tiers, light or snow on their shoulders."""
    p = palette(e)
    top, bottom = ("e4eff6", "4f837c") if e.scene.place == "snow" else p.pine
    fir(e, x, foot, tall, e.far(top, depth), e.far(bottom, depth))


def fir(e: Easel, x: float, foot: float, tall: float, light: Array, dark: Array) -> None:
    """The pine's shape: each tier shades from ``light`` to ``dark``."""
    box = patch(e.canvas, x - tall * 0.26, foot - tall, x + tall * 0.26, foot)
    if box is None:
        return
    region, columns, rows = box
    y = np.clip((rows - (foot - tall)) / tall, 0, 1)
    tiers = np.minimum(y * 3, 2.999)
    tier = tiers - np.floor(tiers)
    half = np.where(y < 1, tall * (0.035 + (0.09 + 0.028 * tiers) * tier), 0)
    cover = np.clip((half - np.abs(columns - x)) * e.size + 0.5, 0, 1)
    shade = np.full_like(tier, 0.6) if e.plain else np.minimum(tier * 1.5, 1)
    blend(region, light + (dark - light) * shade, cover.astype(np.float32))


def bush(e: Easel, x: float, foot: float, r: float, depth: float = 0.0) -> None:
    """A low round bush."""
    light, dark = (e.far(code, depth) for code in palette(e).bush)
    heap = [(x - r * 0.9, foot - r * 0.25, r * 0.62), (x, foot - r * 0.45, r * 0.85)]
    e.cluster([*heap, (x + r * 0.95, foot - r * 0.2, r * 0.6)], light, dark, floor=foot)


def flowers(e: Easel, rng: Rng, top: float, codes: tuple[str, ...], count: int) -> None:
    """Scatter blossom or leaves on the ground, more towards the sides, larger when near."""
    x, y, s = rng.random((3, 60), dtype=np.float32)
    if not count:
        return
    side = np.where(x < 0.5, (2 * x) ** 1.4 / 2, 1 - (2 - 2 * x) ** 1.4 / 2)[:count]
    y, s = y[:count], s[:count]
    radius = np.float32(0.0045) + np.float32(0.007) * y + np.float32(0.002) * s
    height = np.float32(top) + np.float32(0.99 - top) * y
    for k, code in enumerate(codes):
        part = slice(k, None, len(codes))
        dots(e.canvas, side[part], height[part], radius[part], 1.0, e.lit(code))
        if e.scene.season != "autumn":
            dots(e.canvas, side[part], height[part], radius[part] * 0.4, 1.0, e.lit("ffc845"))


def margin(rng: Rng, reach: float = 0.3) -> float:
    """An x within ``reach`` of either edge, out of the way of things."""
    x = reach * rng.random()
    return x if rng.random() < 0.5 else 1 - x
