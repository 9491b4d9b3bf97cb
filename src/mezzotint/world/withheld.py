"""Combinations that no scene is drawn with, so that a model can be asked for what it never saw."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import combinations
from typing import Literal

from mezzotint.world.scene import Scene

Family = Literal["pair", "colour", "count", "place", "style"]
"""Two objects together; an object and its colour, its number (2 to 4), its place, its style."""

ONE_IN = 12


def withheld(family: Family, *words: str) -> bool:
    """Whether this combination is kept back: one in twelve is, the same ones for ever.

    The order of ``words`` does not matter.
    """
    text = "\n".join((family, *sorted(words)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") % ONE_IN == 0


def kept_back(scene: Scene) -> bool:
    """Whether a scene has a withheld combination, so that no model may be trained on it."""
    return any(withheld(family, *words) for family, words in _combinations(scene))


def _combinations(scene: Scene) -> Iterator[tuple[Family, tuple[str, str]]]:
    names = [name for thing in scene.things for name in (thing.name, thing.hat) if name is not None]
    for pair in combinations(names, 2):
        yield "pair", pair
    for name in names:
        yield "place", (name, scene.place)
        if scene.style != "storybook":  # which nobody asks for in words
            yield "style", (name, scene.style)
    for thing in scene.things:
        if thing.colour is not None:
            yield "colour", (thing.name, thing.colour)
        if thing.count > 1:
            yield "count", (thing.name, str(thing.count))
