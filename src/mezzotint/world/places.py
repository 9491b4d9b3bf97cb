"""The places: each paints its backdrop on an easel."""

from collections.abc import Callable

import numpy as np

from mezzotint.world.paint import Array, axis, below, blend, disc, dots, gradient, rgb, teeth, waves
from mezzotint.world.scene import Colour, Hour, Place
from mezzotint.world.sky import Easel, aside, bands, sky, stars

HORIZON = 0.66

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


def _hills(e: Easel, code: str, level: float, height: float, depth: float) -> None:
    top = e.far(code, depth)
    below(e.canvas, level - waves(e.x, 3, e.rng, height, 5.0), top, e.shade(top, 0.9))


def _snow(e: Easel) -> None:
    sky(e)
    _hills(e, "c9dcf2", HORIZON - 0.08, 0.1, 0.35)
    _pines(e, HORIZON + 0.01, 6, "3f7367", 0.08)
    ground = e.lit("f6fbff")
    below(e.canvas, HORIZON - waves(e.x, 2, e.rng, 0.04, 4.0), ground, e.lit("d3e4f7"))


def _pines(e: Easel, foot: float, count: int, code: str, depth: float) -> None:
    """Pines along both sides, leaving the middle free for things."""
    for _ in range(count):
        side = e.rng.random() * 0.3
        x = side if e.rng.random() < 0.5 else 1 - side
        tall = 0.2 + 0.16 * e.rng.random()
        colour = e.far(code, depth + 0.15 * e.rng.random())
        _pine(e, x, foot, tall, colour)


def _pine(e: Easel, x: float, foot: float, tall: float, colour: Array) -> None:
    size = e.canvas.shape[-1]
    left, right = max(0, int((x - tall * 0.3) * size)), min(size, int((x + tall * 0.3) * size) + 1)
    top, end = max(0, int((foot - tall) * size)), min(size, int(foot * size) + 1)
    if left >= right:
        return
    dx = np.abs(axis(size)[left:right] - x)
    y = (axis(size)[top:end, None] - (foot - tall)) / tall
    y = np.maximum(y, 0)
    tier = y * 3 - np.floor(np.minimum(y * 3, 2.99))
    half = tall * (0.09 + 0.05 * np.minimum(y * 3, 3)) * tier
    blend(e.canvas[:, top:end, left:right], colour, np.clip((half - dx) * size + 0.5, 0, 1))


def _forest(e: Easel) -> None:
    sky(e)
    below(e.canvas, 0.44 - waves(e.x, 4, e.rng, 0.09, 11.0), e.far("5f9c72", 0.35))
    for k in range(9):
        x = (k + e.rng.random()) / 9
        _pine(e, x, 0.7, 0.36 + 0.12 * e.rng.random(), e.far("3d8255", 0.22 * e.rng.random()))
    side = -0.02 + 0.1 * e.rng.random()
    _pine(e, side, 0.78, 0.68, e.lit("23593c"))
    _pine(e, 1 - side, 0.78, 0.62 + 0.08 * e.rng.random(), e.lit("23593c"))
    ground = e.lit("6fae5a")
    below(e.canvas, 0.7 - waves(e.x, 2, e.rng, 0.03, 5.0), ground, e.shade(ground, 0.78))


def _meadow(e: Easel) -> None:
    sky(e)
    _hills(e, "9fd17c", 0.55, 0.12, 0.3)
    ground = e.lit("86cf5b")
    edge = HORIZON - waves(e.x, 2, e.rng, 0.05, 4.0)
    below(e.canvas, edge, ground, e.lit("5fae46"))
    x, y, s = e.rng.random((3, 26), dtype=np.float32)
    for k, code in enumerate(("fff3a8", "ff9fc0", "ffffff")):
        part = slice(k, None, 3)
        radius = 0.007 + 0.004 * s[part]
        dots(e.canvas, x[part], 0.72 + 0.27 * y[part], radius, 1.0, e.lit(code))


def _beach(e: Easel) -> None:
    sky(e)
    sea = e.lit("3fa7d6") if e.scene.hour == "day" else e.far("3f86c9", 0.15)
    below(e.canvas, e.level(0.54), sea, e.lit("63cfe0"))
    _glints(e, 0.56, 0.68, 7)
    shore = 0.71 - waves(e.x, 2, e.rng, 0.03, 5.0)
    below(e.canvas, shore - 0.016, e.lit("ffffff"))
    below(e.canvas, shore + 0.008, e.lit("f8dfa4"), e.lit("e7c07c"))


