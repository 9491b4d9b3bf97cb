"""Pictures as vectors, in which sets of pictures are compared.

Each network here sees what it was trained to see: ours is CLIP's image tower, trained on the world;
a user's may be OpenAI's, OpenCLIP's or the Inception of published Fréchet distances. A picture's
CLIP vector is taken by its direction, which is all that CLIP's loss shapes, and given the length
√d, so that one feature is about as large as in any other network.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from mezzotint.adapters.image_encoder import image_encoder
from mezzotint.adapters.pictures import CLIP_MEAN, CLIP_STD
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.tensors import Tensors
from mezzotint.errors import InputError
from mezzotint.evals.towers import own_folder, own_vision
from mezzotint.models.clip import CLIPVision

Features = Callable[[Tensor], Tensor]
"""From pictures (b, 3, h, w) in [0, 1] to their vectors (b, d)."""

BATCH = 32
_INCEPTION = "Mixed_7c.branch1x1.conv.weight"  # a tensor that no other network here has


def load_features(path: Path) -> Features:
    """The features of a network that is told by what its file or folder holds.

    Args:
        path: a CLIP run or its export, a model's folder with an image tower, a CLIP image encoder
            as transformers has it, or the Inception weights of torch-fidelity.

    Raises:
        InputError: it is none of these, or damaged.
    """
    if folder := own_folder(path):
        return clip_features(own_vision(folder))
    tensors = open_tensors(path)
    if _INCEPTION in tensors.shapes:
        return _inception(tensors, path)
    return clip_features(image_encoder(path), CLIP_MEAN, CLIP_STD)


def clip_features(
    vision: CLIPVision,
    mean: tuple[float, ...] = (0.5, 0.5, 0.5),
    std: tuple[float, ...] = (0.5, 0.5, 0.5),
) -> Features:
    """The directions of an image tower's vectors, √d long.

    Args:
        vision: the tower; it is brought to float32.
        mean: red, green and blue that it was trained to take for 0; ours, by default.
        std: and for 1.
    """
    vision = vision.float().eval()
    size = vision.params.size
    low, width = (torch.tensor(each).view(1, 3, 1, 1) for each in (mean, std))

    def features(pictures: Tensor) -> Tensor:
        place = vision.summary.device
        pixels = _square(pictures.to(place), size)
        _, vectors = vision((pixels - low.to(place)) / width.to(place))
        return F.normalize(vectors, dim=1) * vectors.shape[1] ** 0.5

    return features


@torch.no_grad()
def extract(features: Features, pictures: Iterable[Image.Image]) -> Tensor:
    """Vectors (n, d) of pictures, in float64 on the CPU.

    Raises:
        InputError: there are no pictures.
    """
    found = [features(images_of(batch)).double().cpu() for batch in _batches(pictures)]
    if not found:
        raise InputError("no pictures: give at least one")
    return torch.cat(found)


def images_of(pictures: Iterable[Image.Image]) -> Tensor:
    """Images (b, 3, h, w) in [0, 1] of pictures of one size."""
    arrays = [np.array(picture.convert("RGB")) for picture in pictures]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 255


def _batches(pictures: Iterable[Image.Image]) -> Iterator[list[Image.Image]]:
    source = iter(pictures)
    while batch := list(islice(source, BATCH)):
        yield batch


def _square(pictures: Tensor, size: int) -> Tensor:
    """The middle of pictures, ``size`` to each side; what shrinks is averaged."""
    height, width = pictures.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = pictures[..., top : top + side, left : left + side]
    if side == size:
        return middle
    return F.interpolate(middle, (size, size), mode="bicubic", antialias=True).clamp(0, 1)


def _inception(tensors: Tensors, path: Path) -> Features:
    """The 2,048 features of the Inception that published Fréchet distances are measured in."""
    try:
        from torchmetrics.image.fid import NoTrainInceptionV3

        # it unpickles whatever it is given: what it gets is our own copy of plain tensors
        plain = io.BytesIO()
        torch.save({name: tensors[name].clone() for name in tensors.shapes}, plain)
        plain.seek(0)
        network = NoTrainInceptionV3("inception-v3-compat", ["2048"], plain)  # pyright: ignore[reportArgumentType]
    except ModuleNotFoundError as error:
        raise InputError(
            f"{path} is Inception, which needs pip install 'mezzotint[evals]' torch-fidelity"
        ) from error
    except RuntimeError as error:
        raise InputError(f"{path} does not fit torch-fidelity's Inception") from error

    def features(pictures: Tensor) -> Tensor:
        return network((pictures * 255).round().to(torch.uint8))

    return features
