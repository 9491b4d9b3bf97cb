"""Latents of every picture of a set, worked out once.

Encoding a picture costs about what a small denoiser's step on its latent does, so a run that
visits a picture more than once saves the difference. Kept are the means of the posterior in
float16, in shards like the pictures', under the hash of the encoder's weights.
"""

import hashlib
import io
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mezzotint.files import write_whole
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.training.data.pictures import SHARD, PictureSet, shards
from mezzotint.training.images import to_tensor
from mezzotint.training.process_group import Group

BATCH = 128
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
    digest = weights_digest(autoencoder)
    every = list(shards(len(pictures)))
    files = [pictures.folder / f"latents-{digest}-{shard:05d}.npy" for shard in every]
    todo = [shard for shard in every if not files[shard].exists()]
    group.wait()  # every process has to have seen the same files before one writes
    mine = todo[group.rank :: group.size]
    for done, shard in enumerate(mine, 1):
        buffer = io.BytesIO()
        np.save(buffer, _encode(pictures, autoencoder, shard, group.device))
        write_whole(files[shard], buffer.getvalue())
        if group.leads:
            progress("pictures encoded", len(pictures) * done // len(mine), len(pictures))
    group.wait()
    return LatentSet([np.load(file, mmap_mode="r") for file in files])


def weights_digest(autoencoder: Autoencoder) -> str:
    """Eight hex digits that stand for the weights that make latents."""
    digest = hashlib.sha256()
    for name, weight in autoencoder.state_dict().items():
        if not name.startswith(("decoder.", "unmoments.")):
            digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]


@torch.no_grad()
def _encode(
    pictures: PictureSet, autoencoder: Autoencoder, shard: int, device: torch.device
) -> Latents:
    numbers = np.arange(shard * SHARD, min((shard + 1) * SHARD, len(pictures)))
    parts: list[Latents] = []
    for first in range(0, len(numbers), BATCH):
        chosen = pictures.pictures(numbers[first : first + BATCH])
        images = to_tensor(torch.from_numpy(chosen).to(device))
        with torch.autocast(device.type, torch.bfloat16):
            mean, _ = autoencoder.encode(images)
        parts.append(mean.half().cpu().numpy())
    return np.concatenate(parts)


def _channels(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values).float().view(1, -1, 1, 1)
