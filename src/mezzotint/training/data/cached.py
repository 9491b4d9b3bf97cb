"""What is made of each picture once and kept: its latents, or its pixels at the size of its bucket.

There is one file a picture, found again by what the picture, its crop and the encoder are, so a
picture more costs one file more, and an interrupted run goes on where it was. Latents are float32,
256 KB at 1024 × 1024 pixels: training from them is training from the pictures, to the bit.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from mezzotint.adapters.contents import digest
from mezzotint.adapters.pictures import on_white, opened
from mezzotint.errors import InputError
from mezzotint.families.base import Model
from mezzotint.files import made
from mezzotint.training.data.arrays import write_array
from mezzotint.training.data.buckets import Size, cropped
from mezzotint.training.data.picture_files import stamp
from mezzotint.training.images import to_tensor
from mezzotint.training.process_group import Group

EVERY = 16  # pictures between two words of progress


@dataclass(frozen=True)
class View:
    """A picture as it is trained on.

    Attributes:
        file: the picture.
        size: of its bucket.
        shape: of the picture that it is the companion of, whose crop it has; None for its own.
        mirrored: whether left is right.
    """

    file: Path
    size: Size
    shape: Size | None
    mirrored: bool

    def picture(self) -> Image.Image:
        """The picture, upright, in RGB.

        Raises:
            InputError: it cannot be read.
        """
        whole = on_white(opened(self.file))
        picture = cropped(whole, self.size, self.shape or whole.size)
        return ImageOps.mirror(picture) if self.mirrored else picture


@dataclass(frozen=True)
class Maker:
    """What is made of pictures, under a name that tells it from all else that could be."""

    name: str
    make: Callable[[Image.Image], NDArray[Any]]


def pixels() -> Maker:
    """Pixels (3, H, W) uint8."""
    return Maker("pixels", lambda picture: np.asarray(picture).transpose(2, 0, 1))


def latents(model: Model) -> Maker:
    """Latents (c, h, w) float32 of zero mean and unit variance, the mean of the posterior.

    Each picture is encoded by itself, so that no other changes the last bits of its latents.
    """

    @torch.no_grad()
    def make(picture: Image.Image) -> NDArray[np.float32]:
        image = to_tensor(torch.from_numpy(np.array(picture))[None])
        encoded = model.encode_images(image.to(model.device))[0]
        if not encoded.isfinite().all():
            kind = str(model.dtype).removeprefix("torch.")
            raise InputError(f"the autoencoder overflows in {kind}: load the model in float32")
        return encoded.cpu().numpy()

    return Maker(f"latents-{_encoder_digest(model)}", make)


def kept(
    home: Path,
    views: Sequence[View],
    maker: Maker,
    group: Group,
    progress: Callable[[str, int, int], None],
) -> list[Path | None]:
    """The file of each view; those that are missing are made first, shared by the processes.

    Args:
        home: the folder that they are kept in.
        views: the pictures.
        maker: what is made of them.
        group: the processes.
        progress: called with what is being done, and how much of how much is done.

    Returns:
        None for a picture that cannot be read.

    Raises:
        InputError: the folder cannot be written, or is on a disk that is full; what was finished
            stays.
    """
    made(home)
    files = [home / f"{maker.name}-{_digest(view)}.npy" for view in views]
    mine = group.missing(files)
    for done, number in enumerate(mine, 1):
        try:
            picture = views[number].picture()
        except InputError:
            continue
        write_array(files[number], maker.make(picture))
        if group.leads and (done % EVERY == 0 or done == len(mine)):
            progress("pictures prepared", done, len(mine))
    group.wait()
    return [file if file.exists() else None for file in files]


def opened_array(file: Path) -> Tensor:
    """What was kept: latents as they are, pixels as an image (3, H, W) float32 in [0, 1]."""
    array = torch.from_numpy(np.load(file))
    return array.float() / 255 if array.dtype == torch.uint8 else array


def _digest(view: View) -> str:
    about = (*stamp(view.file), view.size, view.shape, view.mirrored)
    return hashlib.blake2b(repr(about).encode(), digest_size=12).hexdigest()


def _encoder_digest(model: Model) -> str:
    """Eight hex digits for all that makes latents of pixels."""
    moments = {"latent_mean": model.latent_mean, "latent_std": model.latent_std}
    return digest({**model.autoencoder.state_dict(), **moments})[:8]
