"""What a ControlNet learns from: latents, captions, and pictures of conditions of some kinds.

Of the storybook world all conditions of a scene are known. They are kept small beside the latents:
edges as bits, depth at half the side, boxes as numbers; at 256 × 256 pixels, 32 KB a scene in all.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mezzotint.adapters.maps import canny
from mezzotint.families.base import Model, text_name
from mezzotint.files import write_whole
from mezzotint.training.data.arrays import write_array
from mezzotint.training.data.examples import Examples
from mezzotint.training.data.latents import LatentSet
from mezzotint.training.data.pictures import SHARD, Pictures, PictureSet, shards
from mezzotint.training.draw import Draw, visits
from mezzotint.training.task import Batch
from mezzotint.world import Scene, box_map, boxes, depth

WORLD = ("edges", "depth", "boxes")
"""The kinds of conditions that the world knows."""

Maps = NDArray[np.uint8]


class Controls(Protocol):
    """Pictures and conditions to learn them under.

    A batch has ``latents`` (b, c, h, w) of zero mean and unit variance, ``conditions`` (b, 1, H, W)
    or (b, 3, H, W) in [0, 1], ``kinds`` (b,), the place of each one's kind, and either what the
    network is told, or the tokens of what the text encoders are.
    """

    def batch(self, draw: Draw, blank: NDArray[np.bool_]) -> Batch:
        """This process's rows of the batch of a step; ``blank`` (rows,) have no caption."""
        ...

    def each(self, size: int) -> Iterator[Batch]:
        """Every picture with each kind of condition, in batches of ``size`` at most."""
        ...

    def shown(self, count: int) -> list[tuple[str, Image.Image, str]]:
        """Kind, condition and caption of the first pictures, ``count`` of each kind."""
        ...


@dataclass(frozen=True)
class _Part:
    """What is kept of a shard: (n, s, s/8) bits, (n, s/2, s/2), and the boxes of each scene."""

    edges: Maps
    depths: Maps
    boxes: list[list[tuple[float, float, float, float]]]


def keep_conditions(folder: Path, shard: int, scenes: Sequence[Scene], pictures: Pictures) -> None:
    """Keep the conditions of a shard's scenes beside their latents.

    Raises:
        InputError: OpenCV is not installed, or the folder is not writable.
    """
    size = pictures.shape[1]
    edges = np.stack([np.packbits(canny(picture) > 0, axis=-1) for picture in pictures])
    write_array(folder / f"edges-{shard:05d}.npy", edges)
    depths = np.stack([_halved(depth(scene, size)) for scene in scenes])
    write_array(folder / f"depths-{shard:05d}.npy", depths)
    placed = [[box for _, box in boxes(scene)] for scene in scenes]
    write_whole(folder / f"boxes-{shard:05d}.json", json.dumps(placed).encode())


