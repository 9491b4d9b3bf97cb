"""Sets of pairs of the world, drawn, encoded and let go by shards.

Of what is drawn the latents are kept, of what is seen its latents too or an image tower's vectors:
8 KB a scene at 256 pixels, or 512 bytes, both float16.
"""

import json
import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mezzotint.adapters.contents import digest
from mezzotint.adapters.image_encoder import Eye
from mezzotint.errors import InputError
from mezzotint.families.base import Canvas, Model
from mezzotint.files import made
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.training.data.arrays import write_array
from mezzotint.training.data.latents import LatentSet, encode, weights_digest
from mezzotint.training.data.pictures import (
    SHARD,
    Pictures,
    drop_pictures,
    finish,
    pictures_of,
    shards,
    write_shard,
)
from mezzotint.training.data.views import PAIRED, Kind, Pair
from mezzotint.training.data.wordings import tokens
from mezzotint.training.data.workers import by_processes
from mezzotint.training.draw import Draw, visits
from mezzotint.training.process_group import Group
from mezzotint.training.task import Batch
from mezzotint.world import VERSION, Scene, render

BATCH = 64


@dataclass(frozen=True)
class PairSet:
    """Which pairs a set holds; pair k is that of the seed ``first_seed + k``."""

    kind: Kind
    size: int
    count: int
    wordings: int
    first_seed: int

    @property
    def folder_name(self) -> str:
        """A name that differs between any two sets, and between versions of the world."""
        which = blake2b(json.dumps(asdict(self)).encode(), digest_size=4).hexdigest()
        return f"{self.kind}{VERSION}-{self.size}px-{self.count}-{which}"

    def pair(self, number: int) -> Pair:
        """The pair with this number."""
        return PAIRED[self.kind](self.first_seed + number, self.wordings)


@dataclass(frozen=True)
class Sight:
    """What is kept of the pictures that are seen.

    Attributes:
        name: tells it from all else that could be kept.
        side: pixels along a side of what it is made of.
        make: pictures (n, side, side, 3) → float16 rows (n, …).
    """

    name: str
    side: int
    make: Callable[[Pictures], NDArray[np.float16]]


@dataclass(frozen=True)
class Shown:
    """A pair to look at, and what is told of it."""

    drawn: Image.Image
    seen: Image.Image
    caption: str


class Pairs:
    """Batches of pairs; which, is a function of the seed and the step alone."""

    def __init__(
        self,
        captions: list[list[str]],
        telling: list[str],
        latents: LatentSet,
        seen: LatentSet,
        model: Model,
    ) -> None:
        self.captions, self._telling = captions, telling
        self._latents, self._seen = latents, seen
        self._moments = model.latent_mean.cpu(), model.latent_std.cpu()
        self._reads = tokens(model)
        self._canvas = Canvas(model.family.size, model.family.size)

    def __len__(self) -> int:
        return len(self.captions)

    def batch(self, draw: Draw, blank: NDArray[np.bool_] | None = None) -> Batch:
        """This process's rows of the batch of a step.

        Args:
            draw: which step.
            blank: (rows,) whose caption is left out.

        Returns:
            ``latents`` (b, c, h, w) of zero mean and unit variance, ``companions``, such latents or
            vectors (b, d), ``shots``, the numbers (b,) of the pairs, and the tokens of captions.
        """
        numbers = visits(draw.seed, len(self), draw.step * draw.batch, draw.batch)[draw.rows]
        chosen = draw.integers("wording", len(self.captions[0])).tolist()
        dropped = np.zeros(len(numbers), bool) if blank is None else blank
        told = [
            "" if drop else self.captions[number][wording]
            for number, wording, drop in zip(numbers.tolist(), chosen, dropped, strict=True)
        ]
        return self._rows(numbers, told)

    def telling(self, shots: Tensor) -> Batch:
        """What would tell these pairs (b,) what to take over, as a batch has captions."""
        return self._told([self._telling[number] for number in shots.tolist()])

    def each(self, size: int) -> Generator[Batch]:
        """Every pair once, by its first wording, in batches of ``size`` or fewer."""
        for first in range(0, len(self), size):
            numbers = np.arange(first, min(first + size, len(self)))
            yield self._rows(numbers, [self.captions[number][0] for number in numbers])

    def _rows(self, numbers: NDArray[np.int64], told: Sequence[str]) -> Batch:
        return {
            "latents": self._scaled(self._latents.latents(numbers)),
            "companions": self._scaled(self._seen.latents(numbers)),
            "shots": torch.from_numpy(numbers),
            **self._told(told),
        }

    def _told(self, captions: Sequence[str]) -> Batch:
        read = [self._reads(caption, self._canvas) for caption in captions]
        return {name: torch.stack([row[name] for row in read]) for name in read[0]}

    def _scaled(self, rows: NDArray[np.float16]) -> Tensor:
        mean, std = self._moments
        found = torch.from_numpy(rows).float()
        return (found - mean) / std if found.ndim == 4 else found


