"""Which text holds at which step: `[from:to:when]` and `[one|other]`, as A1111 reads them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from mezzotint.pipeline.prompts.emphasis import check_depth

Item: TypeAlias = "str | Switch | Turns"
Items: TypeAlias = tuple[Item, ...]

_TOKEN = re.compile(r"(?:[^\\\[\]():|]|\\.)+|[\[\]():|\\]")
_WHEN = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*")


@dataclass(frozen=True)
class Switch:
    """`[before:after:when]`."""

    before: Items
    after: Items
    when: str

    def last(self, steps: int) -> int:
        """The last step of ``before``: a number with a point is a fraction of ``steps``."""
        value = float(self.when) * (steps if "." in self.when else 1)
        return int(max(0, min(value, steps)))


@dataclass(frozen=True)
class Turns:
    """`[one|other|…]`: another at each step."""

    options: tuple[Items, ...]


@dataclass
class _Bracket:
    """A bracket that is open yet, and what stands in it so far."""

    opener: str
    parts: list[list[Item]] = field(default_factory=lambda: [[]])
    separators: str = ""

    def closed(self, closer: str) -> Items | None:
        """What the brackets mean, or None if they mean nothing and so are text."""
        verbatim = (self.opener, *self.written(), closer)
        if self.opener == "(":
            return verbatim if closer == ")" and self.separators in ("", ":") else None
        if closer != "]":
            return None
        if not self.separators:
            return verbatim
        if set(self.separators) == {"|"}:
            return (Turns(tuple(tuple(part) for part in self.parts)),)
        *texts, last = self.parts
        when = _WHEN.fullmatch(last[0]) if len(last) == 1 and isinstance(last[0], str) else None
        if when is None or self.separators not in (":", "::"):
            return None
        before = tuple(texts[0]) if len(texts) == 2 else ()
        return (Switch(before, tuple(texts[-1]), when[1]),)

    def written(self) -> Iterator[Item]:
        for part, separator in zip(self.parts, (*self.separators, ""), strict=True):
            yield from part
            if separator:
                yield separator


def schedule(text: str, steps: int) -> tuple[tuple[int, str], ...]:
    """Return which text holds when, in a run of ``steps`` ≥ 1 steps.

    ``[a:b:7]`` is ``a`` in the first 7 steps and then ``b``; ``0.5`` is half of the steps;
    ``[b:7]`` comes in and ``[a::7]`` goes out; ``[a|b]`` takes turns, beginning with ``a``. They
    nest. Emphasis stays as it is written, and so does a bracket that means nothing. A ``|`` outside
    of square brackets, or a backslash at the end of a line, makes the whole text plain, as in
    A1111.

    Returns:
        ``(last step, text)`` in order, steps counted from 1; the last one's step is ``steps``.

    Raises:
        InputError: if brackets nest more than 100 deep.
    """
    items = _parse(text)
    if items is None:
        return ((steps, text),)
    held: list[tuple[int, str]] = []
    for step in sorted({steps, *_changes(items, steps)}):
        now = "".join(_at(items, step, steps))
        if held and held[-1][1] == now:
            held.pop()
        held.append((step, now))
    return tuple(held)


def _parse(text: str) -> Items | None:
    top: list[Item] = []
    stack: list[_Bracket] = []
    for token in _TOKEN.findall(text):
        if token == "\\":
            return None
        if token in "([":
            stack.append(_Bracket(token))
            check_depth(len(stack), text)
        elif token in ":|" and stack:
            stack[-1].separators += token
            stack[-1].parts.append([])
        elif token in ")]" and stack:
            meant = stack[-1].closed(token)
            if meant is None:
                # what contains a bracket that is text cannot itself be more than text
                top += [*_written(stack), token]
                stack = []
            else:
                stack.pop()
                (stack[-1].parts[-1] if stack else top).extend(meant)
        else:
            (stack[-1].parts[-1] if stack else top).append(token)
    top += _written(stack)
    return None if "|" in top else tuple(top)


def _written(stack: list[_Bracket]) -> Iterator[Item]:
    for bracket in stack:
        yield bracket.opener
        yield from bracket.written()


def _changes(items: Items, steps: int) -> Iterator[int]:
    """The steps after which the text may be another."""
    for item in items:
        if isinstance(item, Switch):
            if (last := item.last(steps)) >= 1:
                yield last
            yield from _changes(item.before, steps)
            yield from _changes(item.after, steps)
        elif isinstance(item, Turns):
            yield from range(1, steps + 1)


def _at(items: Items, step: int, steps: int) -> Iterator[str]:
    for item in items:
        if isinstance(item, str):
            yield item
        elif isinstance(item, Switch):
            yield from _at(item.before if step <= item.last(steps) else item.after, step, steps)
        else:
            yield from _at(item.options[(step - 1) % len(item.options)], step, steps)
