"""Water: lake, beach, sea, underwater."""

import numpy as np

from mezzotint.world.easel import LAND, Easel
from mezzotint.world.flora import ground, hill, margin, palette, pine, treeline
from mezzotint.world.paint import Array, blend, disc, dots, mix, patch, rgb, waves
from mezzotint.world.places.land import peak
from mezzotint.world.sky import sky

SHORE = 0.76
"""Where the lake's near bank begins."""


def lake(e: Easel) -> None:
    """A still lake between wooded hills, which mirrors them and the sky."""
    rng, p = e.rng(LAND), palette(e)
    sky(e)
    tall = 0.28 + 0.06 * rng.random()
    x = 0.3 + 0.4 * rng.random()
    peak(e, x - 0.36, 0.58, tall * 0.7, 0.3, "8a9fc6", 0.45, 0.4)
    peak(e, x + 0.34, 0.58, tall * 0.75, 0.3, "8a9fc6", 0.4, 0.4)
    peak(e, x, 0.58, tall, 0.36, "7d93bd", 0.3, 0.45)
    e.haze(0.56, 0.1, e.light.low, 0.5)
    hill(e, p.hill, 0.56, 0.05, 0.3, rng)
    treeline(e, p.woods, 0.575, 0.035, 0.12, rng, 30)
    for _ in range(7):
        pine(e, margin(rng, 0.3), 0.585, 0.1 + 0.08 * rng.random(), 0.12)
    _mirror(e, 0.585)
    ground(e, SHORE + 0.02, rng, 0.035)


def _mirror(e: Easel, level: float) -> None:
    """Still water: what stands above ``level`` upside down, bluer and darker with nearness."""
    start = round(level * e.size)
    rows = min(e.size - start, start)
    image = e.canvas[:, start - rows : start][:, ::-1]
    t = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    water = mix(e.lit("3f8fc4"), e.light.middle, 0.35)
    e.canvas[:, start : start + rows] = image + (water - image) * (0.3 + 0.45 * t)
    for k in range(5):
        y = level + 0.012 + 0.035 * k
        x = (e.scene.variant % 97 / 97 + 0.38 * k) % 1
        disc(
            e.canvas,
            x,
            y,
            0.1 + 0.03 * k,
            mix(e.light.low, rgb("ffffff"), 0.3),
            squash=0.03,
            opacity=0.55,
        )
    disc(e.canvas, 0.5, level, 0.8, mix(e.light.low, rgb("ffffff"), 0.3), squash=0.005, opacity=0.6)


def _glitter(e: Easel, rng: np.random.Generator, top: float, bottom: float, count: int) -> None:
    """Glints on water: a path of them under a low sun or the moon, a few elsewhere."""
    low = e.scene.weather == "clear" and e.scene.hour != "day"
    colour = mix(e.light.sun, rgb("ffffff"), 0.25) if low else mix(e.light.low, rgb("ffffff"), 0.4)
    for k in range(count):
        t = (k + rng.random()) / count
        y, wide = top + (bottom - top) * t, 0.02 + 0.045 * rng.random() + 0.02 * t
        x = rng.random()
        if low and k % 3:
            x = e.sun_x + (x - 0.5) * (0.08 + 0.16 * t)
        disc(e.canvas, x, y, wide, colour, squash=0.09, opacity=0.75)


def beach(e: Easel) -> None:
    """Sand in front of a bright sea, a headland far away, foam on the shore."""
    rng = e.rng(LAND)
    sky(e)
    x = 0.02 if rng.random() < 0.5 else 0.98
    for r, dx in ((0.26, 0.0), (0.14, 0.2)):
        e.disc(x + (dx if x < 0.5 else -dx), 0.565, r, e.far("7fae8a", 0.4), squash=0.42)
    e.below(e.level(0.555), e.far("2f8fd0", 0.25), e.lit("57c9d8"))
    e.below(e.level(0.62), e.far("3fb0d8", 0.08), e.lit("6fdcd8"))
    _glitter(e, rng, 0.57, 0.68, 9)
    shore = 0.705 - waves(e.x, 2, rng, 0.028, 5.0)
    e.below(shore - 0.022, e.lit("bff0ee"))
    e.below(shore - 0.012, e.lit("ffffff"))
    e.below(shore + 0.006, e.lit("e3c48a"))
    e.below(shore + 0.03, e.lit("fbe6b4"), e.lit("edca88"))
    u, v, s = rng.random((3, 12), dtype=np.float32)
    dots(e.canvas, u, 0.8 + 0.19 * v, 0.003 + 0.003 * s, 0.8, e.lit("d9b478"))


