"""What a network remembers of a prompt: the keys and values of everything that attends to it.

They know nothing of the picture and of the time, so they are the same through all steps.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TypeAlias

from torch import Tensor

KeysValues: TypeAlias = tuple[Tensor, Tensor]
"""Keys and values (b, heads, n, d) of a prompt, for one attention."""

Memory: TypeAlias = tuple[Tensor, ...]
"""Keys, values, keys, values …, in the order in which a network attends: flat, for graphs."""


def flat(pairs: Iterable[KeysValues]) -> Memory:
    """A memory of the keys and values of each attention."""
    return tuple(chain.from_iterable(pairs))


def pairs(memory: Memory) -> Iterator[KeysValues]:
    """The keys and values of each attention, one after the other."""
    return zip(memory[::2], memory[1::2], strict=True)
