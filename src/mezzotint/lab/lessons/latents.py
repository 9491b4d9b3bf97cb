"""Lesson 4: a picture through the autoencoder, what that costs, and what a change of a latent does.

The autoencoder is that of latent diffusion (Rombach et al. 2112.10752): it is trained once, and the
diffusion model never sees a pixel.
"""

import base64
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import torch
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from PIL import Image, ImageOps
from torch import Tensor

from mezzotint.adapters.pictures import resized
from mezzotint.errors import InputError
from mezzotint.families.base import Model
from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.live import Event, Lab, as_url
from mezzotint.lab.own import own_for
from mezzotint.pipeline.editing.pictures import laid_on
from mezzotint.pipeline.pipeline import Pipeline, to_picture

MOST_SIDE = 512  # pixels; larger ones take an autoencoder on a CPU too long
AMPLIFIED = 4  # how many times larger a difference is shown
BEST_JPEG = 95
FARTHEST = 100  # that a number is moved by
MOST_NUDGES = 256
KEPT = 8  # pictures whose latents are kept
LONGEST = 1000


@dataclass(frozen=True)
class Seen:
    """A picture, through the autoencoder and back.

    Attributes:
        image: what goes in, (1, 3, s, s) in [−1, 1].
        latents: (1, c, h, w), of zero mean and unit variance over all pictures.
        decoded: what comes out, as ``image``.
    """

    image: Tensor
    latents: Tensor
    decoded: Tensor


@dataclass(frozen=True)
class Nudge:
    """A number that is added to one of a latent's."""

    channel: int
    row: int
    column: int
    add: float


@torch.no_grad()
def through(model: Model, picture: Image.Image) -> Seen:
    """The middle square of a picture, as large as the model draws, or 512 pixels."""
    side = min(model.family.size, MOST_SIDE)
    side -= side % model.factor
    image = _image(ImageOps.fit(laid_on(picture, "white"), (side, side), Image.Resampling.LANCZOS))
    latents = model.encode_images(image.to(model.device)).cpu()
    return Seen(image, latents, decode(model, latents))


@torch.no_grad()
def decode(model: Model, latents: Tensor) -> Tensor:
    """Images (b, 3, H, W) in [−1, 1] of latents (b, c, h, w), on the CPU."""
    return model.decode_latents(latents.to(model.device)).cpu()


def psnr(one: Tensor, other: Tensor) -> float:
    """Peak signal-to-noise ratio of images in [−1, 1], in dB; infinite where they are the same."""
    error = (one - other).square().mean().item() / 4  # pixels span 2, the ratio's peak is 1
    return -10 * math.log10(error) if error > 0 else math.inf


def in_bytes(latents: Tensor) -> tuple[Tensor, int]:
    """Latents (1, c, h, w) as a byte a number keeps them, and how many bytes that is.

    A channel's bytes are evenly spaced from its least number to its largest, which are kept as
    well, four bytes each.
    """
    low, high = latents.amin((2, 3), keepdim=True), latents.amax((2, 3), keepdim=True)
    step = ((high - low) / 255).clamp_min(1e-12)
    return ((latents - low) / step).round() * step + low, latents.numel() + 8 * latents.shape[1]


def jpeg_within(picture: Image.Image, size: int) -> tuple[bytes, int]:
    """The best JPEG of at most ``size`` bytes, and its quality; that of 1 if none is so small."""
    low, high = 1, BEST_JPEG
    while low < high:
        middle = (low + high + 1) // 2
        fits = len(_jpeg(picture, middle)) <= size
        low, high = (middle, high) if fits else (low, middle - 1)
    return _jpeg(picture, low), low


