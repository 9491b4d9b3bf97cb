"""A set of pictures with captions, on disk in shards that are memory-mapped.

    set/
      set.json          what it was made of, and how many
      00000.npy         pictures (n, size, size, 3) uint8
      00000.json        captions: for each picture, a list of as many variants as it has

Every file appears whole or not at all, so making a set again goes on where it stopped.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mezzotint.errors import InputError
from mezzotint.files import write_whole
from mezzotint.training.data.arrays import write_array

SHARD = 2048
Pictures = NDArray[np.uint8]


class PictureSet:
    """Pictures ``(size, size, 3)`` and their captions, by number.

    Raises:
        InputError: the folder holds no finished set.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.about: dict[str, Any] = json.loads((folder / "set.json").read_text())
        except (OSError, ValueError) as error:
            raise InputError(f"{folder} holds no finished set of pictures") from error
        self.folder = folder
        self.size: int = self.about["size"]
        self.count: int = self.about["count"]
        # the first ``single`` pictures show one object each: what a curriculum begins with
        self.single: int = self.about["single"]

    def __len__(self) -> int:
        return self.count

    @cached_property
    def _shards(self) -> list[Pictures]:
        # opened at first use: where only latents are kept there are none
        return [pictures_of(self.folder, shard) for shard in shards(self.count)]

    def pictures(self, indices: NDArray[np.int64]) -> Pictures:
        """The pictures with these numbers, ``(n, size, size, 3)``."""
        out = np.empty((len(indices), self.size, self.size, 3), np.uint8)
        for row, index in enumerate(indices.tolist()):
            out[row] = self._shards[index // SHARD][index % SHARD]
        return out

    def crops(
        self,
        indices: NDArray[np.int64],
        tops: NDArray[np.int64],
        lefts: NDArray[np.int64],
        size: int,
    ) -> Pictures:
        """The square windows of these pictures at these corners, ``(n, size, size, 3)``."""
        out = np.empty((len(indices), size, size, 3), np.uint8)
        corners = zip(indices.tolist(), tops.tolist(), lefts.tolist(), strict=True)
        for row, (index, top, left) in enumerate(corners):
            picture = self._shards[index // SHARD][index % SHARD]
            out[row] = picture[top : top + size, left : left + size]
        return out

    @cached_property
    def captions(self) -> list[list[str]]:
        """For each picture, its captions: one or more wordings of what it shows."""
        return [
            wordings
            for shard in shards(self.count)
            for wordings in json.loads((self.folder / f"{shard:05d}.json").read_text())
        ]


@dataclass(frozen=True)
class Sets:
    """What is trained on, and what only validation sees."""

    train: PictureSet
    held_out: PictureSet


def shards(count: int) -> range:
    """The shards that ``count`` pictures fill."""
    return range(-(-count // SHARD))


def write_shard(folder: Path, shard: int, pictures: Pictures, captions: list[list[str]]) -> None:
    """Write one shard; the captions come last and say that the pictures are there."""
    write_array(folder / f"{shard:05d}.npy", pictures)
    write_captions(folder, shard, captions)


def write_captions(folder: Path, shard: int, captions: list[list[str]]) -> None:
    """Write the captions of one shard, which says that it is there."""
    write_whole(folder / f"{shard:05d}.json", json.dumps(captions, ensure_ascii=False).encode())


def pictures_of(folder: Path, shard: int) -> Pictures:
    """The pictures of one shard, memory-mapped."""
    return np.load(folder / f"{shard:05d}.npy", mmap_mode="r")


def drop_pictures(folder: Path, shard: int) -> None:
    """Remove the pictures of one shard, and leave its captions."""
    (folder / f"{shard:05d}.npy").unlink(missing_ok=True)


def missing_shards(folder: Path, count: int) -> list[int]:
    """The shards that are yet to be written."""
    return [shard for shard in shards(count) if not (folder / f"{shard:05d}.json").exists()]


def finish(folder: Path, about: dict[str, Any]) -> PictureSet:
    """Declare the set whole and open it."""
    write_whole(folder / "set.json", json.dumps(about, indent=2).encode())
    return PictureSet(folder)
