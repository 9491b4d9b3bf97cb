"""A scene's picture."""

import numpy as np
from numpy.typing import NDArray

from mezzotint.errors import InputError, choose
from mezzotint.world import styles
from mezzotint.world.paint import disc, dots, rgb
from mezzotint.world.places import PAINTERS, sea_front
from mezzotint.world.scene import Place, Scene, Thing
from mezzotint.world.sky import LIGHTS, Easel
from mezzotint.world.sprites import Sprite, look, sprite
from mezzotint.world.things import KINDS, Habitat

SMALLEST, LARGEST = 16, 1024


def render(scene: Scene, size: int = 128) -> NDArray[np.uint8]:
    """The picture of a scene, ``(size, size, 3)`` uint8 RGB; a pure function of its arguments.

    Raises:
        InputError: ``size`` is not between 16 and 1024 pixels, or the art cannot be fetched.
    """
    if not SMALLEST <= size <= LARGEST:
        raise InputError(f"size {size} is not between {SMALLEST} and {LARGEST} pixels")
    canvas = np.zeros((3, size, size), np.float32)
    light = LIGHTS["day" if scene.place == "plain" else scene.hour]
    rng = np.random.Generator(np.random.PCG64(scene.variant))
    easel = Easel(canvas, rng, scene, light)
    PAINTERS[scene.place](easel)
    for thing in scene.things:
        _place(easel, thing)
    if scene.place == "sea":
        sea_front(easel)
    _fall(easel)
    if scene.style == "ink":
        canvas = styles.ink(canvas)
    elif scene.style == "neon":
        canvas = styles.neon(canvas)
    return styles.pixels(canvas)


def _place(e: Easel, thing: Thing) -> None:
    """Lay a thing on the canvas: its halo, its contact shadow, then itself in the hour's light."""
    kind = choose("object", thing.name, KINDS)
    height = max(2, round(thing.height * e.canvas.shape[-1]))
    item = sprite(thing.name, look(e.scene.style), thing.colour, height)
    if e.scene.style != "flat":
        _halo(e, thing, item)
    if _stands(e.scene.place, kind.habitat):
        _shadow(e, thing, item)
    _lay(e, thing, item)


def _stands(place: Place, habitat: Habitat) -> bool:
    """Whether a thing touches ground that can take its shadow."""
    if place in ("sea", "space") or habitat == "air":
        return False
    return not (place == "underwater" and habitat == "water")


def _halo(e: Easel, thing: Thing, item: Sprite) -> None:
    """A breath of light behind a dark thing, of shade behind a light one, where it would drown."""
    y = thing.y - thing.height / 2
    size = e.canvas.shape[-1]
    row = min(size - 1, max(0, int(y * size)))
    strip = np.ascontiguousarray(e.canvas[:, row].T)
    if abs(float(strip.mean()) - item.luma) > 0.25:
        return
    if item.luma < 0.5:
        tone, opacity = rgb("ffffff"), 0.4
    else:
        tone, opacity = strip.mean(axis=0)[:, None, None] * np.float32(0.35), 0.2
    wide = max(item.aspect, 0.7)
    radius = wide * thing.height * 0.68
    disc(e.canvas, thing.x, y, radius, tone, squash=1 / wide, opacity=opacity, soft=0.8)


def _shadow(e: Easel, thing: Thing, item: Sprite) -> None:
    centre, half = item.foot
    x = thing.x + (centre - 0.5) * thing.height * item.aspect
    radius = max(half, 0.18) * thing.height * item.aspect * 1.12
    soft, opacity = (0.0, 0.25) if e.scene.style == "flat" else (0.8, 0.6)
    tone = e.light.land * rgb("2a2440") * np.float32(0.6)
    disc(e.canvas, x, thing.y - 0.006, radius, tone, squash=0.18, opacity=opacity, soft=soft)


def _lay(e: Easel, thing: Thing, item: Sprite) -> None:
    """Composite the sprite over the canvas; what reaches beyond the canvas is cut."""
    size, (height, width) = e.canvas.shape[-1], item.alpha.shape
    top, left = round(thing.y * size) - height, round(thing.x * size - width / 2)
    y0, y1 = max(0, top), min(size, top + height)
    x0, x1 = max(0, left), min(size, left + width)
    inner = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    patch = e.canvas[:, y0:y1, x0:x1]
    patch *= 1 - item.alpha[inner]
    patch += item.colour[:, *inner] * e.light.things


def _fall(e: Easel) -> None:
    """What falls from the sky, over everything."""
    size = e.canvas.shape[-1]
    if e.scene.weather == "snowfall":
        x, y, r = e.rng.random((3, 46), dtype=np.float32)
        dots(e.canvas, x, y, 0.006 + 0.008 * r, 0.9, rgb("ffffff"))
    elif e.scene.weather == "rain":
        long = max(3, round(0.07 * size))
        slant = np.arange(long) // 3
        down = np.arange(long)
        drops = (e.rng.random((60, 2)) * size).astype(int)
        ys = (drops[:, :1] + down).clip(0, size - 1)
        xs = (drops[:, 1:] - slant) % size
        e.canvas[:, ys, xs] += (rgb("dcebff") - e.canvas[:, ys, xs]) * np.float32(0.6)
