"""From a request to a sampler's steps, over nothing or over what is there of a picture.

Every image of a batch is sampled by itself, with a generator seeded with seed + k, because
convolutions and matrix products round differently in batches of different sizes: so image k is
bit for bit the image made alone. In float32 on a CPU, batching would win less than a tenth.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from textwrap import shorten

import torch
from PIL import Image
from torch import Tensor

from mezzotint.adapters.base import Adapter, Run
from mezzotint.diffusion import Noise, samplers, times
from mezzotint.diffusion.guidance import cfg
from mezzotint.diffusion.inpainting import held, resampled
from mezzotint.diffusion.noise import alone, source, weaker
from mezzotint.errors import InputError
from mezzotint.families.base import Canvas, Model
from mezzotint.pipeline.attaching import asked_for, known_words
from mezzotint.pipeline.conditioning import left_out, tell
from mezzotint.pipeline.guided import Asked, Guide, guided
from mezzotint.pipeline.prompts import DIALECTS, Prompt, parse
from mezzotint.pipeline.request import Request

STOP_SHORT = ("ddim", "pndm")  # if the family does
EVEN_IN_NOISE = ("karras", "exponential", "align_your_steps")

At = Callable[[float], None]
"""Told how much of the sampling is done, 0…1, before the network is asked."""
AtRun = Callable[[Run, float], None]
"""The same, told of which run as well."""


@dataclass(frozen=True)
class Ground:
    """What a picture is drawn over.

    Attributes:
        shown: latents (1, c, h, w) → the picture that they would be, were they finished.
        latents: of what is there (1, c, h, w); None where nothing begins with it or stays.
        mask: (1, 1, h, w), 0 where what is there stays and 1 where it does not, see
            ``diffusion.inpainting.held``; None where all may change.
        beside: what is joined to the latents (1, c, h, w), for networks that take such.
    """

    shown: Callable[[Tensor], Image.Image]
    latents: Tensor | None = None
    mask: Tensor | None = None
    beside: Tensor | None = None


@dataclass(frozen=True)
class Subject:
    """What is drawn, beside what is asked for.

    Attributes:
        grounds: what is drawn over one after the other, each made of the picture so far; the first
            is given None.
        size: width and height of the result, in pixels.
        strength: how far from what is there it is drawn, 0…1; 1 is all the way from noise.
        image_cfg: the scale of guidance by what is joined to the latents; 1 is none.
        passes: how often each stretch of the times is gone over.
        steps: what yields the steps, where that is not the request's sampler.
        fields: what the metadata of a result tell of it.
        sampler: what samples, where that is not the request's sampler.
        guide: how the prompt and the negative prompt are put together.
        parted: whether what is drawn over a ground is but a part of the result.
    """

    grounds: Sequence[Callable[[Image.Image | None], Ground]]
    size: tuple[int, int]
    strength: float = 1.0
    image_cfg: float = 1.0
    passes: int = 1
    steps: "Callable[[Plan, Ground, At], Iterator[samplers.Step]] | None" = None
    fields: Mapping[str, object] = field(default_factory=dict[str, object])
    sampler: samplers.Sampler | None = None
    guide: Guide = cfg
    parted: bool = False


@dataclass(frozen=True)
class Plan:
    """A request that was read: all that is known before the first step.

    Attributes:
        request: what was asked for.
        positive, negative: the prompts.
        others: what some text encoders read instead of the first, by their names.
        grid: the times of the steps, (n + 1,); a single one where there is nothing to do.
        adapters: those that the prompts name.
    """

    request: Request
    positive: Prompt
    negative: Prompt
    others: Mapping[str, Prompt]
    grid: Tensor
    adapters: Sequence[Adapter]


def blank(model: Model, request: Request) -> Subject:
    """A picture of a prompt alone."""
    ground = Ground(lambda latents: to_picture(model.decode_latents(latents)[0]))
    return Subject((lambda _: ground,), (request.width, request.height))


def planned(model: Model, request: Request, strength: float = 1.0) -> Plan:
    """Read the prompts, and say if one is too long.

    Args:
        model: what reads them.
        request: what is asked for.
        strength: of ``Subject``.

    Raises:
        InputError: a prompt has a fault, or names an adapter that is not there; or the strength is
            so little that there is no step.
    """
    grid = times(model.family.process, request.steps, request.spacing, **_shift(model, request))
    if model.family.stops_short and request.sampler in STOP_SHORT:
        grid[-1] = model.family.process.t_least
    grid = grid[_skipped(model, request, grid, strength) :]
    steps, words, dialect = max(len(grid) - 1, 1), known_words(model), DIALECTS[request.dialect]
    positive = parse(request.prompt, steps, dialect, words)
    negative = parse(request.negative, steps, dialect, words, True)
    others = {name: parse(text, steps, dialect, words) for name, text in request.prompts.items()}
    adapters = asked_for(model, [positive, negative, *others.values()])
    for kind, prompt in (("prompt", positive), ("negative prompt", negative)):
        if rest := left_out(model, prompt, dialect):
            warnings.warn(
                f"the {kind} is too long for {model.family.name}: its last {len(rest):,} "
                f"characters are left out, from {shorten(rest, 40)!r} on",
                stacklevel=4,
            )
    return Plan(request, positive, negative, others, grid, adapters)


def drawn(
    model: Model, plan: Plan, subject: Subject, at: AtRun
) -> list[Iterator[tuple[samplers.Step, Ground]]]:
    """For each image of a batch, its steps and what they are drawn over."""
    told, first = _asked(model, plan, subject), subject.grounds[0](None)
    return [_one(model, plan, subject, told, first, k, at) for k in range(plan.request.batch)]


def _one(
    model: Model, plan: Plan, subject: Subject, told: Asked, first: Ground, k: int, at: AtRun
) -> Iterator[tuple[samplers.Step, Ground]]:
    """Image k, over each ground in turn; what a sampler draws anew goes on from one to the next."""
    request = plan.request
    rng = source(request.noise, *alone(request.noise, request.seed, k, request.batch))
    ground, x, grounds = first, None, len(subject.grounds)
    for number, lay in enumerate(subject.grounds):
        if x is not None:
            ground = lay(ground.shown(x))
        for step in _sampled(model, plan, subject, told, ground, rng, partial(at, Run())):
            x, total = step.x, grounds * step.total
            yield replace(step, index=number * step.total + step.index, total=total), ground


def _sampled(
    model: Model, plan: Plan, subject: Subject, told: Asked, ground: Ground, rng: Noise, at: At
) -> Iterator[samplers.Step]:
    """The sampler's steps over one ground."""
    process, grid, latents = model.family.process, plan.grid, ground.latents
    if len(grid) == 1 and latents is not None:  # nothing is to be done
        yield samplers.Step(0, 1, float(grid[0]), latents, latents)
        return
    if subject.steps is not None:
        yield from subject.steps(plan, ground, at)
        return
    denoise = guided(model, replace(told, beside=ground.beside), grid, at)
    if latents is not None and ground.mask is not None:
        denoise = held(denoise, latents, ground.mask, grid)
    x = _beginning(model, plan, ground, rng)
    sampler = subject.sampler or samplers.SAMPLERS[plan.request.sampler]
    yield from resampled(sampler, denoise, x, grid, process, rng, subject.passes)


