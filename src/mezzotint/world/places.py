"""The places: each paints its backdrop on a canvas, and says where things stand in it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mezzotint.world.paint import Array, axis, below, blend, disc, dots, gradient, rgb, teeth, waves
from mezzotint.world.scene import Colour, Hour, Place, Scene

HORIZON = 0.66


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


@dataclass(frozen=True)
class Brush:
    """What a place paints with: the canvas, the accident of this scene, its light, its style."""

    canvas: Array
    rng: np.random.Generator
    scene: Scene
    light: Light

    @property
    def x(self) -> Array:
        """Columns of the canvas as fractions."""
        return axis(self.canvas.shape[-1])

    def lit(self, code: str) -> Array:
        """A land colour in this hour's light."""
        return rgb(code) * self.light.land

    def far(self, code: str, depth: float) -> Array:
        """A land colour seen through ``depth`` (0 to 1) of this hour's air."""
        return self.lit(code) * np.float32(1 - depth) + self.light.low * np.float32(depth)

    def shade(self, colour: Array, factor: float) -> Array:
        """The colour a ground fades to; flat art does not fade."""
        return colour if self.scene.style == "flat" else colour * np.float32(factor)


def _sky(b: Brush) -> None:
    clear = b.scene.weather == "clear"
    high, low = b.light.high, b.light.low
    if not clear:
        grey = np.float32((float(high.mean()) + float(low.mean())) / 2)
        high, low = (c * np.float32(0.45) + grey * np.float32(0.5) for c in (high, low))
    gradient(b.canvas[:, : int(b.canvas.shape[-1] * 0.75)], high, low, _bands(b))
    b.canvas[:, int(b.canvas.shape[-1] * 0.75) :] = low
    if not clear:
        _clouds(b, 4, 0.75)
    elif b.scene.hour == "day":
        _day_sky(b)
    elif b.scene.hour == "sunset":
        _setting_sun(b)
    else:
        _night_sky(b)


def _bands(b: Brush) -> int:
    return 5 if b.scene.style == "flat" else 0


def _side(b: Brush) -> float:
    """An x near either edge, where the sky is seldom covered."""
    x = 0.1 + 0.14 * b.rng.random()
    return x if b.rng.random() < 0.5 else 1 - x


def _clouds(b: Brush, count: int, opacity: float) -> None:
    colour = b.light.low * np.float32(0.35) + rgb("ffffff") * np.float32(0.65) * b.light.land
    for _ in range(count):
        x, y, r = b.rng.random(), 0.06 + 0.26 * b.rng.random(), 0.05 + 0.03 * b.rng.random()
        for dx, dr in ((-1.2, 0.75), (0.0, 1.15), (1.2, 0.8)):
            disc(
                b.canvas, x + dx * r, y - dr * r * 0.3, r * dr, colour, squash=0.6, opacity=opacity
            )


def _day_sky(b: Brush) -> None:
    x, y = _side(b), 0.1 + 0.08 * b.rng.random()
    disc(b.canvas, x, y, 0.16, rgb("fff6c8"), opacity=0.6, soft=1.0)
    disc(b.canvas, x, y, 0.065, rgb("ffd94a"))
    _clouds(b, 2, 0.9)


def _setting_sun(b: Brush) -> None:
    x, y = _side(b), 0.5 + 0.06 * b.rng.random()
    disc(b.canvas, x, y, 0.34, rgb("ffd27a"), opacity=0.65, soft=1.0)
    disc(b.canvas, x, y, 0.1, rgb("fff0b0"))
    colour = rgb("e9798a")
    for _ in range(3):
        x, y = b.rng.random(), 0.14 + 0.26 * b.rng.random()
        disc(b.canvas, x, y, 0.1 + 0.12 * b.rng.random(), colour, squash=0.14, opacity=0.75)


def _stars(b: Brush, count: int, depth: float) -> None:
    count = count // 3 if b.scene.style == "ink" else count
    x, y, s = b.rng.random((3, count), dtype=np.float32)
    radius = np.where(s > 0.82, 0.008, 0.0045).astype(np.float32)
    dots(b.canvas, x, y * np.float32(depth), radius, 0.5 + 0.5 * s, rgb("fff8e0"))


