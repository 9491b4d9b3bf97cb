"""How near what pictures show is, as a network sees it that was trained apart from generators."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mezzotint.checkpoints.folder import load_complete
from mezzotint.checkpoints.packed import unpack
from mezzotint.errors import InputError
from mezzotint.evals.features import images_of
from mezzotint.models.depth import DepthNet, DepthParams, correlation, ranks
from mezzotint.models.pyramid import CELLS, SIDE, shrunk
from mezzotint.specs import replaced

BATCH = 32
Depth = NDArray[np.float32]
_BLANK = DepthParams((0, 0, 0), (0, 0, 0))


class DepthEye:
    """Says how near what pictures show is: 1 is nearest, the sky is 0."""

    def __init__(self, network: DepthNet) -> None:
        self.network = network.requires_grad_(False).eval()

    @torch.no_grad()
    def see(self, pictures: Sequence[Image.Image]) -> Tensor:
        """The depth (n, 32, 32) in square pictures of one size, of 128 pixels a side or more.

        Raises:
            InputError: a picture is smaller, or not square.
        """
        for width, height in {picture.size for picture in pictures}:
            if width != height or width < SIDE:
                raise InputError(
                    f"picture of {width}x{height}: depth is seen in squares of {SIDE} pixels or "
                    "more"
                )
        parts = [pictures[k : k + BATCH] for k in range(0, len(pictures), BATCH)]
        return torch.cat([self.network(shrunk(2 * images_of(each) - 1))[:, 0] for each in parts])


def load(path: Path) -> DepthEye:
    """The network in a file that a run of the recipe ``depth`` exported.

    Raises:
        InputError: there is no such file, or it holds no depth network.
    """
    try:
        with safe_open(path, "pt") as file:
            told = (file.metadata() or {}).get("depth")
            packed = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read depth network {path}: {error}") from error
    if told is None:
        raise InputError(f"{path} holds no depth network: give a file that recipe depth exported")
    network = DepthNet(replaced(_BLANK, json.loads(told), str(path)))
    load_complete(network, unpack(packed), str(path))
    return DepthEye(network)


def coarse(maps: Sequence[Depth]) -> Tensor:
    """Depth maps (size, size) of one size, 32 along a side or a multiple, averaged: (n, 32, 32)."""
    stacked = torch.from_numpy(np.stack(maps))
    return torch.nn.functional.adaptive_avg_pool2d(stacked[None], CELLS)[0]


def pearson(seen: Tensor, asked: Tensor) -> list[float]:
    """The correlation of each map (n, h, w) that is seen with the one that was asked for."""
    return correlation(seen, asked).tolist()


def spearman(seen: Tensor, asked: Tensor) -> list[float]:
    """The same of ranks: whether what is to be nearer is nearer."""
    return correlation(ranks(seen), ranks(asked)).tolist()


def pearson_beside_mean(seen: Tensor, asked: Tensor) -> list[float]:
    """The correlation of what is left of maps (n, h, w) without the mean of those asked for.

    The ground is near at the bottom of nearly every picture, so any two correlate; in what is left
    they don't.
    """
    common = asked.mean(0)
    return correlation(seen - common, asked - common).tolist()
