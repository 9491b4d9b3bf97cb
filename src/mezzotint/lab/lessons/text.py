"""Lesson 5: how a prompt is cut into tokens, what it is near to, and where the network looks.

Where each word of a prompt draws is read off the cross-attention, as DAAM does (Tang et al.
2210.04885), at every step of a live drawing.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Annotated

import torch
import torch.nn.functional as F
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from PIL import Image
from torch import Tensor

from mezzotint.adapters.attention import watched
from mezzotint.adapters.image_encoder import Eye, open_eye
from mezzotint.errors import InputError
from mezzotint.families.base import Canvas, Model, text_name
from mezzotint.families.text import TextEncoder
from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.live import Event, Lab, as_url
from mezzotint.lab.own import own_for
from mezzotint.models.clip import CLIPText
from mezzotint.pipeline.attaching import known_words
from mezzotint.pipeline.chunking import Segment, Window
from mezzotint.pipeline.conditioning import cut, segmented
from mezzotint.pipeline.load import named
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.prompts import Chunk, Span, parse
from mezzotint.pipeline.request import MAX_STEPS, Options
from mezzotint.pipeline.words import DIALECT, Reading, read

LONGEST = 1000
MOST_STEPS = 100
MOST_COMPARED = 12  # prompts, and as many pictures
MOST_WORDS = 24
NO_CHARACTER = "\ufffd"  # what bytes are decoded to that are only a part of one


@dataclass(frozen=True)
class Piece:
    """A token, and what of the prompt it stands for.

    Attributes:
        id: in the tokenizer's vocabulary.
        text: what it says, empty for a space; of a character that the vocabulary lacks, each of
            its bytes is a token, and says that.
        joined: whether it goes on with the word of the token before it.
        weight: of the prompt's emphasis.
        window: which of the encoder's windows it is in; None where it is cut off.
    """

    id: int
    text: str
    joined: bool
    weight: float
    window: int | None


@dataclass(frozen=True)
class Cut:
    """A prompt as one text encoder is given it.

    Attributes:
        name: of the encoder among the model's parts.
        kind: of its network.
        length: tokens of the prompt in a window.
        begin, end, pad: ids of what a window is framed with; it may have no beginning.
        pieces: the prompt's tokens.
        padding: tokens of padding in each window.
    """

    name: str
    kind: str
    length: int
    begin: int | None
    end: int
    pad: int
    pieces: list[Piece]
    padding: list[int]


def tokens(model: Model, prompt: str) -> list[Cut]:
    """What each text encoder is given of a prompt, which is of one wording.

    Raises:
        InputError: the prompt is not understood, or has several wordings.
    """
    chunks = _one_wording(model, prompt)
    segments = [segmented(encoder, chunks) for encoder in model.encoders]
    windows = cut(model, segments, DIALECT)
    return [
        _cut(text_name(k), encoder, chunks, segments[k], windows[k])
        for k, encoder in enumerate(model.encoders)
    ]


def _one_wording(model: Model, prompt: str) -> tuple[Chunk, ...]:
    parsed = parse(prompt, MAX_STEPS, DIALECT, known_words(model))
    wordings = [held for part in parsed.parts for held in part.schedule]
    if len(wordings) > 1:
        raise InputError(
            "a prompt with AND or [from:to:step] is several: give one of its wordings here"
        )
    return wordings[0].chunks


def _cut(
    name: str,
    encoder: TextEncoder,
    chunks: Sequence[Chunk],
    segments: Sequence[Sequence[Segment]],
    windows: Sequence[Window],
) -> Cut:
    frame = encoder.frame
    # windows hold the segments' own tokens, and others only to frame them
    held = {id(token): k for k, window in enumerate(windows) for token in window}
    pieces: list[Piece] = []
    spans = [span for chunk in chunks for span in chunk]
    found = [segment for chunk in segments for segment in chunk]
    for span, segment in zip(spans, found, strict=True):
        for token, (text, joined) in zip(segment, _spelt(encoder, span, segment), strict=True):
            pieces.append(Piece(token.id, text, joined, token.weight, held.get(id(token))))
    framing = 1 + (frame.begin is not None)
    own = [sum(piece.window == k for piece in pieces) for k in range(len(windows))]
    return Cut(
        name,
        type(encoder.network).__name__,
        frame.length,
        frame.begin,
        frame.end,
        frame.pad,
        pieces,
        [len(window) - framing - n for window, n in zip(windows, own, strict=True)],
    )


def _spelt(encoder: TextEncoder, span: Span, segment: Segment) -> Iterator[tuple[str, bool]]:
    """What each token says, and whether it follows on the one before."""
    text, last = span.text.strip(), 0
    if segment and segment[0].vector:
        yield from ((text, k > 0) for k in range(len(segment)))
        return
    tokenizer = encoder.tokenizer
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    for k, (token, (first, end)) in enumerate(zip(segment, offsets, strict=True)):
        own, said = text[first:end], tokenizer.decode([token.id], skip_special_tokens=False)
        joined = k > 0 and first <= last and not own[:1].isspace()
        yield (own if NO_CHARACTER in said else said).strip(), joined
        last = end


def cosines(one: Tensor, other: Tensor) -> Tensor:
    """cos of vectors (m, d) with vectors (n, d), (m, n)."""
    return F.normalize(one.double(), dim=1) @ F.normalize(other.double(), dim=1).T


@torch.no_grad()
def text_vectors(encoder: TextEncoder, prompts: Sequence[str]) -> Tensor | None:
    """What sums prompts up, (b, d), as they stand; None of an encoder that has no such vector."""
    pooled = encoder(encoder.windows(prompts)).pooled
    return None if pooled is None else pooled.float().cpu()


@torch.no_grad()
def picture_vectors(eye: Eye, pictures: Sequence[Image.Image]) -> Tensor:
    """What sums pictures up, (b, d)."""
    like = next(eye.tower.parameters())
    pixels = torch.cat([eye.pixels(picture) for picture in pictures]).to(like)
    return eye.tower(pixels)[1].float().cpu()


def eye_of(pipe: Pipeline) -> Eye | None:
    """The image tower in a model's folder that was trained with its text tower, if there is one."""
    text = pipe.model.encoders[0].network
    try:
        eye = open_eye(named(pipe.source)[0])
    except InputError:
        return None
    meet = isinstance(text, CLIPText) and text.params.projection == eye.tower.params.projection
    return eye if meet else None


