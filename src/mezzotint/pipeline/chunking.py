"""Token ids in windows of the length that a text encoder takes, cut as A1111 or ComfyUI cut.

A window is the beginning token, up to 75 tokens of the prompt, the end token, and padding.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mezzotint.errors import InputError
from mezzotint.families.text import Frame
from mezzotint.pipeline.prompts import Span

BACKTRACK = 20  # how far A1111 looks back for a comma
LARGE = 8  # tokens from which on ComfyUI cuts a segment rather than move it


@dataclass(frozen=True)
class Token:
    """A token id and its weight.

    Attributes:
        id: in the tokenizer's vocabulary; 0 stands in for an embedding's vector.
        weight: 1 leaves it as it is.
        vector: the embedding's name and which of its vectors takes the place of the token's own.
    """

    id: int
    weight: float = 1.0
    vector: tuple[str, int] | None = None


Segment: TypeAlias = Sequence[Token]
"""The tokens of one span."""
Window: TypeAlias = tuple[Token, ...]
"""What the text encoder takes at once: `Frame.whole` tokens."""


def window(frame: Frame, tokens: Sequence[Token]) -> Window:
    """Frame the first ``frame.length`` tokens; what is added weighs 1."""
    return tuple(frame.around(tokens, Token))


def segments(
    chunk: Sequence[Span], encode: Callable[[str], Sequence[int]], vectors: Mapping[str, int]
) -> list[Segment]:
    """Turn spans into tokens.

    Args:
        chunk: spans.
        encode: a tokenizer, without beginning and end tokens.
        vectors: how many vectors each embedding has.
    """
    return [
        [Token(0, span.weight, (span.text, i)) for i in range(vectors[span.text])]
        if span.embedding
        else [Token(token, span.weight) for token in encode(span.text)]
        for span in chunk
    ]


def by_commas(chunks: Sequence[Sequence[Segment]], frame: Frame) -> list[Window]:
    """Cut as A1111 does: behind the last comma, if it is one of the last 20 tokens.

    Each chunk begins a window, an empty one too unless it is the last; an embedding is never cut.
    A1111 leaves an embedding's vectors behind when it moves the tokens after a comma; here they
    move with them.

    Raises:
        InputError: if an embedding has more vectors than a window holds.
    """
    windows: list[Window] = []
    for chunk in chunks:
        cut = [window(frame, tokens) for tokens in _by_commas(chunk, frame)]
        windows += cut or [window(frame, ())]
    last_is_empty = len(windows) > 1 and not any(chunks[-1])
    return windows[:-1] if last_is_empty else windows


def _by_commas(chunk: Sequence[Segment], frame: Frame) -> Iterator[Sequence[Token]]:
    tokens: list[Token] = []
    for segment in chunk:
        whole = bool(segment) and segment[0].vector is not None
        for i, token in enumerate(segment):
            is_comma = token.id == frame.comma and token.vector is None
            if len(tokens) == frame.length:
                cut = frame.length if is_comma else _after_comma(tokens, frame)
                yield tokens[:cut]
                tokens = tokens[cut:]
            if whole and i == 0 and len(tokens) + len(segment) > frame.length:
                _check_fits(segment, frame)
                yield tokens
                tokens = []
            tokens.append(token)
    if tokens:
        yield tokens


def _after_comma(tokens: Sequence[Token], frame: Frame) -> int:
    """Where to cut a full window."""
    for i in range(len(tokens) - 1, max(len(tokens) - BACKTRACK, 0) - 1, -1):
        if tokens[i].id == frame.comma and tokens[i].vector is None:
            return i + 1
    return len(tokens)


def _check_fits(segment: Segment, frame: Frame) -> None:
    if len(segment) > frame.length and segment[0].vector:
        raise InputError(
            f"embedding {segment[0].vector[0]!r} has {len(segment)} vectors; "
            f"the text encoder takes {frame.length} tokens at once"
        )


def by_segments(chunks: Sequence[Sequence[Segment]], frame: Frame) -> list[Window]:
    """Cut as ComfyUI does: a segment of fewer than 8 tokens moves whole into the next window."""
    return [window(frame, tokens) for chunk in chunks for tokens in _by_segments(chunk, frame)]


def _by_segments(chunk: Sequence[Segment], frame: Frame) -> Iterator[Sequence[Token]]:
    tokens: list[Token] = []
    for segment in chunk:
        if len(segment) < LARGE and len(tokens) + len(segment) > frame.length:
            yield tokens
            tokens = []
        for token in segment:
            if len(tokens) == frame.length:
                yield tokens
                tokens = []
            tokens.append(token)
    yield tokens