def changed(latents: Tensor, scales: Sequence[float], nudges: Sequence[Nudge]) -> Tensor:
    """Latents (1, c, h, w) with each channel scaled, and then single numbers moved.

    Args:
        latents: they stay as they are.
        scales: of the channels, in their order; 1 where there are fewer.
        nudges: what is added to which number.

    Raises:
        InputError: there is no such channel, or no such number.
    """
    _, c, h, w = latents.shape
    if len(scales) > c:
        raise InputError(
            f"{len(scales)} scales: this latent has {c} channels, give at most as many"
        )
    factors = torch.tensor([*scales, *[1.0] * (c - len(scales))])
    moved = latents * factors.view(1, -1, 1, 1)
    for nudge in nudges:
        if not (0 <= nudge.channel < c and 0 <= nudge.row < h and 0 <= nudge.column < w):
            raise InputError(f"{nudge}: this latent is {c} channels of {h} rows and {w} columns")
        moved[0, nudge.channel, nudge.row, nudge.column] += nudge.add
    return moved


def reach(one: Tensor, other: Tensor) -> tuple[int, int]:
    """Width and height of where images (1, 3, h, w) differ by a tenth of the most or more.

    (0, 0) where they do nowhere.
    """
    apart = (one - other).abs().amax(1)[0]
    differ = apart >= max(apart.max().item() / 10, 1e-6)
    width, height = (differ.any(k).nonzero().flatten() for k in (0, 1))
    if not len(width):
        return 0, 0
    return int(width[-1] - width[0]) + 1, int(height[-1] - height[0]) + 1


def seeing(model: Model, seen: Seen) -> Event:
    """What a page shows of a picture's latents."""
    latents = seen.latents[0]
    channels = [
        {
            "values": [[round(x, 3) for x in row] for row in channel.tolist()],
            "least": channel.min().item(),
            "most": channel.max().item(),
            "mean": channel.mean().item(),
        }
        for channel in latents
    ]
    return Event(
        "seen",
        {
            "side": seen.image.shape[-1],
            "pixels": seen.image.numel(),
            "latents": latents.numel(),
            "channels": channels,
            "weights": sum(each.numel() for each in model.autoencoder.parameters()),
            "psnr": _finite(psnr(seen.image, seen.decoded)),
            "pictures": _shown(seen.image, seen.decoded),
        },
    )


def costing(model: Model, seen: Seen) -> dict[str, dict[str, object]]:
    """The picture after its latents, a byte each, and after a JPEG of as many bytes."""
    kept, size = in_bytes(seen.latents)
    from_latents = decode(model, kept)
    file, quality = jpeg_within(to_picture(seen.image[0]), size)
    with Image.open(io.BytesIO(file)) as read:
        from_jpeg = _image(read)
    return {
        "latents": {"bytes": size, **_cost(seen.image, from_latents)},
        "jpeg": {"bytes": len(file), "quality": quality, **_cost(seen.image, from_jpeg)},
    }


def nudged(
    model: Model, seen: Seen, scales: Sequence[float], nudges: Sequence[Nudge]
) -> dict[str, object]:
    """The picture of changed latents, where it differs from the other, and by how many levels."""
    decoded = decode(model, changed(seen.latents, scales, nudges))
    return {
        "pictures": _shown(seen.decoded, decoded),
        "reach": reach(seen.decoded, decoded),
        "most": (decoded - seen.decoded).abs().max().item() * 127.5,
    }


def between(model: Model, one: Seen, other: Seen, share: float) -> dict[str, object]:
    """Two pictures mixed, by their latents and by their pixels; share 0 is the first."""
    latents = decode(model, torch.lerp(one.latents, other.latents, share))
    pixels = torch.lerp(one.decoded, other.decoded, share)
    return {"pictures": _shown(pixels, latents), "psnr": _finite(psnr(pixels, latents))}


def drawing(
    pipe: Pipeline, prompt: str, seed: int | None, keep: Callable[[Image.Image], str]
) -> Iterator[Event]:
    """Events "step" with a preview, then "done" with the name that the picture is kept by."""
    for step in pipe.stream(prompt, seed=seed):
        told = {"index": step.index, "total": step.total, "picture": as_url(step.preview()[0])}
        yield Event("step", told)
        if step.index == step.total - 1:
            yield Event("done", {"picture": keep(step.output().images[0])})


