"""Latents of every picture of a set, worked out once.

Encoding a picture costs about what a small denoiser's step on its latent does, so a run that
visits a picture more than once saves the difference. Kept are the means of the posterior in
float16, in shards like the pictures', under the hash of the encoder's weights.
"""

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mezzotint.adapters.contents import digest
from mezzotint.files import made
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.nn.precision import autocast
from mezzotint.training.data.arrays import write_array
from mezzotint.training.data.pictures import (
    SHARD,
    Pictures,
    PictureSet,
    drop_pictures,
    finish,
    pictures_of,
    shards,
)
from mezzotint.training.data.scenes import Also, SceneSet, drawn
from mezzotint.training.images import to_tensor
from mezzotint.training.process_group import Group

BATCH = 64
Latents = NDArray[np.float16]


class LatentSet:
    """Latents ``(c, h, w)`` of the pictures of a set, by number."""

    def __init__(self, parts: list[Latents]) -> None:
        self._parts = parts

    def latents(self, indices: NDArray[np.int64]) -> Latents:
        """Latents ``(n, c, h, w)`` with these numbers."""
        return np.stack([self._parts[i // SHARD][i % SHARD] for i in indices.tolist()])

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel, both ``(1, c, 1, 1)`` float32."""
        count, total, squares = 0, 0.0, 0.0
        for part in self._parts:
            rows = part.astype(np.float64)
            count += rows.size // rows.shape[1]
            total = total + rows.sum((0, 2, 3))
            squares = squares + np.square(rows).sum((0, 2, 3))
        mean = np.asarray(total) / count
        std = np.sqrt(np.asarray(squares) / count - mean**2)
        return _channels(mean), _channels(std)


def picture_latents(
    pictures: PictureSet,
    autoencoder: Autoencoder,
    group: Group,
    progress: Callable[[str, int, int], None],
) -> LatentSet:
    """The latents of a set, the missing ones worked out first, shared by the processes."""
    count, files = len(pictures), _files(pictures.folder, len(pictures), autoencoder)
    mine = group.missing(files)
    for done, shard in enumerate(mine, 1):
        rows = pictures_of(pictures.folder, shard)
        write_array(files[shard], encode(rows, autoencoder, group.device))
        if group.leads:
            progress("pictures encoded", count * done // len(mine), count)
    group.wait()
    return LatentSet([np.load(file, mmap_mode="r") for file in files])


def scene_latents(
    parent: Path,
    scenes: SceneSet,
    autoencoder: Autoencoder,
    group: Group,
    progress: Callable[[str, int, int], None],
    also: Also | None = None,
    name: str = "latents",
) -> tuple[PictureSet, LatentSet]:
    """Captions and latents of scenes whose pictures are drawn, encoded and let go, by shards.

    A hundred thousand scenes of 256 × 256 pixels are 20 GB; their latents are 0.8.

    Args:
        parent: the folder that holds sets.
        scenes: which scenes.
        autoencoder: its encoder makes the latents.
        group: the processes that share the work.
        progress: called with what is being done, and how much of how much is done.
        also: keeps something else of each shard.
        name: what the set is called after its scenes, by what is kept of them.

    Raises:
        InputError: the world's art is missing, or the folder is not writable.
    """
    folder = made(parent / f"{scenes.folder_name}-{name}")
    files = _files(folder, scenes.count, autoencoder)
    mine = group.missing(files)
    workers = max(1, (os.cpu_count() or 1) // group.size)
    for done, shard in enumerate(drawn(folder, scenes, mine, workers, also), 1):
        rows = pictures_of(folder, shard)
        write_array(files[shard], encode(rows, autoencoder, group.device))
        drop_pictures(folder, shard)
        if group.leads:
            progress("scenes drawn and encoded", scenes.count * done // len(mine), scenes.count)
    group.wait()
    pictures = group.leader_first(lambda: finish(folder, asdict(scenes)))
    return pictures, LatentSet([np.load(file, mmap_mode="r") for file in files])


def _files(folder: Path, count: int, autoencoder: Autoencoder) -> list[Path]:
    made_by = weights_digest(autoencoder)
    return [folder / f"latents-{made_by}-{shard:05d}.npy" for shard in shards(count)]


def weights_digest(autoencoder: Autoencoder) -> str:
    """Eight hex digits that stand for the weights that make latents."""
    weights = autoencoder.state_dict().items()
    unread = ("decoder.", "unmoments.")
    return digest({name: weight for name, weight in weights if not name.startswith(unread)})[:8]


@torch.no_grad()
def encode(pictures: Pictures, autoencoder: Autoencoder, device: torch.device) -> Latents:
    """The means of the posterior (n, c, h, w) of pictures of one size."""
    parts: list[Latents] = []
    for first in range(0, len(pictures), BATCH):
        images = to_tensor(torch.from_numpy(pictures[first : first + BATCH].copy()).to(device))
        with autocast(device):
            mean, _ = autoencoder.encode(images)
        parts.append(mean.half().cpu().numpy())
    return np.concatenate(parts)


def _channels(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values).float().view(1, -1, 1, 1)
