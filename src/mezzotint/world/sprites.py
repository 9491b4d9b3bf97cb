"""Sprites: the atlas recoloured and scaled to the pixels a scene needs."""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mezzotint.world.art import atlas
from mezzotint.world.paint import Array, rgb
from mezzotint.world.scene import Colour, Style
from mezzotint.world.things import KINDS, Dye

PIGMENTS: dict[Colour, Array] = {
    "red": rgb("e0262f"),
    "orange": rgb("f7861f"),
    "yellow": rgb("fbcf22"),
    "green": rgb("35a845"),
    "blue": rgb("2474e5"),
    "purple": rgb("8a3fd1"),
    "pink": rgb("f77fb4"),
    "brown": rgb("8a5433"),
    "white": rgb("eeeef2"),
    "black": rgb("2c2c34"),
}

LUMA = np.array((0.299, 0.587, 0.114), np.float32)


@dataclass(frozen=True)
class Sprite:
    """An object ready to be laid on a canvas.

    ``colour`` ``(3, h, w)`` is premultiplied by ``alpha`` ``(h, w)``. ``foot`` is the centre and
    half width of what touches the ground, as fractions of the width; ``luma`` the mean brightness.
    """

    colour: Array
    alpha: Array
    foot: tuple[float, float]
    luma: float

    @property
    def aspect(self) -> float:
        """Width over height."""
        height, width = self.alpha.shape
        return width / height


def look(style: Style) -> str:
    """Which of the two sets of art a style starts from."""
    return "flat" if style in ("flat", "paper", "ink", "neon", "pixel") else "modern"


def aspect(name: str) -> float:
    """Width over height of an object's art."""
    height, width = atlas()["modern", name].shape[:2]
    return width / height


@lru_cache(maxsize=64)
def sprite(name: str, look: str, colour: Colour | None, height: int) -> Sprite:
    """The object's sprite, ``height`` pixels high."""
    art = _painted(name, look, colour)
    width = max(1, round(art.shape[1] * height / art.shape[0]))
    sharp = Image.Resampling.HAMMING if height < art.shape[0] else Image.Resampling.BICUBIC
    small = Image.fromarray(art, "RGBa").resize((width, height), sharp)
    pixels = np.asarray(small).astype(np.float32) / 255
    alpha = pixels[..., 3]
    total = max(float(alpha.sum()), 1e-3)
    return Sprite(
        colour=np.ascontiguousarray(np.minimum(np.moveaxis(pixels[..., :3], -1, 0), alpha)),
        alpha=np.ascontiguousarray(alpha),
        foot=_foot(alpha),
        luma=float((pixels[..., :3] @ LUMA).sum()) / total,
    )


def _foot(alpha: Array) -> tuple[float, float]:
    rows = alpha[-max(2, alpha.shape[0] // 8) :]
    columns = np.flatnonzero(rows.max(axis=0) > 0.3)
    left, right = float(columns[0]) / alpha.shape[1], float(columns[-1] + 1) / alpha.shape[1]
    return (left + right) / 2, (right - left) / 2


@cache
def main_colour(name: str, colour: Colour | None) -> Array:
    """The mean colour of an object's art."""
    art = _painted(name, "modern", colour).astype(np.float32)
    return art[..., :3].sum(axis=(0, 1)) / art[..., 3].sum()


@lru_cache(maxsize=512)
def _painted(name: str, look: str, colour: Colour | None) -> NDArray[np.uint8]:
    """The full-size art, recoloured, premultiplied: ``(h, w, 4)`` uint8."""
    pixels = atlas()[look, name].astype(np.float32) / 255
    if colour is not None:
        pixels[..., :3] = _recoloured(pixels, PIGMENTS[colour].ravel(), KINDS[name].dye)
    pixels[..., :3] *= pixels[..., 3:]
    return np.rint(pixels * 255).astype(np.uint8)


def _recoloured(pixels: Array, pigment: Array, dye: Dye) -> Array:
    """Give the dyed part of the art another pigment and keep its light and shade."""
    colour, alpha = pixels[..., :3], pixels[..., 3]
    luma = colour @ LUMA
    mask = _dyed(colour, alpha, luma, dye)
    chosen = luma[(mask > 0.5) & (alpha > 0.5)]
    middle = float(np.median(chosen)) if chosen.size else 0.5
    shade = (luma / max(middle, 0.05))[..., None]
    lightened = pigment + (1 - pigment) * np.clip((shade - 1) * 0.6, 0, 0.6)
    painted = np.where(shade < 1, pigment * np.maximum(shade, 0.25) ** 0.8, lightened)
    return colour + (painted - colour) * mask[..., None]


def _dyed(colour: Array, alpha: Array, luma: Array, dye: Dye) -> Array:
    """How far each pixel takes the dye: its main hue's pixels, or the pale ones, or all."""
    if dye == "all":
        return np.ones_like(alpha)
    hue, chroma = _hue(colour)
    if dye == "pale":
        return np.clip((0.3 - chroma) / 0.1, 0, 1) * np.clip((luma - 0.45) / 0.1, 0, 1)
    if dye == "hue":
        weight = alpha * chroma
        bins = np.bincount((hue * 36).astype(int).ravel() % 36, weight.ravel(), 36)
        around = bins + np.roll(bins, 1) + np.roll(bins, -1)
        main = (int(around.argmax()) + 0.5) / 36
    else:
        main = 40 / 360
    distance = np.abs((hue - main + 0.5) % 1 - 0.5)
    return np.clip((0.15 - distance) / 0.04, 0, 1) * np.clip((chroma - 0.12) / 0.1, 0, 1)


def _hue(colour: Array) -> tuple[Array, Array]:
    """Hue in [0, 1) and chroma in [0, 1] of ``(h, w, 3)``."""
    r, g, b = colour[..., 0], colour[..., 1], colour[..., 2]
    high = np.maximum(np.maximum(r, g), b)
    chroma = high - np.minimum(np.minimum(r, g), b)
    safe = np.maximum(chroma, 1e-6)
    hue = np.where(
        high == r, ((g - b) / safe) % 6, np.where(high == g, (b - r) / safe + 2, (r - g) / safe + 4)
    )
    return (hue / 6 % 1).astype(np.float32), chroma
