"""Which part of which thing each place of a scene shows, kept beside its captions."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from mezzotint.training.data.judge_scene import NAMES
from mezzotint.training.data.pictures import SHARD, PictureSet
from mezzotint.training.data.scenes import SceneSet, kept_beside
from mezzotint.world.figures import drawings
from mezzotint.world.parts import parts
from mezzotint.world.scene import Scene

CELL = 16  # pixels along a place
NOTHING = len(NAMES)
LEVELS = 255  # of what is 0…1

Shown = NDArray[np.uint8]
"""(3, h, w): the index of a name, or NOTHING; how far across the thing, and how far down it."""


class PartSet:
    """What the places of a set's scenes show, by number."""

    def __init__(self, shards: list[Shown]) -> None:
        self._shards = shards

    def parts(self, indices: NDArray[np.int64]) -> Shown:
        """(n, 3, h, w) of the scenes with these numbers."""
        return np.stack([self._shards[i // SHARD][i % SHARD] for i in indices.tolist()])


def shown(scene: Scene, size: int) -> Shown:
    """What each place of a picture of ``size`` pixels shows."""
    drawing, across, down = parts(scene, size // CELL)
    names = [NAMES.index(thing.name) for thing, *_ in drawings(scene)]
    kinds = np.array([*names, NOTHING], np.uint8)[drawing]  # −1, none, is the last
    return np.stack([kinds, *(np.rint(each * LEVELS).astype(np.uint8) for each in (across, down))])


def scene_parts(pictures: PictureSet, scenes: SceneSet) -> PartSet:
    """What the places of a set's scenes show, worked out once.

    Raises:
        InputError: the folder is not writable.
    """
    return PartSet(kept_beside(pictures, scenes, "parts", partial(shown, size=scenes.size)))