def _glints(e: Easel, top: float, bottom: float, count: int) -> None:
    for _ in range(count):
        x, y = e.rng.random(), top + (bottom - top) * e.rng.random()
        wide = 0.03 + 0.05 * e.rng.random()
        disc(e.canvas, x, y, wide, e.light.low, squash=0.1, opacity=0.7)


def _desert(e: Easel) -> None:
    sky(e)
    _hills(e, "e8a864", 0.58, 0.1, 0.25)
    middle = e.lit("eeb76b")
    below(e.canvas, 0.66 - waves(e.x, 1, e.rng, 0.1, 6.0), middle, e.shade(middle, 0.9))
    ground = e.lit("f7cf8a")
    below(e.canvas, 0.74 - waves(e.x, 2, e.rng, 0.06, 4.0), ground, e.lit("dd9f5a"))


def _mountains(e: Easel) -> None:
    sky(e)
    far = [((k + e.rng.random()) / 4, 0.3, 0.2 + 0.12 * e.rng.random()) for k in range(4)]
    below(e.canvas, 0.6 - teeth(e.x, far), e.far("7f92b8", 0.5))
    shift = 0.3 * e.rng.random()
    near = [(shift + 0.55 * k, 0.34, 0.32 + 0.1 * e.rng.random()) for k in range(-1, 3)]
    outline = teeth(e.x, near)
    ragged = 0.02 * np.abs(np.sin(e.x * np.float32(42)))
    below(e.canvas, 0.62 - outline, e.lit("f7fbff"))
    below(e.canvas, np.maximum(0.62 - outline, 0.38 + ragged), e.far("64789f", 0.1))
    below(e.canvas, e.level(0.61), e.far("4f9ac4", 0.25), e.lit("6cc0da"))
    _glints(e, 0.63, 0.72, 6)
    ground = e.lit("79b35e")
    below(e.canvas, 0.75 - waves(e.x, 2, e.rng, 0.03, 5.0), ground, e.shade(ground, 0.82))


def _city(e: Easel) -> None:
    sky(e)
    _skyline(e, 0.3, 0.34, "8fa3c4", 0.35, windows=False)
    _skyline(e, 0.18, 0.34, "5b6b92", 0.05, windows=True)
    road = e.lit("8b8f9c")
    below(e.canvas, e.level(0.7), e.lit("c9ccd4"))
    below(e.canvas, e.level(0.76), road, e.shade(road, 0.85))


def _skyline(
    e: Easel, low: float, spread: float, code: str, depth: float, *, windows: bool
) -> None:
    count = 8
    cuts = np.sort(e.rng.random(count - 1, dtype=np.float32)) * 0.5
    cuts += np.linspace(0.06, 0.44, count - 1, dtype=np.float32)
    tall = (low + spread * e.rng.random(count, dtype=np.float32)).astype(np.float32)
    which = np.searchsorted(cuts, e.x)
    edge = 0.72 - tall[which] * 0.9
    below(e.canvas, edge, e.far(code, depth))
    if not windows:
        return
    dark = e.scene.hour != "day"
    grid, size = 21, e.canvas.shape[-1]
    on = e.rng.random((grid, grid)) < (0.62 if dark else 0.8)
    cell = (e.x * grid).astype(int)
    inner = e.x * grid - cell
    pane = (inner > 0.3) & (inner < 0.8)
    left, right = (
        np.minimum(((cell + at) / grid * size).astype(int), size - 1) for at in (0.3, 0.8)
    )
    roof = np.where(which[left] == which[right], np.maximum(edge[left], edge[right]) + 0.03, 1.0)
    rows = (e.x > 0.25) & (e.x < 0.69)
    cover = on[cell[rows, None], cell] & pane[rows, None] & pane & (e.x[rows, None] > roof)
    blend(
        e.canvas[:, rows.argmax() : rows.argmax() + rows.sum()],
        rgb("ffe08a" if dark else "dcecff"),
        cover * np.float32(0.75),
    )


