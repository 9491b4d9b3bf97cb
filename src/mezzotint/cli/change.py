"""What is said of an edit on the command line: masks and margins."""

from pathlib import Path
from typing import TYPE_CHECKING

from mezzotint.errors import InputError

if TYPE_CHECKING:
    from mezzotint.pipeline.editing.masks import Mask

SIDES: tuple[str, ...] = ("left", "top", "right", "bottom")


def mask_of(text: str) -> "Mask":
    """Read a mask: box:L,T,R,B or word:WORD or a picture's file.

    Raises:
        InputError: it is none of these.
    """
    from mezzotint.pipeline.editing.masks import box, word
    from mezzotint.pipeline.editing.pictures import read

    kind, _, rest = text.partition(":")
    if kind == "word":
        return word(rest)
    if kind != "box":
        return read(Path(text))
    numbers = [_number(text, part) for part in rest.split(",")]
    if len(numbers) != len(SIDES):
        raise InputError(f"{text}: give four numbers, such as box:0.1,0.2,0.5,0.9")
    return box(*numbers)


def expand_of(text: str) -> float | tuple[float, ...]:
    """Read how much a picture grows: 0.5 at every side, or left=128,right=128.

    Raises:
        InputError: it is neither.
    """
    if "=" not in text:
        return _number(f"--expand {text}", text)
    sides = dict.fromkeys(SIDES, 0.0)
    for part in text.split(","):
        side, _, number = part.partition("=")
        if side.strip() not in SIDES:
            raise InputError(f"--expand {text}: sides are {', '.join(SIDES)}, not {side.strip()!r}")
        sides[side.strip()] = _number(f"--expand {text}", number)
    return tuple(sides.values())


def _number(said: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{said}: {text.strip()!r} is no number") from None
