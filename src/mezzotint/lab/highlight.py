"""Python's own tokens, told apart so that a page can set them apart."""

import io
import keyword
import token
import tokenize
from collections.abc import Iterator
from functools import cache

Place = tuple[int, int]  # a row, from 1, and a column, from 0


@cache
def coloured(source: str) -> tuple[tuple[str, str], ...]:
    """Pieces of Python source, which joined are the source, each with what it is.

    Args:
        source: whole statements, as ``source.excerpt`` gives them.

    Returns:
        Pairs of a kind and a text. The kinds are "word" (of the language), "name" (which is
        defined here), "text", "number", "note" (a comment or a docstring) and "" (all else).
    """
    lines = source.splitlines(keepends=True)
    pieces: list[tuple[str, str]] = []
    here: Place = (1, 0)
    for kind, start, end in _kinds(source):
        pieces += [("", _between(lines, here, start)), (kind, _between(lines, start, end))]
        here = end
    pieces.append(("", _between(lines, here, (len(lines) + 1, 0))))
    return tuple(piece for piece in pieces if piece[1])


def _kinds(source: str) -> Iterator[tuple[str, Place, Place]]:
    """What is set apart: its kind, where it begins and where it ends."""
    before, begins = "", True  # a string that begins a statement is a docstring
    for each in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = _kind(each, before, begins)
        if kind:
            yield kind, each.start, each.end
        if each.type not in (tokenize.NL, tokenize.COMMENT):
            begins = each.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
        before = each.string


def _kind(each: tokenize.TokenInfo, before: str, begins: bool) -> str:
    match each.type:
        case tokenize.COMMENT:
            return "note"
        case tokenize.NUMBER:
            return "number"
        case tokenize.STRING:
            return "note" if begins else "text"
        case tokenize.NAME if before in ("def", "class"):
            return "name"
        case tokenize.NAME if keyword.iskeyword(each.string):
            return "word"
        case _:  # Python 3.12 and newer take f-strings apart
            return "text" if token.tok_name[each.type].startswith("FSTRING") else ""


def _between(lines: list[str], start: Place, end: Place) -> str:
    (first, left), (last, right) = start, end
    if first == last:
        return "".join(lines[first - 1 : first])[left:right]
    tail = "".join(lines[last - 1 : last])[:right]
    return "".join([lines[first - 1][left:], *lines[first : last - 1], tail])
