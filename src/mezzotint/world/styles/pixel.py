"""Pixel art: 64 blocks a side, few colours, things outlined."""

import numpy as np
from PIL import Image

from mezzotint.world.easel import Easel
from mezzotint.world.paint import Array

BLOCKS, COLOURS = 64, 28


def pixel(e: Easel) -> Array:
    """The picture in square blocks of at most 28 colours."""
    small, cover = _reduced(e.canvas.clip(0, 1)), _reduced(e.cover[None])[0]
    inside = cover > 0.5
    edge = np.pad(inside, 1)
    near = edge[:-2, 1:-1] | edge[2:, 1:-1] | edge[1:-1, :-2] | edge[1:-1, 2:]
    small = np.clip((small - 0.5) * np.float32(1.12) + 0.5, 0, 1)
    small = np.where(near & ~inside, small * np.float32(0.35), small)
    picture = Image.fromarray((np.moveaxis(small, 0, -1) * 255).astype(np.uint8))
    few = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, 1, dither=Image.Dither.NONE)
    blocks = np.moveaxis(np.asarray(few.convert("RGB")), -1, 0).astype(np.float32) / 255
    at = (np.arange(e.size) + 0.5) * BLOCKS / e.size
    at = at.astype(np.intp)
    return blocks[:, at[:, None], at]


def _reduced(planes: Array) -> Array:
    """The means of the blocks: ``(n, 64, 64)``."""
    size = (BLOCKS, BLOCKS)
    images = [Image.fromarray(plane).resize(size, Image.Resampling.BOX) for plane in planes]
    return np.stack([np.asarray(image, np.float32) for image in images])