def _night_sky(b: Brush) -> None:
    _stars(b, 45, 0.6)
    x, y = _side(b), 0.12 + 0.08 * b.rng.random()
    disc(b.canvas, x, y, 0.19, rgb("aab6f0"), opacity=0.4, soft=1.0)
    disc(b.canvas, x, y, 0.075, rgb("fdf3c9"))
    disc(b.canvas, x - 0.025, y - 0.015, 0.018, rgb("e9dcae"))
    disc(b.canvas, x + 0.022, y + 0.028, 0.013, rgb("e9dcae"))


def _hills(b: Brush, code: str, level: float, height: float, depth: float) -> None:
    top = b.far(code, depth)
    below(b.canvas, level - waves(b.x, 3, b.rng, height, 5.0), top, b.shade(top, 0.9))


def _snow(b: Brush) -> None:
    _sky(b)
    _hills(b, "c9dcf2", HORIZON - 0.08, 0.1, 0.35)
    _pines(b, HORIZON + 0.01, 6, "3f7367", 0.08)
    ground = b.lit("f6fbff")
    below(
        b.canvas, HORIZON - waves(b.x, 2, b.rng, 0.04, 4.0), ground, b.shade(b.lit("d3e4f7"), 1.0)
    )


def _pines(b: Brush, foot: float, count: int, code: str, depth: float) -> None:
    """Pines along both sides, leaving the middle free for things."""
    for _ in range(count):
        side = b.rng.random() * 0.3
        x = side if b.rng.random() < 0.5 else 1 - side
        tall = 0.2 + 0.16 * b.rng.random()
        colour = b.far(code, depth + 0.15 * b.rng.random())
        _pine(b, x, foot, tall, colour)


def _pine(b: Brush, x: float, foot: float, tall: float, colour: Array) -> None:
    size = b.canvas.shape[-1]
    left, right = max(0, int((x - tall * 0.3) * size)), min(size, int((x + tall * 0.3) * size) + 1)
    top, end = max(0, int((foot - tall) * size)), min(size, int(foot * size) + 1)
    if left >= right:
        return
    dx = np.abs(axis(size)[left:right] - x)
    y = (axis(size)[top:end, None] - (foot - tall)) / tall
    y = np.maximum(y, 0)
    tier = y * 3 - np.floor(np.minimum(y * 3, 2.99))
    half = tall * (0.09 + 0.05 * np.minimum(y * 3, 3)) * tier
    blend(b.canvas[:, top:end, left:right], colour, np.clip((half - dx) * size + 0.5, 0, 1))


def _forest(b: Brush) -> None:
    _sky(b)
    below(b.canvas, 0.44 - waves(b.x, 4, b.rng, 0.09, 11.0), b.far("5f9c72", 0.35))
    for k in range(9):
        x = (k + b.rng.random()) / 9
        _pine(b, x, 0.7, 0.36 + 0.12 * b.rng.random(), b.far("3d8255", 0.22 * b.rng.random()))
    side = -0.02 + 0.1 * b.rng.random()
    _pine(b, side, 0.78, 0.68, b.lit("23593c"))
    _pine(b, 1 - side, 0.78, 0.62 + 0.08 * b.rng.random(), b.lit("23593c"))
    ground = b.lit("6fae5a")
    below(b.canvas, 0.7 - waves(b.x, 2, b.rng, 0.03, 5.0), ground, b.shade(ground, 0.78))


def _meadow(b: Brush) -> None:
    _sky(b)
    _hills(b, "9fd17c", 0.55, 0.12, 0.3)
    ground = b.lit("86cf5b")
    edge = HORIZON - waves(b.x, 2, b.rng, 0.05, 4.0)
    below(b.canvas, edge, ground, b.shade(b.lit("5fae46"), 1.0))
    x, y, s = b.rng.random((3, 26), dtype=np.float32)
    for k, code in enumerate(("fff3a8", "ff9fc0", "ffffff")):
        part = slice(k, None, 3)
        radius = 0.007 + 0.004 * s[part]
        dots(b.canvas, x[part], 0.72 + 0.27 * y[part], radius, 0 * radius + 1, b.lit(code))


