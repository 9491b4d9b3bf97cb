"""Pairs of scenes that differ by one change, and instructions that ask for it.

What a model learns to edit by instruction from (Brooks et al. 2022, "InstructPix2Pix", 2211.09800);
there a language model wrote the instructions and prompt-to-prompt made the pairs, here both follow
from the scenes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mezzotint.world.scene import Scene
from mezzotint.world.things import CORE

ChangeKind = Literal[
    "hour", "season", "weather", "place", "style", "colour", "hat", "add", "remove", "replace"
]
CHANGES: tuple[ChangeKind, ...] = get_args(ChangeKind)


@dataclass(frozen=True)
class Change:
    """One change: the scene before it and after it."""

    kind: ChangeKind
    before: Scene
    after: Scene


def sample_change(
    seed: int, kinds: Sequence[ChangeKind] = CHANGES, names: tuple[str, ...] = CORE
) -> Change:
    """The change of a seed, each of ``kinds`` as likely, with objects and hats among ``names``.

    Raises:
        InputError: the seed is negative, a kind or name is unknown, or no such change can be made.
    """
    raise NotImplementedError


def instruction(change: Change, seed: int) -> str:
    """Words that ask for a change, in lower case: the same for ever.

    Raises:
        InputError: the seed is negative.
    """
    raise NotImplementedError


def change_mask(change: Change, size: int = 256) -> NDArray[np.bool_]:
    """Where the two pictures differ by more than rounding: ``(size, size)``."""
    raise NotImplementedError
