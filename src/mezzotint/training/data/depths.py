"""Pictures of the world with their depth, for the network that sees it in generated pictures.

Scenes are the judge's kind, every combination as likely as another, with seeds of their own: no
generator and no judge is trained on them.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mezzotint.files import made
from mezzotint.models.pyramid import CELLS
from mezzotint.training.data.arrays import write_array
from mezzotint.training.data.judge_scene import NAMES, judge_scene
from mezzotint.training.data.judged import DRAWN, SIZE, shrunk
from mezzotint.training.data.pictures import (
    SHARD,
    PictureSet,
    finish,
    missing_shards,
    shards,
    write_shard,
)
from mezzotint.training.data.workers import by_processes
from mezzotint.world.depth import depth
from mezzotint.world.render import render
from mezzotint.world.scene import VERSION

FIRST_SEED, HELD_OUT_SEED = 3_000_000_000, 3_900_000_000


@dataclass(frozen=True)
class Depths:
    """Pictures and how near everything in them is.

    Attributes:
        pictures: 128 pixels along a side.
        depths: (n, 32, 32) uint8, 255 for a depth of 1.
    """

    pictures: PictureSet
    depths: NDArray[np.uint8]


def depth_scenes(
    parent: Path, count: int, first_seed: int, progress: Callable[[str, int, int], None]
) -> Depths:
    """Draw a set of scenes into a folder of ``parent`` if it is not there yet, and open it.

    Raises:
        InputError: the world's art is missing, or the folder is not writable.
    """
    folder = parent / f"depths{VERSION}-{count}-{first_seed}"
    if not (folder / "set.json").exists():
        _draw(made(folder), count, first_seed, progress)
    each = [np.load(_depth_file(folder, shard)) for shard in shards(count)]
    return Depths(PictureSet(folder), np.concatenate(each))


def averaged(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A depth map (size, size) in [0, 1], 32 along a side or a multiple, as one of ``Depths``."""
    pixels = len(depth) // CELLS
    means = depth.reshape(CELLS, pixels, CELLS, pixels).mean((1, 3))
    return (means * 255).round().astype(np.uint8)


def _draw(
    folder: Path, count: int, first_seed: int, progress: Callable[[str, int, int], None]
) -> None:
    render(judge_scene(0, NAMES), 32)  # fetches the art, once
    todo = missing_shards(folder, count)
    draw = partial(_draw_shard, folder, count, first_seed)
    there = len(shards(count)) - len(todo)
    for done, _ in enumerate(by_processes(draw, todo, os.cpu_count() or 1), there + 1):
        progress("scenes drawn with their depth", min(count, done * SHARD), count)
    finish(folder, {"size": SIZE, "count": count, "single": 0, "names": NAMES})


def _draw_shard(folder: Path, count: int, first_seed: int, shard: int) -> None:
    seeds = range(first_seed + shard * SHARD, first_seed + min((shard + 1) * SHARD, count))
    scenes = [judge_scene(seed, NAMES) for seed in seeds]
    depths = np.stack([averaged(depth(scene, SIZE)) for scene in scenes])
    write_array(_depth_file(folder, shard), depths)
    pictures = np.stack([shrunk(render(scene, DRAWN)) for scene in scenes])
    write_shard(folder, shard, pictures, [[] for _ in scenes])


def _depth_file(folder: Path, shard: int) -> Path:
    return folder / f"{shard:05d}-depths.npy"
