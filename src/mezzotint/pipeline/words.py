"""Where a picture shows a word of its prompt."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor

from mezzotint.adapters.attention import watched
from mezzotint.errors import InputError, unknown
from mezzotint.families.base import Canvas, Conditioning, Model
from mezzotint.families.text import Encoded, TextEncoder
from mezzotint.pipeline.attaching import known_words
from mezzotint.pipeline.chunking import Segment
from mezzotint.pipeline.conditioning import cut, encode_windows, segmented
from mezzotint.pipeline.looking import above, contrast, looked_at, otsu, resized, taken_for
from mezzotint.pipeline.prompts import DIALECTS, Chunk, Dialect, Span, parse
from mezzotint.pipeline.request import MAX_STEPS

RIVALS, NOTICED = 3, 1 / 6  # other words that count; share of the word's attention from which on
DIALECT = DIALECTS["mezzotint"]

Place = tuple[int, int]
"""From which character to which."""


@dataclass(frozen=True)
class Row:
    """One of the tokens that a network attends to.

    Attributes:
        encoder: which of the text encoders made it; the first, where several did.
        id: in that one's vocabulary.
        place: where it stands in the text; None for what a window is framed with.
    """

    encoder: int
    id: int
    place: Place | None


@dataclass(frozen=True)
class Reading:
    """A prompt as a network reads it.

    Attributes:
        told: what the network is told.
        text: the prompt without its syntax.
        rows: of ``told.context``.
    """

    told: Conditioning
    text: str
    rows: tuple[Row, ...]

    def finds(self, word: str) -> list[Place]:
        """Where a word stands in the text, or several that follow one another."""
        words = r"\s+".join(re.escape(each) for each in word.split())
        found = re.finditer(rf"(?<!\w){words}(?!\w)", self.text, re.IGNORECASE) if words else ()
        return [match.span() for match in found]

    def rows_of(self, word: str) -> list[int]:
        """The rows of what ``finds`` does; none for what is in no part of the text that is read."""
        found = self.finds(word)
        return [i for i, row in enumerate(self.rows) if any(_meet(row.place, at) for at in found)]

    def of(self, word: str) -> list[int]:
        """The rows of what ``finds`` does.

        Raises:
            InputError: it is not in the text, or in no part of it that is read.
        """
        found = self.finds(word)
        if not found:
            raise unknown("word of the prompt", word, re.findall(r"\w+", self.text))
        rows = self.rows_of(word)
        if not rows:
            raise InputError(
                f"word {word!r} is where the prompt is too long to be read: shorten it"
            )
        return rows


def _meet(one: Place | None, other: Place) -> bool:
    return one is not None and max(one[0], other[0]) < min(one[1], other[1])


def read(
    model: Model, prompts: Sequence[str], canvas: Canvas, dialect: Dialect = DIALECT
) -> list[Reading]:
    """Prompts, encoded in equal length.

    Of a prompt with several wordings, the first is read.

    Args:
        model: whose text encoders.
        prompts: what they read.
        canvas: of the picture.
        dialect: of the prompts.

    Raises:
        InputError: a prompt is not understood.
    """
    wordings = [_wordings(model, prompt, dialect)[0] for prompt in prompts]
    most = max(_windows(model, chunks, dialect) for chunks in wordings)
    return [_read(model, chunks, canvas, dialect, most) for chunks in wordings]


def _wordings(model: Model, prompt: str, dialect: Dialect) -> list[tuple[Chunk, ...]]:
    """All that a prompt says, in its parts and in turns, each once."""
    parsed = parse(prompt, MAX_STEPS, dialect, known_words(model))
    return list(dict.fromkeys(held.chunks for part in parsed.parts for held in part.schedule))


def _windows(model: Model, chunks: Sequence[Chunk], dialect: Dialect) -> int:
    segments = [segmented(encoder, chunks) for encoder in model.encoders]
    return max(len(windows) for windows in cut(model, segments, dialect))


def _read(
    model: Model, chunks: Sequence[Chunk], canvas: Canvas, dialect: Dialect, least: int = 1
) -> Reading:
    segments = [segmented(encoder, chunks) for encoder in model.encoders]
    windows = cut(model, segments, dialect, least)
    encoded = encode_windows(model, windows, dialect)
    spans = [span for chunk in chunks for span in chunk]
    tokens: list[Row] = []
    for k, encoder in enumerate(model.encoders):
        flat = [segment for chunk in segments[k] for segment in chunk]
        # the windows hold the segments' own tokens, and others only to frame them
        places = dict(_places(encoder, spans, flat))
        framed = [token for window in windows[k] for token in window]
        tokens += [Row(k, token.id, places.get(id(token))) for token in framed]
    text = " ".join(_bare(span) for span in spans)
    rows = tuple(tokens[i] for i in _order(model, encoded, canvas))
    return Reading(model.family.join(encoded, canvas), text, rows)


def _bare(span: Span) -> str:
    return span.text.strip()


def _places(
    encoder: TextEncoder, spans: Sequence[Span], segments: Sequence[Segment]
) -> Iterator[tuple[int, Place]]:
    """The ``id`` of each token, and its place in the spans' texts with a space between them."""
    start = 0
    for span, segment in zip(spans, segments, strict=True):
        text = _bare(span)
        if segment and segment[0].vector:
            offsets = [(0, len(text))] * len(segment)
        else:
            offsets = encoder.tokenizer.encode(text, add_special_tokens=False).offsets
        for token, (first, end) in zip(segment, offsets, strict=True):
            yield id(token), (start + first, start + end)
        start += len(text) + 1