def alike(
    model: Model, eye: Eye | None, prompts: Sequence[str], pictures: Sequence[Image.Image]
) -> dict[str, object]:
    """How near prompts are to one another in each encoder's space, and pictures to them.

    The numbers are cosines, a row a prompt, and a row a picture.
    """
    vectors = [text_vectors(encoder, prompts) for encoder in model.encoders]
    texts = [
        {"name": text_name(k), "cosines": _rounded(cosines(each, each))}
        for k, each in enumerate(vectors)
        if each is not None
    ]
    seen = None
    if eye is not None and pictures and vectors[0] is not None:
        seen = _rounded(cosines(picture_vectors(eye, pictures), vectors[0]))
    return {"texts": texts, "pictures": seen, "sees": eye is not None}


def attending(
    pipe: Pipeline, prompt: str, options: Options, keep: Callable[[Image.Image], str]
) -> Iterator[Event]:
    """Events "step" with a preview and each word's share of attention, then "done".

    A word's levels, 0…255 of its largest there, are of the places of the finest attention, row by
    row. Shares are of all that the picture attends to, so they sum to less than 1: there is what a
    window is framed with, and in joint attention the picture itself.

    Args:
        pipe: what draws.
        prompt: of one wording.
        options: as ``Pipeline.generate`` has them.
        keep: keeps the finished picture, and names it.
    """
    model, reading = pipe.model, None
    _one_wording(model, prompt)
    steps = pipe.stream(prompt, **options)
    while True:
        with watched(model.network) as watch:  # others draw with this network between our turns
            step = next(steps, None)
        if step is None:
            return
        if reading is None:  # the prompt's own adapters are attached now
            height, width = (model.factor * side for side in step.x.shape[2:])
            reading = read(model, [prompt], Canvas(height, width))[0]
        maps = watch.take()[0]
        told = {
            "index": step.index,
            "total": step.total,
            "picture": as_url(step.preview()[0]),
            "sides": list(maps.shape[1:]),
            "words": heard(reading, maps),
        }
        yield Event("step", told)
        if step.index == step.total - 1:
            yield Event("done", {"picture": keep(step.output().images[0])})


