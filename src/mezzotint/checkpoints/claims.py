"""What a file claims about itself, held against what can be true before anything relies on it."""

import math
from collections.abc import Iterable
from typing import cast

MAX_DIMS = 16
MAX_NAME = 512

# what a reader meets in a damaged file: it says so in one line and goes no further
DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def name_of(claim: object) -> str:
    """The name of a tensor: short and printable, so that an error with it in is one line.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(claim, str) or len(claim) > MAX_NAME or not claim.isprintable():
        raise ValueError(f"no tensor is called {repr(claim)[:40]}")
    return claim


def sizes_of(claim: object) -> tuple[int, ...]:
    """A tensor's sizes or strides: few whole numbers of at most 63 bits.

    Raises:
        ValueError: they are not.
    """
    if not isinstance(claim, (list, tuple)):
        raise ValueError("a shape is not a list of numbers")
    sizes = cast("list[object]", claim)
    if len(sizes) > MAX_DIMS or not all(type(n) is int and 0 <= n < 2**63 for n in sizes):
        raise ValueError("a shape is not a short list of whole numbers")
    return tuple(cast("list[int]", sizes))


def shape_of(claim: object) -> tuple[int, ...]:
    """A tensor's shape, whose numbers can be counted in 63 bits, were none of its sizes zero.

    Raises:
        ValueError: it is not one.
    """
    shape = sizes_of(claim)
    if math.prod(max(n, 1) for n in shape) >= 2**63:
        raise ValueError("a shape has too many numbers")
    return shape


def text_of(claim: object) -> str:
    """A value of metadata as text that can be printed to any terminal that speaks UTF-8."""
    return str(claim).encode(errors="replace").decode()


def why(error: Exception) -> str:
    """What an error says, short and on one line whatever the file had in it."""
    return " ".join(str(error)[:200].split())


def refuse_overlap(spans: Iterable[tuple[int, int]]) -> int:
    """Where the last of the spans (begin, end) ends, 0 if there are none.

    Raises:
        ValueError: a span begins before another has ended.
    """
    last = 0
    for begin, end in sorted(spans):
        if not last <= begin <= end:
            raise ValueError("its tensors overlap")
        last = end
    return last
