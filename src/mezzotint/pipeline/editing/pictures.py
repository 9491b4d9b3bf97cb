"""The picture that is edited: read, brought to a size that the model draws, and back."""

import math
import warnings
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from mezzotint.adapters.pictures import Picture
from mezzotint.errors import InputError
from mezzotint.families.base import Family
from mezzotint.pipeline.drawing import to_picture

MAX_PIXELS = 32_000_000  # of a picture that is edited, and of one that grew
STACKS = ("MPO", "TIFF")  # formats of several pictures of which the first is the picture
RINGS = 0.05  # what Lanczos' filter leaves beyond an edge

Size = tuple[int, int]


def read(picture: Picture) -> Image.Image:
    """A picture as it is looked at: turned upright, with its transparency if it has any.

    Raises:
        InputError: it cannot be read, is animated, larger than 32 megapixels, or has other numbers
            than eight bits a channel.
    """
    name = "the picture" if isinstance(picture, Image.Image) else f"picture {picture}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            found = picture if isinstance(picture, Image.Image) else Image.open(picture)
        _refuse(name, found)
        return ImageOps.exif_transpose(found)
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"cannot read {name}: {error}") from error


def laid_on(picture: Image.Image, colour: str) -> Image.Image:
    """A picture in RGB, its transparency on a colour."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    clear = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, colour), clear).convert("RGB")


@dataclass(frozen=True)
class Fit:
    """How pictures of one size are brought to a size that a model draws, and back.

    Attributes:
        own: width and height of the pictures.
        scaled: what they are resized to, which is ``own`` wherever the model's range allows.
        padded: what they are drawn at: mirrored at the right and lower edge up to the multiple.
    """

    own: Size
    scaled: Size
    padded: Size

    @classmethod
    def of(cls, own: Size, family: Family) -> Self:
        """The fit that resizes least."""
        most = family.largest - family.largest % family.multiple
        least = math.ceil(family.smallest / family.multiple) * family.multiple
        scale = 1.0
        if max(own) > most or min(own) < least:
            scale = min(most / max(own), max(least / min(own), 1.0))
        width, height = (max(round(side * scale), 1) for side in own)
        up = family.multiple
        return cls(
            own,
            (width, height),
            (max(math.ceil(width / up) * up, least), max(math.ceil(height / up) * up, least)),
        )

    def image(self, picture: Image.Image) -> Tensor:
        """An image (1, 3, h, w) in [−1, 1] that the model takes, of a picture in RGB."""
        scaled = np.array(picture.resize(self.scaled, Image.Resampling.LANCZOS))
        return self._padded(torch.from_numpy(scaled).permute(2, 0, 1)[None].float() / 127.5 - 1)

    def mask(self, grey: Tensor) -> Tensor:
        """A mask (1, 1, h, w) as large as ``image``, of one as large as the picture."""
        if self.scaled != self.own:
            grey = resized(grey, self.scaled)
        return self._padded(grey)

    def picture(self, image: Tensor) -> Image.Image:
        """The picture of what was drawn, (1, 3, h, w) in [−1, 1]."""
        width, height = self.scaled
        scaled = to_picture(image[0, :, :height, :width])
        return scaled.resize(self.own, Image.Resampling.LANCZOS)

    def grey(self, mask: Tensor) -> Tensor:
        """What ``mask`` made a mask of, (1, 1, h, w)."""
        width, height = self.scaled
        scaled = mask[:, :, :height, :width]
        return scaled if self.scaled == self.own else resized(scaled, self.own)

    def _padded(self, image: Tensor) -> Tensor:
        columns, rows = map(_mirrored, self.scaled, self.padded)
        return image[:, :, rows][:, :, :, columns]


def resized(mask: Tensor, size: Size) -> Tensor:
    """A mask (1, 1, h, w) in [0, 1] at another width and height."""
    picture = Image.fromarray(mask[0, 0].numpy()).resize(size, Image.Resampling.LANCZOS)
    found = torch.from_numpy(np.array(picture))[None, None].clamp(0, 1)
    return torch.where(found < RINGS, 0.0, found)


def _mirrored(side: int, to: int) -> Tensor:
    """Which of ``side`` pixels stands at each of ``to``, past the end and back again."""
    return torch.from_numpy(np.pad(np.arange(side), (0, to - side), mode="reflect"))


def _refuse(name: str, picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{name} is {width}x{height}, {width * height / 1e6:.0f} megapixels: "
            f"make it {MAX_PIXELS / 1e6:.0f} or less"
        )
    if not width * height:
        raise InputError(f"{name} is {width}x{height}: it has no pixel")
    if getattr(picture, "is_animated", False) and picture.format not in STACKS:
        frames = getattr(picture, "n_frames", 2)
        raise InputError(f"{name} is animated: save one of its {frames} frames and give that")
    if picture.mode[0] in "IF":
        raise InputError(f"{name} is of mode {picture.mode}: save it with 8 bits a channel")