def _beach(b: Brush) -> None:
    _sky(b)
    sea = b.lit("3fa7d6") if b.scene.hour == "day" else b.far("3f86c9", 0.15)
    below(b.canvas, 0 * b.x + 0.54, sea, b.shade(b.lit("63cfe0"), 1.0))
    _glints(b, 0.56, 0.68, 7)
    shore = 0.71 - waves(b.x, 2, b.rng, 0.03, 5.0)
    below(b.canvas, shore - 0.016, b.lit("ffffff"))
    below(b.canvas, shore + 0.008, b.lit("f8dfa4"), b.shade(b.lit("e7c07c"), 1.0))


def _glints(b: Brush, top: float, bottom: float, count: int) -> None:
    for _ in range(count):
        x, y = b.rng.random(), top + (bottom - top) * b.rng.random()
        wide = 0.03 + 0.05 * b.rng.random()
        disc(b.canvas, x, y, wide, b.light.low, squash=0.1, opacity=0.7)


def _desert(b: Brush) -> None:
    _sky(b)
    _hills(b, "e8a864", 0.58, 0.1, 0.25)
    middle = b.lit("eeb76b")
    below(b.canvas, 0.66 - waves(b.x, 1, b.rng, 0.1, 6.0), middle, b.shade(middle, 0.9))
    ground = b.lit("f7cf8a")
    below(b.canvas, 0.74 - waves(b.x, 2, b.rng, 0.06, 4.0), ground, b.shade(b.lit("dd9f5a"), 1.0))


def _mountains(b: Brush) -> None:
    _sky(b)
    far = [((k + b.rng.random()) / 4, 0.3, 0.2 + 0.12 * b.rng.random()) for k in range(4)]
    below(b.canvas, 0.6 - teeth(b.x, far), b.far("7f92b8", 0.5))
    shift = 0.3 * b.rng.random()
    near = [(shift + 0.55 * k, 0.34, 0.32 + 0.1 * b.rng.random()) for k in range(-1, 3)]
    outline = teeth(b.x, near)
    ragged = 0.02 * np.abs(np.sin(b.x * np.float32(42)))
    below(b.canvas, 0.62 - outline, b.lit("f7fbff"))
    below(b.canvas, np.maximum(0.62 - outline, 0.38 + ragged), b.far("64789f", 0.1))
    below(b.canvas, 0 * b.x + 0.61, b.far("4f9ac4", 0.25), b.shade(b.lit("6cc0da"), 1.0))
    _glints(b, 0.63, 0.72, 6)
    ground = b.lit("79b35e")
    below(b.canvas, 0.75 - waves(b.x, 2, b.rng, 0.03, 5.0), ground, b.shade(ground, 0.82))


def _city(b: Brush) -> None:
    _sky(b)
    _skyline(b, 0.3, 0.34, "8fa3c4", 0.35, windows=False)
    _skyline(b, 0.18, 0.34, "5b6b92", 0.05, windows=True)
    road = b.lit("8b8f9c")
    below(b.canvas, 0 * b.x + 0.7, b.lit("c9ccd4"))
    below(b.canvas, 0 * b.x + 0.76, road, b.shade(road, 0.85))


def _skyline(
    b: Brush, low: float, spread: float, code: str, depth: float, *, windows: bool
) -> None:
    count = 8
    cuts = np.sort(b.rng.random(count - 1, dtype=np.float32)) * 0.5
    cuts += np.linspace(0.06, 0.44, count - 1, dtype=np.float32)
    tall = (low + spread * b.rng.random(count, dtype=np.float32)).astype(np.float32)
    which = np.searchsorted(cuts, b.x)
    edge = 0.72 - tall[which] * 0.9
    below(b.canvas, edge, b.far(code, depth))
    if not windows:
        return
    dark = b.scene.hour != "day"
    grid, size = 21, b.canvas.shape[-1]
    on = b.rng.random((grid, grid)) < (0.62 if dark else 0.8)
    cell = (b.x * grid).astype(int)
    inner = b.x * grid - cell
    pane = (inner > 0.3) & (inner < 0.8)
    left, right = (
        np.minimum(((cell + at) / grid * size).astype(int), size - 1) for at in (0.3, 0.8)
    )
    roof = np.where(which[left] == which[right], np.maximum(edge[left], edge[right]) + 0.03, 1.0)
    rows = (b.x > 0.25) & (b.x < 0.69)
    cover = on[cell[rows, None], cell] & pane[rows, None] & pane & (b.x[rows, None] > roof)
    blend(
        b.canvas[:, rows.argmax() : rows.argmax() + rows.sum()],
        rgb("ffe08a" if dark else "dcecff"),
        cover * np.float32(0.75),
    )