def _beginning(model: Model, plan: Plan, ground: Ground, rng: Noise) -> Tensor:
    """Noise alone, what is there with noise, or under a mask the one and outside of it the other.

    Noise alone is as wide as x_t is for x₀ of unit width, or as ``noise.weaker`` tells. It is what
    all steps begin with, and fewer with what is there.
    """
    request, process, t = plan.request, model.family.process, plan.grid[0]
    size = request.height // model.factor, request.width // model.factor
    noise = rng(torch.empty(1, model.latent_channels, *size, device=model.device))
    alpha, sigma = process.alpha(t), process.sigma(t)
    weak = weaker(request.noise, request.sampler, request.spacing)
    pure = (sigma if weak else torch.hypot(alpha, sigma)) * noise
    if ground.latents is None:
        return pure
    begun = alpha * ground.latents + sigma * noise
    if len(plan.grid) <= request.steps or ground.mask is None:
        return begun
    return torch.where(ground.mask == 1, pure, begun)


def _asked(model: Model, plan: Plan, subject: Subject) -> Asked:
    """Both prompts encoded, the negative one only if something is guided away from it."""
    request, dialect = plan.request, DIALECTS[plan.request.dialect]
    guides = (request.cfg, subject.image_cfg, subject.guide) != (1, 1, cfg)
    if request.clip_skip is not None:
        read = [replace(each, skip=request.clip_skip - 1) for each in model.encoders]
        model = replace(model, encoders=tuple(read))
    canvas = Canvas(request.height, request.width)
    told, away = tell(model, plan.positive, dialect, canvas, plan.others), None
    if guides or [part.weight for part in told] != [1.0]:
        away = tell(model, plan.negative, dialect, replace(canvas, negative=True))[0]
    return Asked(
        positive=told,
        negative=away,
        scale=request.cfg,
        guidance=request.guidance,
        beside=None,
        image_cfg=subject.image_cfg,
        guide=subject.guide,
        interval=request.cfg_interval,
    )


def _skipped(model: Model, request: Request, grid: Tensor, strength: float) -> int:
    """How many of the steps only change the noised picture: all but a share of them, or of time.

    A share of the steps is what strength is to everybody. But where they are even in the logarithm
    of noise, a few of them in the middle are all the way from a little of it to a lot.
    """
    steps, process = request.steps, model.family.process
    skipped = steps - int(steps * strength)
    if request.spacing in EVEN_IN_NOISE:
        begin = process.t_clean + strength * (process.t_noise - process.t_clean)
        skipped = int((grid[:-1] > begin).sum())
    if strength and skipped == steps:
        raise InputError(f"strength {strength} of {steps} steps is no step: raise either")
    return skipped


def _shift(model: Model, request: Request) -> dict[str, float]:
    """What a spacing that shifts noise levels is told of the picture's size."""
    shift = model.family.shift
    if shift is None or not request.spacing.startswith("flow"):
        return {}
    return {"shift": shift(request.height // model.factor, request.width // model.factor)}


def to_picture(image: Tensor) -> Image.Image:
    """A picture of an image (3, h, w) in [−1, 1]."""
    pixels = image.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())