def heard(reading: Reading, maps: Tensor) -> list[dict[str, object]]:
    """Each word once, with its share of attention maps (tokens, h, w) and its levels.

    A word in a part of the prompt that is not read has no share and no levels.
    """
    words = {word.lower(): word for word in re.findall(r"\w+", reading.text)}
    found: list[dict[str, object]] = []
    for word in list(words.values())[:MOST_WORDS]:
        try:
            own = maps[reading.of(word)].sum(0)
        except InputError:
            found.append({"word": word, "share": None, "levels": []})
            continue
        levels = (own / own.max().clamp_min(1e-12) * 255).round().int().flatten().tolist()
        found.append({"word": word, "share": round(own.mean().item(), 6), "levels": levels})
    return found


def routes(lab: Lab) -> APIRouter:
    """``/api/tokens``, ``/api/alike`` and ``/api/attention``."""
    router = APIRouter()

    @cache
    def eye() -> Eye | None:
        return eye_of(lab.model())

    @router.get("/api/tokens")
    async def cut_up(prompt: Annotated[str, Query(max_length=LONGEST)]) -> StreamingResponse:
        def begin(pipe: Pipeline) -> Iterator[Event]:
            yield Event("done", {"encoders": [asdict(each) for each in tokens(pipe.model, prompt)]})

        return lab.events(begin)

    @router.get("/api/alike")
    async def compare(
        prompt: Annotated[list[str], Query(min_length=1, max_length=MOST_COMPARED)],
        picture: Annotated[list[str], Query(max_length=MOST_COMPARED)] = [],  # noqa: B006
    ) -> StreamingResponse:
        def begin(pipe: Pipeline) -> Iterator[Event]:
            pictures = [lab.uploads.find(name) for name in picture]
            texts = [each[:LONGEST] for each in prompt]
            yield Event("done", alike(pipe.model, eye(), texts, pictures))

        return lab.events(begin)

    @router.get("/api/attention")
    async def attend(
        prompt: Annotated[str, Query(max_length=LONGEST)],
        steps: Annotated[int | None, Query(ge=1, le=MOST_STEPS)] = None,
        cfg: float | None = None,
        seed: int | None = None,
    ) -> StreamingResponse:
        options = Options(steps=steps, cfg=cfg, seed=seed)
        return lab.events(
            lambda pipe: attending(own_for(pipe, prompt), prompt, options, lab.uploads.keep)
        )

    return router


def _rounded(matrix: Tensor) -> list[list[float]]:
    return [[round(x, 4) for x in row] for row in matrix.tolist()]


LESSON = Lesson(
    "text",
    "Text",
    "How does a prompt reach the picture?",
    (
        "mezzotint.families.text:Frame.around",
        "mezzotint.models.clip:CLIPText.forward",
        "mezzotint.lab.lessons.text:cosines",
        "mezzotint.training.tasks.text:Reader.forward",
        "mezzotint.models.clip:contrastive_loss",
        "mezzotint.nn.attention:Attention.forward",
        "mezzotint.adapters.attention:probabilities",
    ),
    routes,
)
