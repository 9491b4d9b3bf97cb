"""Masks as numbers, and what was painted under one put back into its picture."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from mezzotint.adapters.pictures import Picture
from mezzotint.errors import InputError
from mezzotint.pipeline.editing.masks import Box
from mezzotint.pipeline.editing.pictures import Size, laid_on, read


def grey(mask: Picture | Box, size: Size) -> Tensor:
    """A mask (1, 1, h, w) in [0, 1] of a picture of this width and height.

    Raises:
        InputError: it cannot be read, is of another size, black all over, or reaches outside.
    """
    found = _boxed(mask, size) if isinstance(mask, Box) else _painted(mask, size)
    if not found.any():
        raise InputError("the mask is black all over: make white what is to be painted anew")
    return found


def hard(mask: Tensor) -> Tensor:
    """1 where a mask is nearer to white than to black, and 0 elsewhere.

    Raises:
        InputError: it is nowhere.
    """
    found = (mask >= 0.5).float()
    if not found.any():
        raise InputError("the mask is black all over: make white what is to be painted anew")
    return found


def in_latents(mask: Tensor, factor: int) -> Tensor:
    """A mask of pixels (1, 1, H, W) as one of latents: what touches a pixel's latent changes it."""
    return F.max_pool2d(mask, factor)


def _painted(mask: Picture, size: Size) -> Tensor:
    found = laid_on(read(mask), "black").convert("L")
    if found.size != size:
        raise InputError(
            f"the mask is {found.width}x{found.height}, the picture {size[0]}x{size[1]}: "
            "they must be of one size"
        )
    return torch.from_numpy(np.array(found))[None, None].float() / 255


def _boxed(mask: Box, size: Size) -> Tensor:
    shares = max(mask.sides) <= 1
    left, top, right, bottom = (
        round(side * whole) if shares else round(side)
        for side, whole in zip(mask.sides, (*size, *size), strict=True)
    )
    if right > size[0] or bottom > size[1]:
        raise InputError(f"{mask} reaches outside of the picture, which is {size[0]}x{size[1]}")
    if left == right or top == bottom:
        raise InputError(f"{mask} has no pixel of the picture, which is {size[0]}x{size[1]}")
    found = torch.zeros(1, 1, size[1], size[0])
    found[:, :, top:bottom, left:right] = 1
    return found


def weights(own: Tensor, new: Tensor, feather: int) -> Tensor:
    """How much of what was painted each pixel takes, 0…1, with soft edges.

    It rises from the edge of the picture's own pixels, which take nothing of it, over ``feather``
    pixels, less where there is no room for that. And it falls into what was painted before.

    Args:
        own: (1, 1, h, w), 1 where the picture's own pixels stay and 0 elsewhere.
        new: (1, 1, h, w), 1 where nothing has been painted yet; the rest was painted before.
        feather: in pixels.
    """
    inwards, outwards = [1 - own], [new]
    for _ in range(feather):
        inwards.append(-_grown(-inwards[-1]))
        outwards.append(_grown(outwards[-1]))
    inwards = [each for each in inwards if each.any()]
    return torch.minimum(torch.cat(inwards).mean(0), torch.cat(outwards).mean(0))[None]


def pasted(onto: Image.Image, picture: Image.Image, weight: Tensor) -> Image.Image:
    """A picture put into another of its size; where ``weight`` is 0, no bit of that changes."""
    below, above = (np.asarray(each).astype(np.float32) for each in (onto, picture))
    mixed = below + weight[0, 0, :, :, None].numpy() * (above - below)
    return Image.fromarray(mixed.round().astype(np.uint8))


def _grown(mask: Tensor) -> Tensor:
    """The largest of a pixel and its eight neighbours."""
    return F.max_pool2d(mask, 3, stride=1, padding=1)