def sea(e: Easel) -> None:
    """Swell behind swell to a level horizon."""
    rng = e.rng(LAND)
    sky(e)
    e.below(e.level(0.585), e.far("3d97d3", 0.4), e.far("2f86c8", 0.1))
    _glitter(e, rng, 0.595, 0.72, 12)
    for k in range(4):
        level = 0.635 + 0.03 * k + 0.02 * k * k
        high, rate = 0.007 + 0.004 * k, 44 - 8 * k
        phase = np.float32(6.3 * rng.random())
        edge = level - np.float32(high) * np.abs(np.sin(e.x * np.float32(rate / 2) + phase))
        shade = np.float32(1 - 0.07 * k)
        if not e.paper:
            e.below(edge - 0.004, e.far("a9def2", 0.1))
        e.below(edge, e.far("3a9ada", 0.2 - 0.05 * k) * shade, e.lit("2376bd") * shade)


def underwater(e: Easel) -> None:
    """Turquoise deepening to blue, rays of light, weed and coral, a floor of sand."""
    rng = e.rng(LAND)
    top, bottom = rgb("7be3ea"), rgb("0f559c")
    e.column(top, rgb("2fa5cf"), rgb("1a78b8"), bottom)
    light = rgb("d6fbf6")
    for _ in range(4):
        _ray(e, 0.1 + 0.9 * rng.random(), 0.05 + 0.06 * rng.random(), light)
    far = mix(rgb("1d6aa5"), rgb("2a83b8"), 0.4)
    e.below(0.8 - waves(e.x, 3, rng, 0.12, 8.0), far, far)
    for k in range(7):
        code = ("2f9e78", "3cb37f", "1f8a76")[k % 3]
        _weed(e, margin(rng, 0.26), 0.2 + 0.24 * rng.random(), rgb(code))
    e.below(0.86 - waves(e.x, 2, rng, 0.03, 5.0), rgb("ecd9a2"), rgb("b79a72"))
    for _ in range(3):
        _coral(
            e,
            margin(rng, 0.2),
            0.9 + 0.05 * rng.random(),
            ("ff7f7a", "ff9fbf", "f9b25a")[int(rng.integers(3))],
        )
    x, y, r = rng.random((3, 14), dtype=np.float32)
    dots(e.canvas, x, y * np.float32(0.75), 0.006 + 0.01 * r, 0.35, light)
    dots(e.canvas, x - 0.003, y * np.float32(0.75) - 0.003, 0.002 + 0.003 * r, 0.8, rgb("ffffff"))


def _ray(e: Easel, x: float, wide: float, light: Array) -> None:
    """A slanting shaft of light that fades with depth."""
    box = patch(e.canvas, x - 0.45, 0, x + wide + 0.1, 0.75)
    if box is None:
        return
    region, columns, rows = box
    at = columns - np.float32(x) + np.float32(0.45) * rows
    inside = np.clip(
        (wide * (0.5 + rows) - np.abs(at)) / np.float32(0.025 if not e.plain else 0.004), 0, 1
    )
    blend(region, light, (inside * np.clip(0.75 - rows, 0, 1) * np.float32(0.4)).astype(np.float32))


def _weed(e: Easel, x: float, tall: float, colour: Array) -> None:
    box = patch(e.canvas, x - 0.05, 0.89 - tall, x + 0.05, 0.9)
    if box is None:
        return
    region, columns, rows = box
    bend = np.float32(x) + np.float32(0.02) * np.sin(rows * 22 + np.float32(x * 40))
    half = np.float32(0.016) * np.clip((rows - (0.89 - tall)) * 6, 0, 1)
    shade = colour * (1 - np.float32(0.35) * np.clip((rows - 0.6) * 3, 0, 1))
    blend(region, shade, np.clip((half - np.abs(columns - bend)) * e.size + 0.5, 0, 1))


def _coral(e: Easel, x: float, foot: float, code: str) -> None:
    heap = [
        (x + dx, foot - dy, r)
        for dx, dy, r in ((-0.04, 0.03, 0.03), (0.0, 0.055, 0.036), (0.042, 0.028, 0.03))
    ]
    e.cluster(heap, rgb(code), rgb(code) * np.float32(0.7), floor=foot)
