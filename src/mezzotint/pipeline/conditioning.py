"""From a prompt that was read to what the network is told at each step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch

from mezzotint.adapters.embedding import ids
from mezzotint.families.base import Canvas, Conditioning, Model, text_name
from mezzotint.families.text import Encoded, TextEncoder
from mezzotint.pipeline.chunking import (
    Segment,
    Token,
    Window,
    by_commas,
    by_segments,
    segments,
    window,
)
from mezzotint.pipeline.prompts import Chunk, Dialect, Held, Prompt
from mezzotint.pipeline.weighting import interpolate, renormalise


@dataclass(frozen=True)
class Told:
    """What the network is told of one part of a prompt, and for how long.

    Attributes:
        weight: how much the part's guidance counts.
        schedule: (the last step of it, counted from 1, and what is told until then).
    """

    weight: float
    schedule: tuple[tuple[int, Conditioning], ...]

    def at(self, step: int) -> Conditioning:
        """What is told at ``step``, counted from 1."""
        return next((told for until, told in self.schedule if step <= until), self.schedule[-1][1])


def tell(
    model: Model,
    prompt: Prompt,
    dialect: Dialect,
    canvas: Canvas,
    others: Mapping[str, Prompt] | None = None,
) -> list[Told]:
    """Encode every part of a prompt, each wording once.

    Args:
        model: whose text encoders.
        prompt: what they read.
        dialect: whose rules it is encoded by.
        canvas: of the picture.
        others: what some of the encoders read instead, by their names among the model's parts.
    """
    names = [text_name(k) for k in range(len(model.encoders))]

    @cache
    def encoded(*wordings: tuple[Chunk, ...]) -> Conditioning:
        return encode(model, wordings, dialect, canvas)

    def told(held: Held) -> Conditioning:
        own = {name: other.parts[0].at(held.until) for name, other in (others or {}).items()}
        return encoded(*(tuple(own.get(name, held.chunks)) for name in names))

    return [
        Told(part.weight, tuple((held.until, told(held)) for held in part.schedule))
        for part in prompt.parts
    ]


def encode(
    model: Model, wordings: Sequence[Sequence[Chunk]], dialect: Dialect, canvas: Canvas
) -> Conditioning:
    """What the network is told where each text encoder reads its own of ``wordings``."""
    read = zip(model.encoders, wordings, strict=True)
    windows = cut(model, [segmented(encoder, chunks) for encoder, chunks in read], dialect)
    encoded = encode_windows(model, windows, dialect)
    says = any(span.text.strip() for chunks in wordings for chunk in chunks for span in chunk)
    if canvas.negative and not says and dialect.zero_blank and model.family.zero_blank:
        encoded = [_zeros(each) for each in encoded]
    return model.family.join(encoded, canvas)


def cut(
    model: Model, read: Sequence[Sequence[Sequence[Segment]]], dialect: Dialect, least: int = 1
) -> list[list[Window]]:
    """The windows of each text encoder, as many of all that repeat, and no fewer than ``least``.

    Args:
        model: whose text encoders.
        read: what each of them reads, as ``segmented`` makes it; its tokens are in the windows.
        dialect: whose rules they are cut by.
        least: how many there are to be.
    """
    each = zip(model.encoders, read, strict=True)
    windows = [_windows(encoder, found, dialect) for encoder, found in each]
    most = max(least, *(len(found) for found in windows))
    return [
        _filled(encoder, found, most)
        for encoder, found in zip(model.encoders, windows, strict=True)
    ]


def encode_windows(
    model: Model, windows: Sequence[Sequence[Window]], dialect: Dialect
) -> list[Encoded]:
    """What each text encoder makes of its windows, all in one row."""
    read = zip(model.encoders, windows, strict=True)
    return [_encoded(encoder, each, dialect) for encoder, each in read]


def left_out(model: Model, prompt: Prompt, dialect: Dialect) -> str:
    """The end of a prompt that no text encoder reads, empty where one reads it all."""
    wordings = [held.chunks for part in prompt.parts for held in part.schedule]
    rests = [
        max((_rest(encoder, chunks, dialect) for chunks in wordings), key=len)
        for encoder in model.encoders
    ]
    return min(rests, key=len)


def _rest(encoder: TextEncoder, chunks: Sequence[Chunk], dialect: Dialect) -> str:
    if _goes_on(encoder, dialect):
        return ""
    flat = [token.id for segment in _flat(segmented(encoder, chunks)) for token in segment]
    return encoder.tokenizer.decode(flat[encoder.frame.length :]).strip()


def _goes_on(encoder: TextEncoder, dialect: Dialect) -> bool:
    return encoder.frame.repeats and dialect.chunking != "cut"


def segmented(encoder: TextEncoder, chunks: Sequence[Chunk]) -> list[list[Segment]]:
    """The tokens of each span of each chunk.

    An encoder that was given no vectors for a word reads it as any other.
    """
    words = {name: len(places) for name, places in ids(encoder.network).items()}
    return [
        segments(
            [replace(span, embedding=span.embedding and span.text in words) for span in chunk],
            encoder.ids,
            words,
        )
        for chunk in chunks
    ]


def _flat(chunks: Sequence[Sequence[Segment]]) -> list[Segment]:
    return [segment for chunk in chunks for segment in chunk]


def _windows(
    encoder: TextEncoder, found: Sequence[Sequence[Segment]], dialect: Dialect
) -> list[Window]:
    if not _goes_on(encoder, dialect):
        return [window(encoder.frame, [token for each in _flat(found) for token in each])]
    by = by_commas if dialect.chunking == "commas" else by_segments
    return by(found, encoder.frame)


def _filled(encoder: TextEncoder, windows: list[Window], number: int) -> list[Window]:
    """Empty windows until there are as many as another encoder has, if this one repeats."""
    missing = number - len(windows) if encoder.frame.repeats else 0
    return windows + [window(encoder.frame, ())] * missing


def _encoded(encoder: TextEncoder, windows: Sequence[Window], dialect: Dialect) -> Encoded:
    """All windows in one row; the first sums the prompt up."""
    words = ids(encoder.network)

    def number(token: Token) -> int:
        return token.id if token.vector is None else words[token.vector[0]][token.vector[1]]

    made = encoder(torch.tensor([[number(token) for token in each] for each in windows]))
    weights = torch.tensor([[token.weight for token in each] for each in windows])
    context = made.context
    if (weights != 1).any() and dialect.weighting == "renormalise":
        context = renormalise(context, weights)
    elif (weights != 1).any():
        empty = torch.tensor([encoder.frame.ids(())])
        context = interpolate(context, weights, encoder(empty).context)
    pooled = None if made.pooled is None else made.pooled[:1]
    return Encoded(context.flatten(0, 1)[None], pooled)


def _zeros(encoded: Encoded) -> Encoded:
    pooled = None if encoded.pooled is None else torch.zeros_like(encoded.pooled)
    return Encoded(torch.zeros_like(encoded.context), pooled)
