"""Brushes: antialiased shapes and gradients on a float canvas, at any resolution.

A canvas is ``(3, h, h)`` float32 in [0, 1]; coordinates are fractions of its side, y downwards.
Brushes change the canvas in place and touch only the rows and columns they cover. Planes come
first because numpy is slow where the innermost axis has three elements.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Point = tuple[float, float]
Circle = tuple[float, float, float]
"""x, y and radius."""


@lru_cache(maxsize=8)
def axis(size: int) -> Array:
    """Pixel centres along a side, as fractions of it: ``(size,)``."""
    line = (np.arange(size, dtype=np.float32) + 0.5) / size
    line.setflags(write=False)
    return line


@lru_cache(maxsize=1024)
def rgb(code: str) -> Array:
    """A colour of six hexadecimal digits: ``(3, 1, 1)`` float32 in [0, 1]."""
    colour = np.frombuffer(bytes.fromhex(code), np.uint8).astype(np.float32)[:, None, None] / 255
    colour.setflags(write=False)
    return colour


def mix(a: Array, b: Array, t: float) -> Array:
    """``a`` where ``t`` is 0, ``b`` where it is 1."""
    return a * np.float32(1 - t) + b * np.float32(t)


def column(stops: Sequence[Array], t: Array) -> Array:
    """A gradient through evenly spaced colours at ``t`` ``(n,)`` in [0, 1]: ``(3, n, 1)``."""
    at = np.linspace(0, 1, len(stops))
    planes = np.stack([colour.ravel() for colour in stops], axis=1)
    return np.stack([np.interp(t, at, plane) for plane in planes])[..., None].astype(np.float32)


def blend(region: Array, colour: Array, cover: Array) -> None:
    """Lay ``colour`` over a region where ``cover`` ``(h, w)`` says how much."""
    region += (colour - region) * cover


def patch(
    canvas: Array, left: float, top: float, right: float, bottom: float
) -> tuple[Array, Array, Array] | None:
    """The part of a canvas in a box, its columns' x and its rows' y; None if it has no pixel."""
    size = canvas.shape[-1]
    x0, x1 = max(0, int(left * size) - 1), min(size, int(right * size) + 2)
    y0, y1 = max(0, int(top * size) - 1), min(size, int(bottom * size) + 2)
    if x0 >= x1 or y0 >= y1:
        return None
    line = axis(size)
    return canvas[:, y0:y1, x0:x1], line[x0:x1], line[y0:y1, None]


def below(canvas: Array, edge: Array, top: Array, bottom: Array | None = None) -> None:
    """Fill everything below a profile ``edge`` ``(w,)`` of y values, shading down to ``bottom``.

    Colours are ``(3, 1, 1)``, or ``(3, 1, w)`` where they change along the profile.
    """
    size = canvas.shape[-1]
    first = max(0, int(float(edge.min()) * size) - 1)
    full = min(size, max(first, int(float(edge.max()) * size) + 2))
    if first >= size:
        return
    y = axis(size)[first:, None]
    colour = top
    if bottom is not None:
        t = (y - y[0]) / max(float(y[-1, 0] - y[0, 0]), 1e-3)
        colour = top + (bottom - top) * t
    cover = np.clip((y[: full - first] - edge) * size + 0.5, 0, 1)
    shaded = colour if bottom is None else colour[:, : full - first]
    blend(canvas[:, first:full], shaded, cover)
    canvas[:, full:] = colour if bottom is None else colour[:, full - first :]


def above_edge(canvas: Array, edge: Array, reach: float, colour: Array, opacity: float) -> None:
    """A soft band of ``colour`` that ends on a profile: the shadow of what is cut along it."""
    size = canvas.shape[-1]
    first = max(0, int((float(edge.min()) - reach) * size))
    last = min(size, int(float(edge.max()) * size) + 2)
    if first < last:
        y = axis(size)[first:last, None]
        fade = np.clip(1 - (edge - y) / reach, 0, 1)
        blend(canvas[:, first:last], colour, fade * fade * np.float32(opacity))


def band(canvas: Array, centre: float, spread: float, colour: Array, opacity: float) -> None:
    """A level band of haze, fading to nothing ``spread`` above and below its centre."""
    size = canvas.shape[-1]
    first = max(0, int((centre - spread) * size))
    last = min(size, int((centre + spread) * size) + 1)
    if first < last:
        near = np.clip(1 - np.abs(axis(size)[first:last, None] - centre) / spread, 0, 1)
        blend(canvas[:, first:last], colour, near * near * (3 - 2 * near) * np.float32(opacity))


def disc(
    canvas: Array,
    x: float,
    y: float,
    radius: float,
    colour: Array,
    *,
    squash: float = 1.0,
    opacity: float = 1.0,
    soft: float = 0.0,
) -> None:
    """An ellipse ``radius`` wide and ``radius · squash`` high, its edge ``soft · radius`` wide."""
    box = patch(canvas, x - radius, y - radius * squash, x + radius, y + radius * squash)
    if box is None:
        return
    region, columns, rows = box
    size = canvas.shape[-1]
    dx, dy = columns - np.float32(x), (rows - np.float32(y)) / np.float32(squash)
    inside = np.float32(radius) - np.sqrt(dx * dx + dy * dy)
    if soft:
        cover = np.clip(inside / np.float32(soft * radius), 0, 1)
        cover = cover * cover * (3 - 2 * cover)
    else:
        # the distance to a squashed edge is measured along the flat direction
        cover = np.clip(inside * np.float32(size * min(1.0, squash)) + 0.5, 0, 1)
    blend(region, colour, cover * np.float32(opacity))


def cluster(
    canvas: Array,
    circles: Sequence[Circle],
    top: Array,
    bottom: Array,
    *,
    floor: float = 2.0,
    squash: float = 1.0,
    opacity: float = 1.0,
) -> None:
    """The union of circles, cut flat at ``floor``, shading down: clouds, crowns, bushes."""
    x, y, r = np.array(circles, np.float32).T[:, :, None, None]
    high, low = float((y - r * squash).min()), min(float((y + r * squash).max()), floor)
    box = patch(canvas, float((x - r).min()), high, float((x + r).max()), low)
    if box is None:
        return
    region, columns, rows = box
    size = np.float32(canvas.shape[-1])
    dy = (rows - y) / np.float32(squash)
    inside = (r - np.sqrt((columns - x) ** 2 + dy * dy)).max(axis=0)
    cover = np.clip(inside * size + 0.5, 0, 1) * np.clip((floor - rows) * size + 0.5, 0, 1)
    t = np.clip((rows - high) / max(low - high, 1e-3), 0, 1)
    blend(region, top + (bottom - top) * t, cover * np.float32(opacity))


def polygon(canvas: Array, points: Sequence[Point], colour: Array, opacity: float = 1.0) -> None:
    """A filled convex polygon, its corners in either order."""
    px, py = np.array(points, np.float32).T
    box = patch(canvas, float(px.min()), float(py.min()), float(px.max()), float(py.max()))
    if box is None:
        return
    region, columns, rows = box
    dx, dy = np.roll(px, -1) - px, np.roll(py, -1) - py
    turn = 1.0 if float((px * np.roll(py, -1) - np.roll(px, -1) * py).sum()) > 0 else -1.0
    along = np.float32(turn) / np.maximum(np.hypot(dx, dy), 1e-6)
    nx, ny = (-dy * along)[:, None, None], (dx * along)[:, None, None]
    away = nx[:, 0, 0] * px + ny[:, 0, 0] * py
    inside = (nx * columns + (ny * rows - away[:, None, None])).min(axis=0)
    cover = np.clip(inside * np.float32(canvas.shape[-1]) + 0.5, 0, 1)
    blend(region, colour, cover * np.float32(opacity))


def rect(
    canvas: Array, left: float, top: float, right: float, bottom: float, colour: Array
) -> None:
    """An upright rectangle."""
    box = patch(canvas, left, top, right, bottom)
    if box is None:
        return
    region, x, y = box
    size = canvas.shape[-1]
    across = np.clip(np.minimum(x - left, right - x) * size + 0.5, 0, 1)
    down = np.clip(np.minimum(y - top, bottom - y) * size + 0.5, 0, 1)
    blend(region, colour, (across * down).astype(np.float32))


def dots(
    canvas: Array, x: Array, y: Array, radius: Array, opacity: Array | float, colour: Array
) -> None:
    """Many small round dots at once: stars, snowflakes, flowers, bubbles; arrays are ``(n,)``."""
    size = canvas.shape[-1]
    reach = int(float(radius.max()) * size) + 1
    step = np.arange(-reach, reach + 1)
    column, row = (x * size).astype(int)[:, None, None], (y * size).astype(int)[:, None, None]
    column, row = column + step, row + step[:, None]
    dx = column + np.float32(0.5) - (x * size)[:, None, None]
    dy = row + np.float32(0.5) - (y * size)[:, None, None]
    inside = (radius * size)[:, None, None] - np.sqrt(dx * dx + dy * dy) + np.float32(0.5)
    cover = np.clip(inside, 0, 1) * np.asarray(opacity, np.float32).reshape(-1, 1, 1)
    lie = (cover > 0) & (column >= 0) & (column < size) & (row >= 0) & (row < size)
    where = (row * size + column)[lie]
    share = cover[lie].astype(np.float32)
    for plane, value in zip(canvas.reshape(3, -1), np.broadcast_to(colour, (3, 1, 1)), strict=True):
        plane[where] += (value.ravel() - plane[where]) * share


def waves(x: Array, parts: int, rng: np.random.Generator, height: float, rate: float) -> Array:
    """A smooth profile around 0 of the given height: a few sines of rising frequency."""
    out = np.zeros_like(x)
    for k in range(1, parts + 1):
        phase, amount = rng.random() * 2 * np.pi, 0.5 + rng.random()
        out += np.float32(amount / k) * np.sin(np.float32(rate * k) * x + np.float32(phase))
    return out * np.float32(height / parts)


def domes(x: Array, circles: Sequence[Circle]) -> Array:
    """The upper outline of circles, as the height of each x above y = 0: treetops, cloud banks.

    ``y`` of a circle counts upwards here; where there is none the outline is -1.
    """
    cx, cy, r = np.array(circles, np.float32).T[:, :, None]
    square = r * r - (x - cx) ** 2
    return np.where(square > 0, cy + np.sqrt(np.maximum(square, 0)), np.float32(-1)).max(axis=0)
