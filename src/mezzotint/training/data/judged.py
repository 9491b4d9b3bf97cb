"""Pictures for the judge, with what stands where in each; no generator is trained on them."""

import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from hashlib import blake2b
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mezzotint.files import made, write_whole
from mezzotint.training.data.judge_scene import judge_scene
from mezzotint.training.data.pictures import (
    SHARD,
    Pictures,
    PictureSet,
    finish,
    missing_shards,
    shards,
    write_shard,
)
from mezzotint.training.data.workers import by_processes
from mezzotint.world.layout import Box, box, hat_spot
from mezzotint.world.render import render
from mezzotint.world.scene import (
    COLOURS,
    HOURLESS,
    HOURS,
    MOST,
    OUTDOORS,
    PLACES,
    SEASONAL,
    SEASONS,
    STYLES,
    VERSION,
    WEATHERS,
    Colour,
    Scene,
)
from mezzotint.world.sprites import main_colour
from mezzotint.world.things import KINDS

FIRST_SEED, HELD_OUT_SEED = 2_000_000_000, 2_900_000_000
DRAWN, SIZE = 256, 128  # pixels along a side: drawn as large as those it will judge, and shrunk
ROWS = 2 * MOST  # objects of a picture: every drawing may wear a hat
ALIKE, CLEARLY = 0.5, 0.7  # of the usual distance of the dyed art, and of the next nearest
UNASKED = -100  # the answer to a question that the place does not allow


@dataclass(frozen=True)
class Judged:
    """Pictures and what they show.

    Attributes:
        pictures: 128 pixels along a side.
        objects: (n, 8, 6) float32: number of the kind, −1 where there is none; number of the
            colour; left, top, right and bottom as fractions of the side.
        answers: (n, 5) int64: numbers of place, hour, season, weather, style; −100 where the
            place does not show it.
    """

    pictures: PictureSet
    objects: NDArray[np.float32]
    answers: NDArray[np.int64]


def described(scene: Scene, names: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The labels of a scene: rows (8, 6) of objects and answers (5,), as ``Judged`` has them."""
    rows = np.full((ROWS, 6), -1, np.float32)
    for row, (name, colour, where) in zip(rows, _drawings(scene), strict=False):
        row[:] = (names.index(name), colour, *where)
    asked = (
        PLACES.index(scene.place),
        UNASKED if scene.place in HOURLESS else HOURS.index(scene.hour),
        SEASONS.index(scene.season) if scene.place in SEASONAL else UNASKED,
        WEATHERS.index(scene.weather) if scene.place in OUTDOORS else UNASKED,
        STYLES.index(scene.style),
    )
    return rows, np.array(asked, np.int64)


def judged_scenes(
    parent: Path,
    count: int,
    first_seed: int,
    names: tuple[str, ...],
    progress: Callable[[str, int, int], None],
) -> Judged:
    """Draw a set of scenes into a folder of ``parent`` if it is not there yet, and open it.

    Raises:
        InputError: the world's art is missing, or the folder is not writable.
    """
    told = json.dumps([VERSION, count, first_seed, names])
    folder = parent / f"judged-{count}-{blake2b(told.encode(), digest_size=4).hexdigest()}"
    if not (folder / "set.json").exists():
        _draw(made(folder), count, first_seed, names, progress)
    labels = [np.load(_label_file(folder, shard)) for shard in shards(count)]
    return Judged(
        PictureSet(folder),
        np.concatenate([part["objects"] for part in labels]),
        np.concatenate([part["answers"] for part in labels]),
    )


def shrunk(pictures: Pictures) -> Pictures:
    """Pictures (..., 256, 256, 3) at half the size, by the mean of each 2 × 2 pixels."""
    blocks = pictures.reshape(*pictures.shape[:-3], SIZE, 2, SIZE, 2, 3)
    return blocks.mean(axis=(-4, -2)).round().astype(np.uint8)


def _draw(
    folder: Path,
    count: int,
    first_seed: int,
    names: tuple[str, ...],
    progress: Callable[[str, int, int], None],
) -> None:
    render(judge_scene(0, names), 32)  # fetches the art, once
    todo = missing_shards(folder, count)
    draw = partial(_draw_shard, folder, count, first_seed, names)
    there = len(shards(count)) - len(todo)
    for done, _ in enumerate(by_processes(draw, todo, os.cpu_count() or 1), there + 1):
        progress("scenes drawn for the judge", min(count, done * SHARD), count)
    finish(folder, {"size": SIZE, "count": count, "single": 0, "names": names})


def _draw_shard(
    folder: Path, count: int, first_seed: int, names: tuple[str, ...], shard: int
) -> None:
    seeds = range(first_seed + shard * SHARD, first_seed + min((shard + 1) * SHARD, count))
    scenes = [judge_scene(seed, names) for seed in seeds]
    objects, answers = map(np.stack, zip(*map(described, scenes, repeat(names)), strict=True))
    buffer = io.BytesIO()
    np.savez(buffer, objects=objects, answers=answers)
    write_whole(_label_file(folder, shard), buffer.getvalue())
    pictures = np.stack([shrunk(render(scene, DRAWN)) for scene in scenes])
    write_shard(folder, shard, pictures, [[] for _ in scenes])


def _label_file(folder: Path, shard: int) -> Path:
    return folder / f"{shard:05d}-labels.npz"


def _drawings(scene: Scene) -> list[tuple[str, int, Box]]:
    """Name, number of the colour and box of every drawing, and of the hats on them."""
    own = len(COLOURS)
    found: list[tuple[str, int, Box]] = []
    for thing in scene.things:
        colour = thing.colour or own_colour(thing.name)
        for spot in thing.spots:
            number = COLOURS.index(colour) if colour else own
            found.append((thing.name, number, box(thing.name, spot)))
            if thing.hat:
                hat = own_colour(thing.hat)
                where = box(thing.hat, hat_spot(thing, spot))
                found.append((thing.hat, COLOURS.index(hat) if hat else own, where))
    return found


@cache
def own_colour(name: str) -> Colour | None:
    """The colour that an object has of its own, where its art dyed so looks the same.

    An apple is red before anybody makes it so: nobody could tell the two apart.
    """
    own, colours = main_colour(name, None), KINDS[name].colours
    if len(colours) < 2:
        return None
    away = [float(np.abs(main_colour(name, colour) - own).sum()) for colour in colours]
    nearest, next_one = sorted(away)[:2]
    clear = nearest < ALIKE * float(np.median(away)) and nearest < CLEARLY * next_one
    return colours[int(np.argmin(away))] if clear else None