def _sea(e: Easel) -> None:
    sky(e)
    below(e.canvas, e.level(0.58), e.far("2f86c8", 0.2), e.lit("1f6cb4"))
    _glints(e, 0.6, 0.74, 9)
    below(e.canvas, _swell(e.x, 0.76, e), e.lit("2b82c9"), e.lit("1b5ea6"))


def _swell(x: Array, level: float, e: Easel) -> Array:
    phase = np.float32(e.scene.variant % 628 / 100)
    return level - 0.012 * np.abs(np.sin(x * np.float32(17) + phase))


def sea_front(e: Easel) -> None:
    """The wave in front of what floats."""
    edge = _swell(e.x + np.float32(0.13), 0.86, e)
    below(e.canvas, edge - 0.012, e.lit("a9dcf5"))
    below(e.canvas, edge, e.lit("2f8fd6"), e.lit("1a5aa0"))


def _underwater(e: Easel) -> None:
    tops: dict[Hour, tuple[str, str]] = {
        "day": ("5fd3e6", "1465a8"),
        "sunset": ("f0a27c", "54408c"),
        "night": ("1c3f7c", "081534"),
    }
    top, bottom = tops[e.scene.hour]
    gradient(e.canvas, rgb(top), rgb(bottom), bands(e))
    light = rgb(top) * np.float32(0.6) + np.float32(0.4)
    for _ in range(3):
        x = e.rng.random()
        disc(e.canvas, x, 0.0, 0.16, light, squash=3.2, opacity=0.3, soft=1.0)
    for _ in range(5):
        x = e.rng.random() * 0.3
        _weed(e, x if e.rng.random() < 0.5 else 1 - x, 0.18 + 0.2 * e.rng.random())
    sand = e.lit("e6cf9a") * np.float32(0.85)
    below(e.canvas, 0.86 - waves(e.x, 2, e.rng, 0.03, 5.0), sand, e.shade(sand, 0.75))
    x, y, r = e.rng.random((3, 12), dtype=np.float32)
    dots(e.canvas, x, y * np.float32(0.8), 0.007 + 0.012 * r, 0.55, light)


def _weed(e: Easel, x: float, tall: float) -> None:
    size = e.canvas.shape[-1]
    top = int((0.88 - tall) * size)
    y = axis(size)[top : int(0.9 * size), None]
    bend = x + 0.018 * np.sin(y * 26 + x * 40)
    half = 0.016 * np.minimum(1, (y - y[0]) * 8)
    cover = np.clip((half - np.abs(axis(size) - bend)) * size + 0.5, 0, 1)
    blend(e.canvas[:, top : int(0.9 * size)], e.lit("3fa36a"), cover)


def _space(e: Easel) -> None:
    gradient(e.canvas, rgb("0d0b26"), rgb("1d1546"), bands(e))
    for code in ("5b2a86", "1d4f8c"):
        x, y = e.rng.random(), e.rng.random()
        disc(e.canvas, x, y, 0.5, rgb(code), opacity=0.4, soft=1.0)
    stars(e, 70, 1.0)
    x, y = aside(e), 0.14 + 0.1 * e.rng.random()
    code = ("e58a5a", "6fb7c9", "c98ad9", "d9b26a")[int(e.rng.integers(4))]
    r = 0.07 + 0.05 * e.rng.random()
    disc(e.canvas, x, y, r, rgb(code))
    disc(
        e.canvas, x - r * 0.25, y - r * 0.25, r * 0.7, rgb(code) * 0.7 + 0.3, soft=1.0, opacity=0.7
    )
    if e.rng.random() < 0.5:
        disc(e.canvas, x, y, r * 1.7, rgb("f3e3c0"), squash=0.16, opacity=0.75)


def _plain(e: Easel) -> None:
    assert e.scene.background is not None
    colour = BACKGROUNDS[e.scene.background]
    light = np.minimum(colour * np.float32(1.06) + np.float32(0.02), 1)
    gradient(e.canvas, light, e.shade(colour, 0.93))


PAINTERS: dict[Place, Callable[[Easel], None]] = {
    "snow": _snow,
    "forest": _forest,
    "meadow": _meadow,
    "beach": _beach,
    "desert": _desert,
    "mountains": _mountains,
    "city": _city,
    "sea": _sea,
    "underwater": _underwater,
    "space": _space,
    "plain": _plain,
}
