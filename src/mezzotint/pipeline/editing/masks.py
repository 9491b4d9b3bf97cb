"""Where a picture is painted anew: a picture, a box, or what the network itself finds."""

from dataclasses import dataclass
from typing import TypeAlias

from mezzotint.adapters.pictures import Picture
from mezzotint.errors import InputError

SHARE = 0.4


@dataclass(frozen=True)
class Box:
    """A part of a picture: shares of its sides if all four are at most 1, else pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def sides(self) -> tuple[float, float, float, float]:
        """All four."""
        return self.left, self.top, self.right, self.bottom

    def __str__(self) -> str:
        return "box:" + ",".join(f"{side:g}" for side in self.sides)


@dataclass(frozen=True)
class Word:
    """Where a picture shows a word of its prompt, as the network's attention finds it."""

    text: str

    def __str__(self) -> str:
        return f"word:{self.text}"


@dataclass(frozen=True)
class Relevant:
    """Where an instruction, or the prompt beside ``source``, changes anything to speak of."""

    share: float

    def __str__(self) -> str:
        return f"relevant:{self.share:g}"


Found: TypeAlias = Word | Relevant
"""What a network finds."""
Mask: TypeAlias = Picture | Box | Found


def box(left: float, top: float, right: float, bottom: float) -> Box:
    """A mask: the box between these lines, from the picture's left and top.

    Args:
        left, top, right, bottom: shares of the picture's sides, 0…1; pixels if one is above 1.

    Raises:
        InputError: it is empty, or begins outside of the picture.
    """
    made = Box(left, top, right, bottom)
    if not (0 <= left < right < float("inf") and 0 <= top < bottom < float("inf")):
        raise InputError(f"{made}: give left < right and top < bottom, such as box:0.1,0.2,0.5,0.9")
    return made


def word(text: str) -> Word:
    """A mask: where the picture shows a word of ``source`` or else of the prompt.

    Raises:
        InputError: there is no word.
    """
    if not text.strip():
        raise InputError("word: is empty, give one of the prompt, such as word:fox")
    return Word(text.strip())


def relevant(share: float = SHARE) -> Relevant:
    """A mask: where the prompt, an instruction or beside ``source``, changes anything to speak of.

    Beside ``source`` it is found before anything is drawn, by what the network takes the picture
    for; of an edit by instruction afterwards, by how far what is drawn differs from the picture.

    Args:
        share: of the greatest change, from which on a place counts: 0, all of the picture, to just
            below 1, less and less of it.

    Raises:
        InputError: it is no such share.
    """
    if not 0 <= share < 1:
        raise InputError(f"relevant:{share:g}: give a share from 0 to below 1, such as {SHARE}")
    return Relevant(float(share))


def said(text: str) -> Box | Found | None:
    """A mask in words: box:L,T,R,B, word:WORD, relevant or relevant:SHARE; None if it is neither.

    Raises:
        InputError: it begins as one of these, and is none.
    """
    kind, _, rest = text.partition(":")
    match kind:
        case "box":
            numbers = [_number(text, part) for part in rest.split(",")]
            if len(numbers) != 4:
                raise InputError(f"{text}: give four numbers, such as box:0.1,0.2,0.5,0.9")
            return box(*numbers)
        case "word":
            return word(rest)
        case "relevant":
            return relevant(_number(text, rest)) if rest else relevant()
        case _:
            return None


def _number(said: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{said}: {text.strip()!r} is no number") from None
