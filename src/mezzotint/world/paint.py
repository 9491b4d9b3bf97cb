"""Brushes: antialiased shapes and gradients on a float canvas, at any resolution.

A canvas is ``(3, h, w)`` float32 in [0, 1]; coordinates are fractions of its side, y downwards.
Brushes change the canvas in place and touch only the rows and columns they cover. Planes come
first because numpy is slow where the innermost axis has three elements.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@lru_cache(maxsize=8)
def axis(size: int) -> Array:
    """Pixel centres along a side, as fractions of it: ``(size,)``."""
    line = (np.arange(size, dtype=np.float32) + 0.5) / size
    line.setflags(write=False)
    return line


def rgb(code: str) -> Array:
    """A colour of six hexadecimal digits: ``(3, 1, 1)`` float32 in [0, 1]."""
    return np.frombuffer(bytes.fromhex(code), np.uint8).astype(np.float32)[:, None, None] / 255


def gradient(canvas: Array, top: Array, bottom: Array, steps: int = 0) -> None:
    """Fill the canvas from ``top`` to ``bottom``, in ``steps`` flat bands if there are any."""
    t = axis(canvas.shape[1])
    if steps:
        t = np.floor(t * steps) / (steps - 1)
    canvas[:] = top + (bottom - top) * t[:, None]


def blend(region: Array, colour: Array, cover: Array) -> None:
    """Lay ``colour`` over a region where ``cover`` ``(h, w)`` says how much."""
    region += (colour - region) * cover


def below(canvas: Array, edge: Array, top: Array, bottom: Array | None = None) -> None:
    """Fill everything below a profile ``edge`` ``(w,)`` of y values, shading down to ``bottom``."""
    size = canvas.shape[-1]
    first = max(0, int(float(edge.min()) * size) - 1)
    if first >= size:
        return
    y = axis(size)[first:, None]
    cover = np.clip((y - edge) * size + 0.5, 0, 1)
    if bottom is None:
        blend(canvas[:, first:], top, cover)
    else:
        t = (y - y[0]) / max(float(y[-1, 0] - y[0, 0]), 1e-3)
        blend(canvas[:, first:], top + (bottom - top) * t, cover)


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
    size = canvas.shape[-1]
    reach = radius + 1 / size
    left, right = max(0, int((x - reach) * size)), min(size, int((x + reach) * size) + 1)
    reach_y = radius * squash + 1 / size
    top, bottom = max(0, int((y - reach_y) * size)), min(size, int((y + reach_y) * size) + 1)
    if left >= right or top >= bottom:
        return
    line = axis(size)
    dx, dy = line[left:right] - x, (line[top:bottom, None] - y) / squash
    inside = radius - np.sqrt(dx * dx + dy * dy)
    cover = np.clip(inside / max(soft * radius, 1 / size) + (0.0 if soft else 0.5), 0, 1)
    if soft:
        cover = cover * cover * (3 - 2 * cover)
    blend(canvas[:, top:bottom, left:right], colour, cover * opacity)


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
    cover *= (column >= 0) & (column < size) & (row >= 0) & (row < size)
    plane = np.zeros((size, size), np.float32)
    place = np.clip(row, 0, size - 1) * size + np.clip(column, 0, size - 1)
    np.maximum.at(plane.ravel(), place.ravel(), cover.astype(np.float32).ravel())
    blend(canvas, colour, plane)


def waves(x: Array, parts: int, rng: np.random.Generator, height: float, rate: float) -> Array:
    """A smooth profile around 0 of the given height: a few sines of rising frequency."""
    out = np.zeros_like(x)
    for k in range(1, parts + 1):
        phase, amount = rng.random() * 2 * np.pi, 0.5 + rng.random()
        out += np.float32(amount / k) * np.sin(np.float32(rate * k) * x + np.float32(phase))
    return out * np.float32(height / parts)


def teeth(x: Array, peaks: list[tuple[float, float, float]]) -> Array:
    """The upper outline of triangles ``(centre, half width, height)``: the height at each x."""
    out = np.zeros_like(x)
    for centre, half, height in peaks:
        np.maximum(out, height * (1 - np.abs(x - centre) / half), out=out)
    return out
