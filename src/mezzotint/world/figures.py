"""Things laid on the easel, far to near: shadow, halo, the art in the hour's light, the hat."""

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFilter

from mezzotint.errors import choose
from mezzotint.world.easel import Easel
from mezzotint.world.layout import WATERLINE, footing, hat_spot
from mezzotint.world.paint import Array, axis, disc, mix, rgb
from mezzotint.world.scene import Scene, Spot, Thing
from mezzotint.world.sprites import Sprite, look, sprite
from mezzotint.world.things import KINDS

Region = tuple[slice, slice]
"""Rows and columns."""

FOAM = 0.006  # half the height of the line where water meets a hull


def lay_things(e: Easel) -> None:
    """Lay all drawings of the scene on the easel."""
    for thing, spot, on_top in drawings(e.scene):
        choose("object", thing.name, KINDS)
        item = _sprite(e, thing, spot)
        how = footing(thing.name, e.scene.place)
        if e.scene.style not in ("flat", "paper"):
            _halo(e, spot, item)
        if how == "stands" and e.scene.place != "sea":
            _shadow(e, spot, item, on_top)
        _lay(e, spot, item, waterline(e.scene, thing, spot, on_top))
        if thing.hat is not None:
            seat = hat_spot(thing, spot)
            hat = Thing(thing.hat, thing.size, None, None, (seat,))
            _lay(e, seat, _sprite(e, hat, seat), None)


def drawings(scene: Scene) -> Iterator[tuple[Thing, Spot, bool]]:
    """Every drawing from the farthest to the nearest, and whether it stands on another."""
    if scene.relation in ("on", "in front") and len(scene.things) == 2:
        first, second = scene.things
        yield from ((second, spot, False) for spot in second.spots)
        yield from ((first, spot, scene.relation == "on") for spot in first.spots)
        return
    pairs = [(thing, spot) for thing in scene.things for spot in thing.spots]
    yield from ((thing, spot, False) for thing, spot in sorted(pairs, key=lambda pair: pair[1].y))


def waterline(scene: Scene, thing: Thing, spot: Spot, on_top: bool) -> float | None:
    """Where the water cuts a drawing that is afloat; None for what is not, or hardly wet."""
    line = WATERLINE.get(scene.place, 1.0)
    afloat = footing(thing.name, scene.place) == "afloat" and not on_top
    return line if afloat and spot.y > line + 0.02 else None


def lying(spot: Spot, item: Sprite, size: int) -> tuple[Region, Region] | None:
    """The region of a canvas that a sprite lies on, and what of the sprite that is, if any."""
    height, width = item.alpha.shape
    top, left = round(spot.y * size) - height, round(spot.x * size - width / 2)
    y0, y1 = max(0, top), min(size, top + height)
    x0, x1 = max(0, left), min(size, left + width)
    if y0 >= y1 or x0 >= x1:
        return None
    inner = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    return (slice(y0, y1), slice(x0, x1)), inner


def dry(where: Region, water: float, size: int) -> Array:
    """What of a region is above the water's rippled line."""
    rows, columns = where
    edge = np.float32(water) + np.float32(0.004) * np.sin(axis(size)[columns] * 80)
    return np.clip((edge - axis(size)[rows, None]) * size + 0.5, 0, 1)


def _sprite(e: Easel, thing: Thing, spot: Spot) -> Sprite:
    height = max(2, round(spot.height * e.size))
    return sprite(thing.name, look(e.scene.style), thing.colour, height)


def _halo(e: Easel, spot: Spot, item: Sprite) -> None:
    """A breath of light behind a dark thing, of shade behind a light one, where it would drown."""
    y = spot.y - spot.height / 2
    row = min(e.size - 1, max(0, int(y * e.size)))
    reach = item.aspect * spot.height / 2
    left, right = (int(np.clip(x, 0, 0.99) * e.size) for x in (spot.x - reach, spot.x + reach))
    around = e.canvas[:, row, left : right + 1].mean(axis=1)
    if abs(float(around.mean()) - item.luma * float(e.light.things.mean())) > 0.22:
        return
    if item.luma < 0.5:
        tone, opacity = mix(around[:, None, None], rgb("ffffff"), 0.6), 0.36
    else:
        tone, opacity = around[:, None, None] * np.float32(0.55), 0.24
    wide = max(item.aspect, 0.7)
    disc(
        e.canvas, spot.x, y, wide * spot.height * 0.66, tone,
        squash=1 / wide, opacity=opacity, soft=0.8,
    )  # fmt: skip