def routes(lab: Lab) -> APIRouter:
    """``/api/latents`` and what is under it."""
    router = APIRouter()

    @lru_cache(KEPT)
    def seen(name: str) -> Seen:
        return through(lab.model().model, lab.uploads.find(name))

    @router.get("/api/latents")
    async def of(picture: str) -> StreamingResponse:
        def begin(pipe: Pipeline) -> Iterator[Event]:
            yield seeing(pipe.model, seen(picture))
            yield Event("done", costing(pipe.model, seen(picture)))

        return lab.events(begin)

    @router.get("/api/latents/nudged")
    async def nudge(
        picture: str,
        scale: Annotated[list[float], Query(max_length=64)] = [],  # noqa: B006
        add: Annotated[list[str], Query(max_length=MOST_NUDGES)] = [],  # noqa: B006
    ) -> StreamingResponse:
        def begin(pipe: Pipeline) -> Iterator[Event]:
            scales, nudges = [_moderate(each) for each in scale], [_nudge(each) for each in add]
            yield Event("done", nudged(pipe.model, seen(picture), scales, nudges))

        return lab.events(begin)

    @router.get("/api/latents/between")
    async def mix(
        one: str, other: str, share: Annotated[float, Query(ge=0, le=1)]
    ) -> StreamingResponse:
        def begin(pipe: Pipeline) -> Iterator[Event]:
            yield Event("done", between(pipe.model, seen(one), seen(other), share))

        return lab.events(begin)

    @router.get("/api/latents/draw")
    async def draw(
        prompt: Annotated[str, Query(max_length=LONGEST)], seed: int | None = None
    ) -> StreamingResponse:
        return lab.events(
            lambda pipe: drawing(own_for(pipe, prompt), prompt, seed, lab.uploads.keep)
        )

    return router


def _nudge(told: str) -> Nudge:
    """ "channel,row,column,number" as a page sends it."""
    try:
        channel, row, column, add = told.split(",")
        nudge = Nudge(int(channel), int(row), int(column), float(add))
    except ValueError as error:
        raise InputError(f"nudge {told!r}: give channel,row,column,number") from error
    _moderate(nudge.add)
    return nudge


def _moderate(number: float) -> float:
    if not abs(number) <= FARTHEST:
        raise InputError(f"{number}: give a number from −{FARTHEST} to {FARTHEST}")
    return number


def _image(picture: Image.Image) -> Tensor:
    return 2 * resized(picture, *picture.size) - 1


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue()


def _cost(image: Tensor, kept: Tensor) -> dict[str, object]:
    return {"psnr": _finite(psnr(image, kept)), "pictures": _shown(image, kept)}


def _finite(number: float) -> float | None:
    """JSON has no infinity."""
    return number if math.isfinite(number) else None


def _shown(before: Tensor, after: Tensor) -> dict[str, str]:
    """Both, and after − before amplified, grey where there is none; to the bit."""
    shown = {"before": before, "after": after, "difference": AMPLIFIED * (after - before)}
    return {name: _exact(to_picture(image[0].clamp(-1, 1))) for name, image in shown.items()}


def _exact(picture: Image.Image) -> str:
    """As ``live.as_url``, with nothing lost: what is shown here is what is lost."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


LESSON = Lesson(
    "latents",
    "Latents",
    "What does the model draw, if not pixels?",
    (
        "mezzotint.models.autoencoder:Encoder.forward",
        "mezzotint.models.autoencoder:Decoder.forward",
        "mezzotint.families.base:Model.encode_images",
        "mezzotint.families.base:Model.decode_latents",
        "mezzotint.models.autoencoder:sample_latents",
    ),
    routes,
)
