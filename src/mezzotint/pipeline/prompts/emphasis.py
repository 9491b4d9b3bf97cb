"""How much each word weighs: `(word:1.2)` and its kin, as A1111 and as ComfyUI read them."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from mezzotint.errors import InputError

STEP = 1.1  # what one pair of brackets does to a weight
DEEPEST = 100  # brackets in brackets; 1.1¹⁰⁰ is above ten thousand


@dataclass(frozen=True)
class Span:
    """Words of one weight, or an embedding.

    Attributes:
        text: the words without their syntax; the name if it is an embedding.
        weight: 1 leaves the words as they are; may be 0 or negative.
        embedding: whether `text` names a textual inversion's vectors.
    """

    text: str
    weight: float = 1.0
    embedding: bool = False


Chunk: TypeAlias = tuple[Span, ...]
"""What is encoded together, unless it is longer than the text encoder takes."""

_A1111 = re.compile(
    r"\\(?P<escaped>[][()\\]?)"
    r"|:\s*(?P<weight>[+-]?[.\d]+)\s*\)"
    r"|(?P<bracket>[][()])"
    r"|[^][()\\:]+"
    r"|:"
)
_BREAK = re.compile(r"\bBREAK\b")
_COMFYUI = re.compile(r"\\[()]|[()]|[^\\()]+|\\")


def a1111(text: str) -> tuple[Chunk, ...]:
    """Read weights as A1111 does: they multiply, and `BREAK` begins a new chunk.

    ``(x)`` is ×1.1, ``[x]`` ÷1.1, ``(x:1.5)`` ×1.5. A bracket that is never closed reaches to the
    end; one that was never opened is text. ``\\( \\) \\[ \\] \\\\`` are the characters themselves,
    and any other backslash vanishes. Neighbours of one weight are one span.

    In A1111, a `BREAK` in round brackets is the word "break" of a negative weight; here it breaks.

    Raises:
        InputError: if a weight is no finite number, or brackets nest more than 100 deep.
    """
    words: list[str | None] = []  # None is a BREAK
    weights: list[float] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def add(word: str | None) -> None:
        words.append(word)
        weights.append(1.0)

    def scale(start: int, factor: float) -> None:
        for i in range(start, len(weights)):
            weights[i] *= factor

    for token in _A1111.finditer(text):
        bracket, weight = token["bracket"], token["weight"]
        if token["escaped"] is not None:
            add(token["escaped"])
        elif bracket in opened:
            opened[bracket].append(len(words))
            check_depth(len(opened["("]) + len(opened["["]), text)
        elif weight is not None and opened["("]:
            scale(opened["("].pop(), number(weight, f"the weight in {token[0]!r}"))
        elif bracket == ")" and opened["("]:
            scale(opened["("].pop(), STEP)
        elif bracket == "]" and opened["["]:
            scale(opened["["].pop(), 1 / STEP)
        else:
            for i, part in enumerate(_without_breaks(token[0])):
                if i > 0:
                    add(None)
                add(part)
    for start in opened["("]:
        scale(start, STEP)
    for start in opened["["]:
        scale(start, 1 / STEP)

    chunks: list[list[tuple[str, float]]] = [[]]
    for word, weight in zip(words, weights, strict=True):
        if word is None:
            chunks.append([])
        else:
            chunks[-1].append((word, weight))
    return tuple(tuple(_merged(chunk)) for chunk in chunks)


def comfyui(text: str) -> tuple[Chunk, ...]:
    """Read weights as ComfyUI does: one chunk, in which a written weight replaces those around it.

    ``(x)`` is ×1.1; ``((x:1.2):1.5)`` is 1.2. Round brackets alone are syntax, ``\\(`` and ``\\)``
    are the characters themselves, every other backslash stays.

    Raises:
        InputError: if a weight is not finite, or brackets nest more than 100 deep.
    """
    return (tuple(_comfyui(_COMFYUI.findall(text), 1.0, 0)),)


def _comfyui(tokens: Sequence[str], weight: float, depth: int) -> Iterator[Span]:
    for group in _groups(tokens):
        if len(group) < 2 or (group[0], group[-1]) != ("(", ")"):
            words = "".join(t[1:] if t in (r"\(", r"\)") else t for t in group)
            if words:
                yield Span(words, weight)
            continue
        check_depth(depth + 1, "".join(group))
        inside, within = group[1:-1], weight * STEP
        head, colon, tail = inside[-1].rpartition(":") if inside else ("", "", "")
        if colon and (head or len(inside) > 1) and _is_float(tail):
            within = number(tail, f"the weight in {inside[-1] + ')'!r}")
            inside = inside[:-1] + ([head] if head else [])
        yield from _comfyui(inside, within, depth + 1)


def _groups(tokens: Sequence[str]) -> Iterator[list[str]]:
    """Cut where a round bracket of the outermost level opens or closes.

    A bracket that closes nothing takes the level below zero, where the next one that opens is
    text: so ComfyUI counts.
    """
    group: list[str] = []
    level = 0
    for token in tokens:
        if token == "(":
            if level == 0 and group:
                yield group
                group = []
            level += 1
        elif token == ")":
            level -= 1
        group.append(token)
        if token == ")" and level == 0:
            yield group
            group = []
    if group:
        yield group


def number(text: str, what: str) -> float:
    """Return the finite number that ``text`` writes, or raise an InputError about ``what``."""
    if not _is_float(text) or not math.isfinite(float(text)):
        raise InputError(f"{what} is no finite number: {text.strip()!r}; write it like 1.2")
    return float(text)


def check_depth(depth: int, text: str) -> None:
    """Raise an InputError if brackets nest deeper than anyone means them to."""
    if depth > DEEPEST:
        start = text[:40] + "…" if len(text) > 40 else text
        raise InputError(
            f"brackets nest more than {DEEPEST} deep in {start!r}; "
            "close them, or write \\( and \\[ for the characters themselves"
        )


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _without_breaks(text: str) -> list[str]:
    """What is left and right of every BREAK, without the whitespace that faces it."""
    first, *rest = _BREAK.split(text)
    parts = [first]
    for part in rest:
        parts[-1] = parts[-1].rstrip()
        parts.append(part.lstrip())
    return parts


def _merged(pairs: Sequence[tuple[str, float]]) -> Iterator[Span]:
    for weight, run in groupby(pairs, key=lambda pair: pair[1]):
        words = "".join(word for word, _ in run)
        if not math.isfinite(weight):
            raise InputError(f"the brackets around {words[:40]!r} make its weight {weight}")
        if words:
            yield Span(words, weight)
