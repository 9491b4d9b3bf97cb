"""Which rows of a batch are of a negative prompt: what steers a picture by another leaves them out.

Classifier-free guidance goes away from what they say (Ho & Salimans 2207.12598), so what they are
not shown counts for as much as the prompt does.
"""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from torch import nn

_NEGATIVE: WeakKeyDictionary[nn.Module, tuple[bool, ...]] = WeakKeyDictionary()


def negative_rows(network: nn.Module, rows: Sequence[bool]) -> None:
    """Tell which rows of the batches that ``network`` gets next are of a negative prompt."""
    _NEGATIVE[network] = tuple(rows)


def told_negative(network: nn.Module) -> tuple[bool, ...]:
    """What ``negative_rows`` was last told; empty if it never was."""
    return _NEGATIVE.get(network, ())


def are_negative(network: nn.Module, number: int) -> tuple[bool, ...]:
    """Of each row of a batch of so many, whether it is of a negative prompt; none if nobody said.

    Raises:
        ValueError: ``negative_rows`` was told of another number of rows.
    """
    negative = told_negative(network) or (False,) * number
    if len(negative) != number:
        raise ValueError(f"told of {len(negative)} rows, and {number} came")
    return negative