class WorldControls:
    """Scenes of the world, whose conditions ``keep_conditions`` kept.

    Args:
        pictures: the scenes' captions.
        latents: theirs, as the autoencoder gave them.
        kinds: some of ``WORLD``.
        model: whose scale of latents and text encoders are taken.
        seed: of the order of the scenes.
    """

    def __init__(
        self,
        pictures: PictureSet,
        latents: LatentSet,
        kinds: tuple[str, ...],
        model: Model,
        seed: int,
    ) -> None:
        self.kinds, self.seed = kinds, seed
        self._pictures, self._latents, self._encoders = pictures, latents, model.encoders
        self._mean, self._std = model.latent_mean.cpu(), model.latent_std.cpu()
        self._parts = [_opened(pictures.folder, shard) for shard in shards(len(pictures))]

    def batch(self, draw: Draw, blank: NDArray[np.bool_]) -> Batch:
        """The rows take turns in their kinds, so that each batch has as many of each."""
        count, start = len(self._pictures), draw.step * draw.batch
        numbers = visits(self.seed, count, start, draw.batch)[draw.rows]
        kinds = (np.arange(draw.batch)[draw.rows] + draw.step) % len(self.kinds)
        wordings = draw.integers("wording", len(self._pictures.captions[0]))
        captions = [
            "" if empty else self._pictures.captions[number][wording]
            for number, wording, empty in zip(
                numbers.tolist(), wordings.tolist(), blank.tolist(), strict=True
            )
        ]
        return self._rows(numbers, kinds, captions)

    def each(self, size: int) -> Iterator[Batch]:
        """By the first caption of each."""
        for first in range(0, len(self._pictures), size):
            numbers = np.arange(first, min(first + size, len(self._pictures)))
            captions = [self._pictures.captions[number][0] for number in numbers.tolist()]
            for kind in range(len(self.kinds)):
                yield self._rows(numbers, np.full_like(numbers, kind), captions)

    def shown(self, count: int) -> list[tuple[str, Image.Image, str]]:
        """The same scenes under each kind of condition."""
        numbers = range(min(count, len(self._pictures)))
        return [
            (
                kind,
                Image.fromarray(self.condition(kind, number)),
                self._pictures.captions[number][0],
            )
            for kind in self.kinds
            for number in numbers
        ]

    def condition(self, kind: str, number: int) -> Maps:
        """A condition (size, size) of a scene."""
        part, row = self._parts[number // SHARD], number % SHARD
        match kind:
            case "edges":
                return 255 * np.unpackbits(part.edges[row], axis=-1)
            case "depth":
                size = self._pictures.size
                small = Image.fromarray(np.asarray(part.depths[row]))
                return np.asarray(small.resize((size, size), Image.Resampling.BILINEAR))
            case _:
                return box_map(part.boxes[row], self._pictures.size)[..., 0]

    def _rows(
        self, numbers: NDArray[np.int64], kinds: NDArray[np.int64], captions: list[str]
    ) -> Batch:
        latents = torch.from_numpy(self._latents.latents(numbers)).float()
        pairs = zip(kinds.tolist(), numbers.tolist(), strict=True)
        conditions = np.stack([self.condition(self.kinds[kind], number) for kind, number in pairs])
        tokens = {
            text_name(k).replace("text", "tokens"): encoder.windows(captions)
            for k, encoder in enumerate(self._encoders)
        }
        return {
            "latents": (latents - self._mean) / self._std,
            "conditions": torch.from_numpy(conditions)[:, None].float() / 255,
            "kinds": torch.from_numpy(kinds),
            **tokens,
        }


class AlbumControls:
    """Somebody's pictures, whose companions are conditions of one kind."""

    def __init__(self, examples: Examples, kind: str) -> None:
        self._examples, self._kind = examples, kind

    def batch(self, draw: Draw, blank: NDArray[np.bool_]) -> Batch:
        """All of one size."""
        return _of_one_kind(self._examples.batch(draw, blank))

    def each(self, size: int) -> Iterator[Batch]:
        """By the first caption of each."""
        return map(_of_one_kind, self._examples.each(size))

    def shown(self, count: int) -> list[tuple[str, Image.Image, str]]:
        """The first pictures as they are."""
        found: list[tuple[str, Image.Image, str]] = []
        for batch in islice(self._examples.each(1), count):
            pixels = (batch["companions"][0] * 255).round().to(torch.uint8).permute(1, 2, 0)
            caption = self._examples.ready[int(batch["shots"])].wordings[0]
            found.append((self._kind, Image.fromarray(pixels.squeeze(-1).numpy()), caption))
        return found


def _of_one_kind(batch: Batch) -> Batch:
    kept = {name: rows for name, rows in batch.items() if name not in ("companions", "shots")}
    kinds = torch.zeros(len(batch["latents"]), dtype=torch.int64)
    return {**kept, "conditions": batch["companions"], "kinds": kinds}


def _opened(folder: Path, shard: int) -> _Part:
    edges, depths = (
        np.load(folder / f"{name}-{shard:05d}.npy", mmap_mode="r") for name in ("edges", "depths")
    )
    placed = json.loads((folder / f"boxes-{shard:05d}.json").read_text())
    return _Part(edges, depths, [[tuple(box) for box in scene] for scene in placed])


def _halved(near: NDArray[np.float32]) -> Maps:
    side = len(near) // 2
    means = near.reshape(side, 2, side, 2).mean((1, 3))
    return (means * 255).round().astype(np.uint8)