def _shadow(e: Easel, spot: Spot, item: Sprite, on_top: bool) -> None:
    """Where it touches the ground, and aside where the sun is low; on a thing, only over it."""
    centre, half = item.foot
    wide = spot.height * item.aspect
    x, radius = spot.x + (centre - 0.5) * wide, max(half, 0.16) * wide * 1.1
    away = -1 if e.sun_x > 0.5 else 1
    soft, opacity = (0.0, 0.3) if e.plain else (0.75, 0.62)
    squash, y = min(0.2, 0.055 / max(radius, 1e-3)), spot.y - 0.006
    keep = None
    if on_top:
        keep, opacity = e.canvas.copy(), opacity * 0.7
    elif e.light.slant and not e.plain:
        long = radius * (1 + 0.6 * abs(e.light.slant))
        aside = x + away * radius * e.light.slant * 1.3
        disc(e.canvas, aside, y, long, e.light.shade, squash=squash * 0.8, opacity=0.4, soft=0.8)
    disc(e.canvas, x, y, radius, e.light.shade, squash=squash, opacity=opacity, soft=soft)
    if keep is not None:
        e.canvas[:] = keep + (e.canvas - keep) * e.cover


def _lay(e: Easel, spot: Spot, item: Sprite, water: float | None) -> None:
    """Composite the sprite over the canvas; what is under water or off the canvas is cut."""
    laid = lying(spot, item, e.size)
    if laid is None:
        return
    where, inner = laid
    size, (y0, x0) = e.size, (where[0].start, where[1].start)
    colour, alpha = item.colour[:, *inner], item.alpha[inner]
    if water is not None:
        above = dry(where, water, size)
        _mirror(e, colour, alpha, (y0, x0), water)
        colour, alpha = colour * above, alpha * above
    if e.paper:
        _cut_out(e, alpha, (y0, x0))
    region = e.canvas[:, *where]
    region *= 1 - alpha
    region += colour * e.light.things
    cover = e.cover[where]
    np.maximum(cover, alpha, out=cover)
    if water is not None:
        wet = np.flatnonzero(alpha[max(0, int(water * size) - y0 - 2)] > 0.3)
        if wet.size:
            middle, half = (wet[0] + wet[-1]) / 2 + x0, (wet[-1] - wet[0]) / 2
            foam = mix(e.light.low, rgb("ffffff"), 0.5)
            r = float(half) / size * 1.12 + 0.01
            disc(e.canvas, float(middle) / size, water, r, foam, squash=FOAM / r, opacity=0.8)


def _mirror(e: Easel, colour: Array, alpha: Array, corner: tuple[int, int], water: float) -> None:
    """The sprite upside down in the water, fading."""
    y0, x0 = corner
    line = round(water * e.size)
    rows = min(line - y0, e.size - line, alpha.shape[0])
    if rows <= 0:
        return
    part = slice(line - y0 - rows, line - y0)
    fade = (np.clip(1 - np.arange(rows, dtype=np.float32) / (0.16 * e.size), 0, 1) * 0.42)[:, None]
    region = e.canvas[:, line : line + rows, x0 : x0 + alpha.shape[1]]
    region *= 1 - alpha[part][::-1] * fade
    region += colour[:, part][:, ::-1] * e.light.things * e.light.land * np.float32(0.8) * fade


def _cut_out(e: Easel, alpha: Array, corner: tuple[int, int]) -> None:
    """The shadow of a thing cut out of paper, and the paper's white rim around it."""
    size = e.size
    y0, x0 = corner
    rim, fall = max(1, round(size * 0.008)), round(size * 0.014)
    pad = rim + fall
    wide = np.pad(alpha, pad)
    grown = _grown(wide, rim)
    shade = np.roll(grown, (fall, max(1, fall // 2)), (0, 1))
    shade = _grown(shade, 0) * np.float32(0.4)
    top, left = y0 - pad, x0 - pad
    a, b = max(0, top), min(size, top + wide.shape[0])
    c, d = max(0, left), min(size, left + wide.shape[1])
    inner = slice(a - top, b - top), slice(c - left, d - left)
    region = e.canvas[:, a:b, c:d]
    region += (e.light.shade - region) * shade[inner]
    region += (rgb("fffdf8") * e.light.things - region) * grown[inner]


def _grown(alpha: Array, by: int) -> Array:
    """A mask grown by about ``by`` pixels, with round corners; 0 softens it a little."""
    image = Image.fromarray((alpha.clip(0, 1) * 255).astype(np.uint8))
    if by == 0:
        soft = image.filter(ImageFilter.BoxBlur(alpha.shape[0] / 60))
        return np.asarray(soft, np.float32) / 255
    blurred = np.asarray(image.filter(ImageFilter.BoxBlur(by)), np.float32) / 255
    return np.clip(blurred * 5 - 0.4, 0, 1).astype(np.float32)
