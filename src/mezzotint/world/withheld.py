"""Combinations that no scene is drawn with, so that a model can be asked for what it never saw."""

from hashlib import blake2b
from typing import Literal

Family = Literal["pair", "colour", "count", "place", "style"]
"""Two objects together; an object and its colour, its number (2 to 4), its place, its style."""

ONE_IN = 12


def withheld(family: Family, *words: str) -> bool:
    """Whether this combination is kept back: one in twelve is, the same ones for ever.

    The order of ``words`` does not matter.
    """
    text = "\n".join((family, *sorted(words)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") % ONE_IN == 0