def _order(model: Model, encoded: Sequence[Encoded], canvas: Canvas) -> list[int]:
    """Which of all the encoders' tokens each row of the context is.

    The family's ``join`` is given numbers in place of encodings.
    """
    ends = list(accumulate(each.context.shape[1] for each in encoded))
    numbered = [
        replace(each, context=_numbers(end, each.context))
        for end, each in zip(ends, encoded, strict=True)
    ]
    context = model.family.join(numbered, canvas).context
    return [int(number) for number in context[0, :, 0]]


def _numbers(end: int, context: Tensor) -> Tensor:
    """Shaped like ``context`` (1, n, d), the numbers up to ``end`` for its tokens."""
    numbers = torch.arange(end - context.shape[1], end, dtype=torch.float64)
    return numbers[None, :, None].expand(context.shape)


@torch.no_grad()
def word_mask(
    model: Model, latents: Tensor, prompt: str, word: str, dialect: Dialect = DIALECT
) -> Tensor:
    """Where a picture shows ``word`` of its ``prompt``, (1, 1, H, W) in [0, 1], soft at its edge.

    The geometric mean of two answers at some levels of noise. The attention to the word (DAAM, Tang
    et al. 2210.04885) knows which thing is meant, as coarsely as the network attends; the contrast
    of what is predicted with the word and without it (DiffEdit, Couairon et al. 2210.11427, 3.2)
    knows where it ends. Where other words are attended to as well, a place is the word's as far as
    leaving that one out changes more there than leaving out the others. What is above Otsu's
    threshold is the word.

    Args:
        model: whose network looks, four times at two rows.
        latents: of the picture, clean, (1, c, h, w); H and W are its sides in pixels.
        prompt: what the picture shows.
        word: a word of it, or several that follow one another.
        dialect: of the prompt.

    Raises:
        InputError: the word is not in the prompt, or in no part of it that is read; the network
            does not attend to a prompt.
    """
    h, w = latents.shape[2:]
    height, width = h * model.factor, w * model.factor
    chunks, reading = _saying(model, prompt, word, Canvas(height, width), dialect)
    views = looked_at(model, latents)
    with watched(model.network) as watch:
        whole = taken_for(model, reading.told, views)
    attention = watch.take()[0]

    def without(left_out: str) -> Tensor:
        told = _without(model, chunks, reading, left_out, Canvas(height, width), dialect).told
        return contrast(whole, taken_for(model, told, views))

    own = without(word)
    others = [without(rival).square() for rival in _rivals(reading, word, attention)]
    share = own.square() / sum(others, start=own.square())
    attended = attention[reading.of(word)].mean(0)[None, None]
    shown = (resized(attended, (h, w)) * own).sqrt() * share
    shown = shown / shown.max()
    return resized(above(otsu(shown), shown), (height, width)).clamp(0, 1)


def _saying(
    model: Model, prompt: str, word: str, canvas: Canvas, dialect: Dialect
) -> tuple[tuple[Chunk, ...], Reading]:
    """The first wording of the prompt that says the word."""
    wordings = _wordings(model, prompt, dialect)
    readings = [_read(model, chunks, canvas, dialect) for chunks in wordings]
    k = next((k for k, reading in enumerate(readings) if reading.finds(word)), 0)
    readings[k].of(word)  # raises where there is none
    return wordings[k], readings[k]


def _without(
    model: Model,
    chunks: Sequence[Chunk],
    reading: Reading,
    word: str,
    canvas: Canvas,
    dialect: Dialect,
) -> Reading:
    """The same wording without a word."""
    least = _windows(model, chunks, dialect)
    return _read(model, _cut_out(chunks, reading.finds(word)), canvas, dialect, least)


def _rivals(reading: Reading, word: str, attention: Tensor) -> list[str]:
    """The words that are attended to most where the word is; ``attention`` is (n, h, w)."""
    own = attention[reading.of(word)].mean(0)
    there = own >= own.max() / 2
    said = {each.lower() for each in re.findall(r"\w+", word)}
    found: dict[str, float] = {}
    for other in re.findall(r"\w+", reading.text):
        rows = () if other.lower() in said else reading.rows_of(other)
        if rows:
            found[other] = float(attention[list(rows)].mean(0)[there].mean() / own[there].mean())
    most = sorted(found, key=lambda other: found[other], reverse=True)[:RIVALS]
    return [other for other in most if found[other] > NOTICED]


def _cut_out(chunks: Sequence[Chunk], places: Sequence[Place]) -> list[Chunk]:
    """What is said without the characters at ``places``."""
    start = 0

    def rest(span: Span) -> Span:
        nonlocal start
        text = _bare(span)
        at = enumerate(text, start)
        left = "".join(c for i, c in at if not any(_meet((i, i + 1), gone) for gone in places))
        start += len(text) + 1
        return replace(span, text=left, embedding=span.embedding and left == text)

    return [tuple(rest(span) for span in chunk) for chunk in chunks]