def _sea(b: Brush) -> None:
    _sky(b)
    below(b.canvas, 0 * b.x + 0.58, b.far("2f86c8", 0.2), b.shade(b.lit("1f6cb4"), 1.0))
    _glints(b, 0.6, 0.74, 9)
    below(b.canvas, _swell(b.x, 0.76, b), b.lit("2b82c9"), b.shade(b.lit("1b5ea6"), 1.0))


def _swell(x: Array, level: float, b: Brush) -> Array:
    phase = np.float32(b.scene.variant % 628 / 100)
    return level - 0.012 * np.abs(np.sin(x * np.float32(17) + phase))


def sea_front(b: Brush) -> None:
    """The wave in front of what floats."""
    edge = _swell(b.x + np.float32(0.13), 0.86, b)
    below(b.canvas, edge - 0.012, b.lit("a9dcf5"))
    below(b.canvas, edge, b.lit("2f8fd6"), b.shade(b.lit("1a5aa0"), 1.0))


def _underwater(b: Brush) -> None:
    tops: dict[Hour, tuple[str, str]] = {
        "day": ("5fd3e6", "1465a8"),
        "sunset": ("f0a27c", "54408c"),
        "night": ("1c3f7c", "081534"),
    }
    top, bottom = tops[b.scene.hour]
    gradient(b.canvas, rgb(top), rgb(bottom), _bands(b))
    light = rgb(top) * np.float32(0.6) + np.float32(0.4)
    for _ in range(3):
        x = b.rng.random()
        disc(b.canvas, x, 0.0, 0.16, light, squash=3.2, opacity=0.3, soft=1.0)
    for _ in range(5):
        x = b.rng.random() * 0.3
        _weed(b, x if b.rng.random() < 0.5 else 1 - x, 0.18 + 0.2 * b.rng.random())
    sand = b.lit("e6cf9a") * np.float32(0.85)
    below(b.canvas, 0.86 - waves(b.x, 2, b.rng, 0.03, 5.0), sand, b.shade(sand, 0.75))
    x, y, r = b.rng.random((3, 12), dtype=np.float32)
    dots(b.canvas, x, y * np.float32(0.8), 0.007 + 0.012 * r, 0 * r + np.float32(0.55), light)


def _weed(b: Brush, x: float, tall: float) -> None:
    size = b.canvas.shape[-1]
    top = int((0.88 - tall) * size)
    y = axis(size)[top : int(0.9 * size), None]
    bend = x + 0.018 * np.sin(y * 26 + x * 40)
    half = 0.016 * np.minimum(1, (y - y[0]) * 8)
    cover = np.clip((half - np.abs(axis(size) - bend)) * size + 0.5, 0, 1)
    blend(b.canvas[:, top : int(0.9 * size)], b.lit("3fa36a"), cover)


def _space(b: Brush) -> None:
    gradient(b.canvas, rgb("0d0b26"), rgb("1d1546"), _bands(b))
    for code in ("5b2a86", "1d4f8c"):
        x, y = b.rng.random(), b.rng.random()
        disc(b.canvas, x, y, 0.5, rgb(code), opacity=0.4, soft=1.0)
    _stars(b, 70, 1.0)
    x, y = _side(b), 0.14 + 0.1 * b.rng.random()
    code = ("e58a5a", "6fb7c9", "c98ad9", "d9b26a")[int(b.rng.integers(4))]
    r = 0.07 + 0.05 * b.rng.random()
    disc(b.canvas, x, y, r, rgb(code))
    disc(
        b.canvas, x - r * 0.25, y - r * 0.25, r * 0.7, rgb(code) * 0.7 + 0.3, soft=1.0, opacity=0.7
    )
    if b.rng.random() < 0.5:
        disc(b.canvas, x, y, r * 1.7, rgb("f3e3c0"), squash=0.16, opacity=0.75)


def _plain(b: Brush) -> None:
    assert b.scene.background is not None
    colour = BACKGROUNDS[b.scene.background]
    light = np.minimum(colour * np.float32(1.06) + np.float32(0.02), 1)
    gradient(b.canvas, light, b.shade(colour, 0.93))


PAINTERS: dict[Place, Callable[[Brush], None]] = {
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
