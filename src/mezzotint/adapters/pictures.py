"""Pictures as the networks of adapters take them."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from mezzotint.errors import InputError

Picture = Image.Image | str | Path

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # red, green, blue of what CLIPs were trained on
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def opened(picture: Picture) -> Image.Image:
    """A picture with eight bits a channel, turned upright if it is read from a file.

    Raises:
        InputError: the file cannot be read or is no picture, or ``eight_bits``.
    """
    if isinstance(picture, Image.Image):
        return eight_bits(picture)
    try:
        with Image.open(picture) as file:
            upright = ImageOps.exif_transpose(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"cannot read picture {picture}: {error}") from error
    return eight_bits(upright, f"picture {picture}")


def eight_bits(picture: Image.Image, name: str = "the picture") -> Image.Image:
    """A picture with eight bits a channel, of 16 bits of grey the upper ones.

    Raises:
        InputError: it has floating point numbers, of which nobody says what white is.
    """
    if picture.mode == "F":
        raise InputError(f"{name} is of mode F: save it with 8 bits a channel")
    if not picture.mode.startswith("I"):
        return picture
    grey = np.asarray(picture) // 257  # Pillow would clip them at 255
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))


def on_white(picture: Image.Image) -> Image.Image:
    """A picture in RGB; what is transparent is white.

    Raises:
        InputError: as ``eight_bits``.
    """
    picture = eight_bits(picture)
    if picture.has_transparency_data:
        clear = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return picture.convert("RGB")


def resized(picture: Image.Image, width: int, height: int) -> Tensor:
    """An image (1, 3, height, width) in [0, 1] of all of a picture; transparency is ignored."""
    rgb = eight_bits(picture).convert("RGB")
    return _pixels(rgb.resize((width, height), Image.Resampling.LANCZOS))


def for_clip(picture: Image.Image, size: int) -> Tensor:
    """The middle of a picture as CLIP's image towers were trained on it, (1, 3, size, size).

    Bicubic (Pillow's, which averages where it shrinks), the shorter side to ``size``, normalised
    by the colours of CLIP's own pictures (Radford et al. 2021). Transparency becomes white.
    """
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (CLIP_MEAN, CLIP_STD))
    return (_middle(picture, size) - mean) / std


def for_storybook(picture: Image.Image, size: int) -> Tensor:
    """The same as the storybook family's image tower was trained on it: from −1 to 1."""
    return 2 * _middle(picture, size) - 1


def _middle(picture: Image.Image, size: int) -> Tensor:
    picture = on_white(picture)
    short = min(picture.size)
    width, height = (size * side // short for side in picture.size)
    left, top = (width - size) // 2, (height - size) // 2
    whole = picture.resize((width, height), Image.Resampling.BICUBIC)
    return _pixels(whole.crop((left, top, left + size, top + size)))


def _pixels(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
