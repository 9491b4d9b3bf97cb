"""Pairs of scenes that differ by one change, and instructions that ask for it.

What a model learns to edit by instruction from (Brooks et al. 2022, "InstructPix2Pix", 2211.09800);
there a language model wrote the instructions and prompt-to-prompt made the pairs, here both follow
from the scenes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mezzotint.errors import InputError, unknown
from mezzotint.world.alter import MAKERS
from mezzotint.world.chance import OF_CHANGE, OF_INSTRUCTION, chance
from mezzotint.world.instructions import asked
from mezzotint.world.render import render
from mezzotint.world.sample import sample_scene
from mezzotint.world.scene import Scene, Thing
from mezzotint.world.things import CORE

ChangeKind = Literal[
    "hour", "season", "weather", "place", "style", "colour", "hat", "add", "remove", "replace"
]
CHANGES: tuple[ChangeKind, ...] = get_args(ChangeKind)


ROUNDING = 1  # of 255

TRIES = 1000
"""Scenes looked at for one that can be changed so; with the core's names, ten are many."""


@dataclass(frozen=True)
class Change:
    """One change: the scene before it and after it.

    What is in both is the same but for ``size``, which says how large a thing is among as many.
    """

    kind: ChangeKind
    before: Scene
    after: Scene

    @property
    def was(self) -> Thing | None:
        """The thing that changes or goes, as it was; None where none does."""
        return _missing(self.before.things, self.after.things)

    @property
    def now(self) -> Thing | None:
        """The thing that has changed or come, as it is; None where none has."""
        return _missing(self.after.things, self.before.things)


def sample_change(
    seed: int, kinds: Sequence[ChangeKind] = CHANGES, names: tuple[str, ...] = CORE
) -> Change:
    """The change of a seed, each of ``kinds`` as likely, with objects and hats among ``names``.

    Neither scene has a withheld combination.

    Raises:
        InputError: the seed is negative, a kind or name is unknown, there are no kinds or names,
            or no scene of these names can be changed so.
    """
    if not kinds:
        raise InputError("kinds is empty: give one kind of change or more")
    for kind in kinds:
        if kind not in MAKERS:
            raise unknown("change", kind, CHANGES)
    rng = chance(seed, OF_CHANGE)
    kind = kinds[int(rng.integers(len(kinds)))]
    for _ in range(TRIES):
        scene = sample_scene(int(rng.integers(1 << 62)), names=names)
        made = MAKERS[kind](rng, scene, names)
        if made is not None:
            return Change(kind, *made)
    raise InputError(
        f"no {kind} can be changed in scenes of {', '.join(names[:5])}: give more names"
    )


def instruction(change: Change, seed: int) -> str:
    """Words that ask for a change, in lower case: the same for ever.

    Raises:
        InputError: the seed is negative.
    """
    rng = chance(seed, OF_INSTRUCTION, change.before.variant)
    return asked(rng, change.kind, change.before, change.after, change.was, change.now)


def change_mask(change: Change, size: int = 256) -> NDArray[np.bool_]:
    """Where the two pictures differ by more than rounding: ``(size, size)``."""
    before, after = (
        render(scene, size).astype(np.int16) for scene in (change.before, change.after)
    )
    return np.abs(after - before).max(axis=-1) > ROUNDING


def _missing(these: Sequence[Thing], those: Sequence[Thing]) -> Thing | None:
    same = [replace(thing, size="large") for thing in those]
    return next((thing for thing in these if replace(thing, size="large") not in same), None)
