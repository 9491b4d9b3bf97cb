"""Sets of pictures drawn from the storybook world, by several processes, once."""

import json
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mezzotint.files import made
from mezzotint.training.data.arrays import write_array
from mezzotint.training.data.pictures import (
    SHARD,
    Pictures,
    PictureSet,
    finish,
    missing_shards,
    shards,
    write_captions,
    write_shard,
)
from mezzotint.training.data.workers import by_processes
from mezzotint.world import VERSION, Scene, caption, render, sample_scene

DENSITIES = ("dense", "short", "bare", "tags")
DENSITY_SHARES = (0.4, 0.3, 0.2, 0.1)
HELD_OUT_SEEDS = 1_000_000_000  # scene seeds from here on are never trained on

Also = Callable[[Path, int, Sequence[Scene], Pictures], None]
"""What is kept of a shard beside its pictures: (folder, shard, its scenes, its pictures) → None; a
function that another process can find by its name."""


@dataclass(frozen=True)
class SceneSet:
    """Which scenes of the world a set holds.

    Attributes:
        size: pixels along a side.
        count: how many scenes.
        single: how many of them, the first ones, show one object each.
        wordings: captions for each scene.
        first_seed: scene k has the seed ``first_seed + k``.
    """

    size: int
    count: int
    single: int
    wordings: int
    first_seed: int

    @property
    def folder_name(self) -> str:
        """A name that differs between any two sets, and between versions of the world."""
        digest = blake2b(json.dumps(asdict(self)).encode(), digest_size=4).hexdigest()
        return f"world{VERSION}-{self.size}px-{self.count}-{digest}"


def held_out(scenes: SceneSet, count: int) -> SceneSet:
    """``count`` mixed scenes that no training set contains."""
    return SceneSet(scenes.size, count, 0, scenes.wordings, HELD_OUT_SEEDS)


def scene_pictures(
    parent: Path, scenes: SceneSet, progress: Callable[[str, int, int], None]
) -> PictureSet:
    """Draw the set into a folder of ``parent`` if it is not there yet, and open it.

    Args:
        parent: the folder that holds sets.
        scenes: which scenes.
        progress: called with what is being done, and how much of how much is done.

    Raises:
        InputError: the world's art is missing, or the folder is not writable.
    """
    folder = parent / scenes.folder_name
    if (folder / "set.json").exists():
        return PictureSet(folder)
    todo = missing_shards(made(folder), scenes.count)
    there = len(shards(scenes.count)) - len(todo)
    for done, _ in enumerate(drawn(folder, scenes, todo, os.cpu_count() or 1), there + 1):
        progress("scenes drawn", min(scenes.count, done * SHARD), scenes.count)
    return finish(folder, asdict(scenes))


def scene_captions(parent: Path, scenes: SceneSet) -> PictureSet:
    """The captions of a set whose pictures are not needed, written first if they are not there.

    Raises:
        InputError: the world's art is missing, or the folder is not writable.
    """
    folder = parent / f"{scenes.folder_name}-captions"
    if (folder / "set.json").exists():
        return PictureSet(folder)
    for shard in missing_shards(made(folder), scenes.count):
        write_captions(folder, shard, [_captions(*_scene(scenes, k)) for k in _of(scenes, shard)])
    return finish(folder, asdict(scenes))


def drawn(
    folder: Path, scenes: SceneSet, todo: list[int], workers: int, also: Also | None = None
) -> Generator[int]:
    """Draw shards into ``folder`` and yield the number of each as soon as it is there.

    Args:
        folder: the set's.
        scenes: which scenes.
        todo: the shards to draw.
        workers: processes; no more than two shards for each are drawn ahead of who takes them.
        also: called with each shard before it counts as drawn.

    Raises:
        InputError: the world's art is missing.
    """
    if not todo:
        return
    _fetch_art()
    yield from by_processes(partial(_draw_shard, folder, scenes, also), todo, workers)


def _fetch_art() -> None:
    # once, here, rather than by every worker at the same moment
    render(sample_scene(0), 32)


def _draw_shard(folder: Path, scenes: SceneSet, also: Also | None, shard: int) -> None:
    drawings = [_scene(scenes, index) for index in _of(scenes, shard)]
    pictures = np.stack([render(scene, scenes.size) for scene, *_ in drawings])
    if also is not None:
        also(folder, shard, [scene for scene, *_ in drawings], pictures)
    write_shard(folder, shard, pictures, [_captions(*drawing) for drawing in drawings])


def scenes_of(scenes: SceneSet, shard: int) -> list[Scene]:
    """The scenes of one shard."""
    return [_scene(scenes, index)[0] for index in _of(scenes, shard)]


def kept_beside(
    pictures: PictureSet, scenes: SceneSet, name: str, tell: Callable[[Scene], NDArray[Any]]
) -> list[NDArray[Any]]:
    """An array for each scene of a set, stacked by shards beside its captions, worked out once.

    Args:
        pictures: the set, or its captions alone.
        scenes: which scenes it holds.
        name: what the files are called after their shards.
        tell: makes the array; a function that another process can find by its name.

    Raises:
        InputError: the folder is not writable.
    """
    files = {shard: pictures.folder / f"{shard:05d}-{name}.npy" for shard in shards(scenes.count)}
    todo = [shard for shard, file in files.items() if not file.exists()]
    write = partial(_write_beside, files, scenes, tell)
    for _ in by_processes(write, todo, os.cpu_count() or 1):
        pass
    return [np.load(file, mmap_mode="r") for file in files.values()]


def _write_beside(
    files: Mapping[int, Path], scenes: SceneSet, tell: Callable[[Scene], NDArray[Any]], shard: int
) -> None:
    write_array(files[shard], np.stack([tell(scene) for scene in scenes_of(scenes, shard)]))


def _of(scenes: SceneSet, shard: int) -> range:
    """The numbers of a shard's scenes."""
    return range(shard * SHARD, min((shard + 1) * SHARD, scenes.count))


def _scene(scenes: SceneSet, index: int) -> tuple[Scene, int, int]:
    """A scene of the set, its seed, and how many captions it has."""
    seed = scenes.first_seed + index
    stage = "single" if index < scenes.single else "mixed"
    return sample_scene(seed, stage), seed, scenes.wordings


def _captions(scene: Scene, seed: int, wordings: int) -> list[str]:
    densities = np.random.default_rng(seed).choice(len(DENSITIES), wordings, p=DENSITY_SHARES)
    return [caption(scene, wording, DENSITIES[d]) for wording, d in enumerate(densities)]
