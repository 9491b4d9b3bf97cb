"""What is asked of a pipeline, checked before any work begins."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from mezzotint.diffusion import SPACINGS
from mezzotint.diffusion.noise import check
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.errors import InputError, choose
from mezzotint.families.base import Family, text_name
from mezzotint.pipeline.editing.masks import Mask
from mezzotint.pipeline.prompts import DIALECTS

MAX_SEED = 2**64 - 1
RANDOM_SEEDS = 2**32  # few enough digits to be copied by hand
MAX_STEPS = 1000
MAX_CFG = 100.0
MAX_BATCH = 1000
MAX_CLIP_SKIP = 12


class Options(TypedDict, total=False):
    """What can be said about a picture beside its prompt; what is left out is the family's choice.

    Attributes:
        negative: what the picture should not show.
        steps: denoising steps, 1 to 1000.
        cfg: guidance scale, 0 to 100; 1 is no guidance.
        cfg_interval: the shares of the sampling, from 0 to 1, between which there is guidance; the
            steps before and after it take half as long. None is throughout.
        seed: 0 to 2⁶⁴ − 1; image k of a batch has seed + k. None and −1 are random.
        width, height: pixels.
        batch: how many pictures.
        sampler: a name in `mezzotint.diffusion.samplers.SAMPLERS`.
        spacing: a name in `mezzotint.diffusion.SPACINGS`.
        dialect: whose prompt language it is, a name in `mezzotint.pipeline.prompts.DIALECTS`.
        guidance: what a network is told that guidance was distilled into, 0 to 100; no others.
        noise: whose noise the seed stands for, a name in `mezzotint.diffusion.noise.NOISES`.
        clip_skip: which layer of CLIP is read, counted from the end as A1111 does: 1 is the last.
            Only Stable Diffusion 1.x and 2.x have a choice.
        prompts: what a text encoder reads instead of the prompt, by its name: "text", "text_2",
            "text_3", in the order in which diffusers numbers them.
    """

    negative: str
    steps: int | None
    cfg: float | None
    cfg_interval: tuple[float, float] | None
    seed: int | None
    width: int | None
    height: int | None
    batch: int
    sampler: str | None
    spacing: str | None
    dialect: str
    guidance: float | None
    noise: str
    clip_skip: int | None
    prompts: Mapping[str, str]


class EditOptions(Options, total=False):
    """What can be said about how a picture is changed, beside `Options` of the result.

    Attributes:
        mask: where it is painted anew: a picture of its size, white there, or its file; `mz.box`;
            `mz.word`; or `mz.relevant`. All else comes back bit for bit. Grey is a strength of its
            own. By default all of it, and ``mz.relevant()`` with storybook-instruct.
        strength: 0…1, share of the steps that are taken; of time, where steps are even in noise
            (karras). 0 gives the picture back, 1 begins with noise alone. By default 0.6, and 1
            with a mask, with ``expand``, with ``source`` and with models that see the picture.
        expand: how much it grows at the left, top, right and bottom, or one number for each side:
            shares of its width or height up to 1, and pixels above that.
        instruct: see that the model takes ``prompt`` as what to do, and refuse others.
        image_cfg: how much InstructPix2Pix keeps to the picture, 0 to 100; 1.5 by default,
            and 1 with storybook-instruct.
        passes: how often each stretch of the steps is gone over, 1 to 20; more harmonise what is
            painted with what is around it, and take as many times longer. By default 1, and 4 with
            ``expand`` and models that were not made to see what is around.
        source: what the picture shows now. It is then brought back to noise and drawn again with
            its attention (DDIM inversion and prompt-to-prompt), where the two prompts differ. Each
            says one thing throughout, and ``negative``, ``prompts``, ``clip_skip``,
            ``cfg_interval``, other samplers and ``passes`` have no place: they are refused.
        keep: share of the steps for which that attention is kept, 0…1.
    """

    mask: Mask | None
    strength: float | None
    expand: float | Sequence[float] | None
    instruct: bool
    image_cfg: float | None
    passes: int | None
    source: str | None
    keep: float


@dataclass(frozen=True)
class Request:
    """A prompt and its `Options`, with nothing left open."""

    prompt: str
    negative: str
    steps: int
    cfg: float
    cfg_interval: tuple[float, float] | None
    seed: int
    width: int
    height: int
    batch: int
    sampler: str
    spacing: str
    dialect: str
    guidance: float | None
    noise: str
    clip_skip: int | None
    prompts: Mapping[str, str]


def complete(
    family: Family,
    prompt: str,
    *,
    negative: str = "",
    steps: int | None = None,
    cfg: float | None = None,
    cfg_interval: tuple[float, float] | None = None,
    seed: int | None = None,
    width: int | None = None,
    height: int | None = None,
    batch: int = 1,
    sampler: str | None = None,
    spacing: str | None = None,
    dialect: str = "mezzotint",
    guidance: float | None = None,
    noise: str = "mezzotint",
    clip_skip: int | None = None,
    prompts: Mapping[str, str] | None = None,
) -> Request:
    """Check `Options`, and fill in what they leave open.

    Raises:
        InputError: something cannot be drawn; the message names it and says what can.
    """
    sampler, spacing = sampler or family.sampler, spacing or family.spacing
    choose("sampler", sampler, SAMPLERS)
    choose("spacing", spacing, SPACINGS)
    choose("dialect", dialect, DIALECTS)
    check(noise, sampler)
    batch = _whole("batch", batch, 1, MAX_BATCH)
    return Request(
        prompt=_text("prompt", prompt),
        negative=_text("negative prompt", negative),
        steps=_whole("steps", family.steps if steps is None else steps, 1, MAX_STEPS),
        cfg=_scale("cfg", family.cfg if cfg is None else cfg),
        cfg_interval=_interval(cfg_interval),
        seed=_seed(seed, batch),
        width=_side("width", family.size if width is None else width, family),
        height=_side("height", family.size if height is None else height, family),
        batch=batch,
        sampler=sampler,
        spacing=spacing,
        dialect=dialect,
        guidance=_guidance(guidance, family),
        noise=noise,
        clip_skip=_clip_skip(clip_skip, family),
        prompts={name: _prompt_of(name, text, family) for name, text in (prompts or {}).items()},
    )


def _whole(name: str, value: float, low: int, high: int) -> int:
    if not low <= value <= high or value != int(value):
        raise InputError(f"{name} {value}: give a whole number from {low} to {high}")
    return int(value)


def _scale(name: str, scale: float) -> float:
    if not 0 <= scale <= MAX_CFG:
        raise InputError(f"{name} {scale}: give a number from 0 to {MAX_CFG:g}, such as 5")
    return float(scale)


def _interval(shares: tuple[float, float] | None) -> tuple[float, float] | None:
    """None where it leaves no step out."""
    if shares is None or tuple(shares) == (0, 1):
        return None
    start, end = shares
    if not 0 <= start < end <= 1:
        raise InputError(
            f"cfg_interval {start:g}:{end:g}: give two shares of the sampling from 0 to 1, the "
            "smaller one first, such as 0.1:0.8"
        )
    return float(start), float(end)


def _prompt_of(name: str, text: str, family: Family) -> str:
    names = {text_name(k): k for k in range(len(family.reads))}
    choose(f"text encoder of {family.name}", name, names)
    return _text(f"prompt of {name}", text)


def _clip_skip(layer: int | None, family: Family) -> int | None:
    """None where it changes nothing."""
    if layer is None or not family.reads or layer == family.reads[0].skip + 1:
        return None
    if not family.reads[0].normed or len(family.reads) > 1:
        raise InputError(f"clip_skip {layer}: {family.name} reads one layer only, leave it out")
    return _whole("clip_skip", layer, 1, MAX_CLIP_SKIP)


def _guidance(guidance: float | None, family: Family) -> float | None:
    if guidance is None:
        return family.guidance
    if family.guidance is None:
        raise InputError(f"guidance {guidance}: {family.name} was not distilled so, give cfg")
    return _scale("guidance", guidance)


def _seed(seed: int | None, batch: int) -> int:
    last = MAX_SEED - (batch - 1)  # so that the last image of the batch has a seed as well
    if seed is None or seed == -1:
        return secrets.randbelow(min(last + 1, RANDOM_SEEDS))
    return _whole("seed", seed, 0, last)


def _side(name: str, side: int, family: Family) -> int:
    multiple, low, high = family.multiple, family.smallest, family.largest
    if not low <= side <= high or side % multiple:
        raise InputError(
            f"{name} {side}: {family.name} makes sides from {low} to {high} pixels "
            f"in multiples of {multiple}, {family.size} best"
        )
    return int(side)


def _text(name: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{name} is not valid UTF-8 at character {error.start + 1}") from error
    if "\0" in text:
        raise InputError(f"{name} has a NUL at character {text.index(chr(0)) + 1}: take it out")
    return text