def drawn_pairs(
    parent: Path,
    pairs: PairSet,
    sight: Sight,
    model: Model,
    group: Group,
    progress: Callable[[str, int, int], None],
) -> Pairs:
    """The pairs of a set; what is not there yet is drawn and encoded first.

    Args:
        parent: the folder that holds sets.
        pairs: which.
        sight: what is kept of what is seen.
        model: its autoencoder makes the latents; see ``autoencoder_of``.
        group: the processes that share the work.
        progress: called with what is being done, and how much of how much is done.

    Raises:
        InputError: the world's art is missing, or the folder is not writable.
    """
    folder, autoencoder = made(parent / pairs.folder_name), autoencoder_of(model)
    latents, seen = (
        [folder / f"{name}-{shard:05d}.npy" for shard in shards(pairs.count)]
        for name in (latent_name(model), f"seen-{sight.name}")
    )
    mine = group.missing(seen)
    draw = partial(_draw_shard, folder, pairs, sight.side)
    if mine:
        render(pairs.pair(0).drawn, 32)  # fetches the art, once
    workers = max(1, (os.cpu_count() or 1) // group.size)
    for done, shard in enumerate(by_processes(draw, mine, workers) if mine else (), 1):
        rows = encode(pictures_of(folder, shard), autoencoder, group.device)
        write_array(latents[shard], rows)
        write_array(seen[shard], sight.make(np.load(_seen_file(folder, shard), mmap_mode="r")))
        drop_pictures(folder, shard)
        _seen_file(folder, shard).unlink()
        if group.leads:
            progress("pairs drawn and encoded", pairs.count * done // len(mine), pairs.count)
    group.wait()
    about: dict[str, Any] = {**asdict(pairs), "single": 0}
    said = group.leader_first(lambda: finish(folder, about)).captions
    drawn, beside = (
        LatentSet([np.load(file, mmap_mode="r") for file in files]) for files in (latents, seen)
    )
    captions = [row[: pairs.wordings] for row in said]
    telling = ["".join(row[pairs.wordings :]) for row in said]
    return Pairs(captions, telling, drawn, beside, model)


def shown(pairs: PairSet, count: int) -> list[Shown]:
    """The first pairs of a set to look at, told by their first wordings."""
    found = [pairs.pair(number) for number in range(min(count, pairs.count))]
    return [
        Shown(_picture(pair.drawn, pairs), _picture(pair.seen, pairs), pair.wordings[0])
        for pair in found
    ]


def as_latents(model: Model, size: int, device: torch.device) -> Sight:
    """What is seen as latents of pictures of this size."""
    autoencoder = autoencoder_of(model)
    return Sight(latent_name(model), size, lambda rows: encode(rows, autoencoder, device))


def as_vectors(eye: Eye, device: torch.device) -> Sight:
    """What is seen as vectors of an image tower, shown the pictures as they are."""
    tower = eye.tower.to(device)

    @torch.no_grad()
    def make(pictures: Pictures) -> NDArray[np.float16]:
        parts: list[NDArray[np.float16]] = []
        for first in range(0, len(pictures), BATCH):
            batch = [Image.fromarray(row) for row in pictures[first : first + BATCH]]
            pixels = torch.cat([eye.pixels(picture) for picture in batch])
            parts.append(tower(pixels.to(device))[1].half().cpu().numpy())
        return np.concatenate(parts)

    return Sight(f"vectors-{tower_digest(eye)}", tower.params.size, make)


def autoencoder_of(model: Model) -> Autoencoder:
    """The model's autoencoder.

    Raises:
        InputError: it is one that only decodes well.
    """
    if not isinstance(model.autoencoder, Autoencoder):
        raise InputError("a tiny autoencoder is no teacher: give the model with its own")
    return model.autoencoder


def latent_name(model: Model) -> str:
    """What files with latents of a model are called."""
    return f"latents-{weights_digest(autoencoder_of(model))}"


def tower_digest(eye: Eye) -> str:
    """Eight hex digits that stand for an image tower."""
    return digest(eye.tower.state_dict())[:8]


def _draw_shard(folder: Path, pairs: PairSet, side: int, shard: int) -> None:
    first = shard * SHARD
    found = [pairs.pair(number) for number in range(first, min(first + SHARD, pairs.count))]
    seen = np.stack([_shrunk(render(pair.seen, pairs.size), side) for pair in found])
    write_array(_seen_file(folder, shard), seen)
    pictures = np.stack([render(pair.drawn, pairs.size) for pair in found])
    write_shard(folder, shard, pictures, [[*pair.wordings, pair.telling] for pair in found])


def _picture(scene: Scene, pairs: PairSet) -> Image.Image:
    return Image.fromarray(render(scene, pairs.size))


def _shrunk(picture: Pictures, side: int) -> Pictures:
    """As an image tower's pictures are made ready, so that it sees here what it will see in use."""
    if len(picture) == side:
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def _seen_file(folder: Path, shard: int) -> Path:
    return folder / f"{shard:05d}-seen.npy"
