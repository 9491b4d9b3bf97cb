"""Lesson 6: what a prompt says and what is said without it, at each step, and what is made of both.

The predictions are the pipeline's own: its guidance is asked in between, and nothing is computed a
second time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Literal, TypeAlias, get_args

import numpy as np
import torch
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from mezzotint.diffusion import Denoiser, Process
from mezzotint.diffusion.guidance import Pair, apg, cfg, interval, rescaled_cfg
from mezzotint.errors import choose
from mezzotint.families.base import Family
from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.live import Event, Lab, as_url
from mezzotint.lab.own import own_for
from mezzotint.pipeline.guided import Guide
from mezzotint.pipeline.pipeline import Pipeline, Step
from mezzotint.pipeline.request import Options

MOST_STEPS, LONGEST, MOST_SCALE = 50, 1000, 20.0
MIDDLING = 0.3, 5.0  # σ/α between which the interval guides
SHOWN = 0.0, 1.0, 2.0, 7.0, 12.0, MOST_SCALE  # in the strip, beside the model's own

Rule = Literal["cfg", "rescaled", "projected", "interval"]
Words: TypeAlias = Annotated[str, Query(max_length=LONGEST)]
Steps: TypeAlias = Annotated[int | None, Query(ge=1, le=MOST_STEPS)]


@dataclass(frozen=True)
class Regime:
    """Scales at which pictures look alike.

    Attributes:
        begins: the smallest of them.
        name: what they do, short.
        words: what is seen.
    """

    begins: float
    name: str
    words: str


def regimes(usual: float) -> list[Regime]:
    """From scale 0 up, around the one that a model is set to draw with."""
    own = Regime(
        max(min(usual, 1.25), 0.75 * usual),
        "what this model is set to",
        f"It draws with {usual:g} if it is told nothing: clear shapes that keep to the prompt.",
    )
    alone = Regime(
        1,
        "the prompt alone",
        "The conditional prediction as it is: softer, and as varied as what the model has learned.",
    )
    ends = [
        Regime(
            0,
            "not heard",
            "Only the other prediction counts: some picture, or the negative prompt's, whatever "
            "the prompt says.",
        ),
        Regime(0.25, "half heard", "Between both predictions: of the prompt comes what is left."),
    ]
    if usual <= 1:
        words = "This model was made to do without guidance: more of it exaggerates at once."
        return [*ends, alone, Regime(1.25, "more than it is made for", words)]
    little = Regime(1.25, "a little", "Past the conditional prediction: more of what is asked for.")
    return [
        *ends,
        alone,
        *([little] if little.begins < own.begins else []),
        own,
        Regime(
            1.5 * usual,
            "strong",
            "Contrast grows and edges harden; pictures of other noise look more alike.",
        ),
        Regime(
            2.5 * usual,
            "too much",
            "x̂₀ is thrown out to where no pictures are: colours burn and shapes break.",
        ),
    ]


def ruled(rule: str, process: Process) -> Guide:
    """A kind of guidance by its name.

    Raises:
        InputError: there is none of this name.
    """

    def within(predict: Pair, scale: float) -> Denoiser:
        return interval(cfg(predict, scale), lambda x, t: predict(x, t)[0], process, *MIDDLING)

    kinds: dict[str, Guide] = dict(
        zip(get_args(Rule), (cfg, rescaled_cfg, apg, within), strict=True)
    )
    return choose("kind of guidance", rule, kinds)


def watched(guide: Guide, seen: list[tuple[Tensor, Tensor]]) -> Guide:
    """The same guidance; ``seen`` is given what each call of the network predicts, both of it."""

    def watching(predict: Pair, scale: float) -> Denoiser:
        def told(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            seen.append(predict(x, t))
            return seen[-1]

        return guide(told, scale)

    return watching


def plane(cond: Tensor, uncond: Tensor, guided: Tensor) -> dict[str, tuple[float, float]]:
    """Where the predictions (1, c, h, w) lie in the plane through both and 0, the mean of all data.

    The first axis is the way that guidance goes, from ``uncond`` to ``cond``. Lengths are the root
    of the mean square, so that a picture's latents are about 1 from 0.
    """
    rows = {"uncond": uncond, "cond": cond, "guided": guided}
    flat = {name: row.flatten().double() / row.numel() ** 0.5 for name, row in rows.items()}
    along = F.normalize(flat["cond"] - flat["uncond"], dim=0)
    across = F.normalize(flat["cond"] - (flat["cond"] @ along) * along, dim=0)
    return {name: ((row @ along).item(), (row @ across).item()) for name, row in flat.items()}


def strength(latent: Tensor) -> float:
    """The root of the mean square of latents; about 1 for those of pictures."""
    return latent.square().mean().sqrt().item()


def clipped(picture: Image.Image) -> float:
    """The share of a picture's colour values that are at either end of what there is, 0 to 1."""
    values = np.asarray(picture.convert("RGB"))
    return float(((values == 0) | (values == 255)).mean())


def difference(cond: Tensor, uncond: Tensor, size: tuple[int, int]) -> Image.Image:
    """Where two predictions (1, c, h, w) differ: from white to black where they do most."""
    ink = (cond - uncond)[0].square().mean(0).sqrt().cpu()
    grey = (255 * (1 - ink / ink.max().clamp(min=1e-12))).round().to(torch.uint8)
    return Image.fromarray(grey.numpy()).resize(size, Image.Resampling.NEAREST)


def drawing(pipe: Pipeline, prompt: str, options: Options, rule: str) -> Iterator[Event]:
    """Events "step" with the guided prediction, "more" with the two it is made of, then "done".

    Args:
        pipe: what draws.
        prompt: of the picture.
        options: as ``Pipeline.generate`` has them.
        rule: a ``Rule``.

    Raises:
        InputError: there is no such rule, or an option is out of its range.
    """
    seen: list[tuple[Tensor, Tensor]] = []
    guide = watched(ruled(rule, pipe.model.family.process), seen)
    for step in pipe.stream_by(prompt, guide=guide, **options):
        cond, uncond = seen[-1]
        yield Event("step", _told(step, cond, uncond))
        for view, latents in (("cond", cond), ("uncond", uncond)):
            pictures = {view: as_url(step.decode(latents)[0])}
            yield Event("more", {"index": step.index, "pictures": pictures})
    yield Event("done", {})


def _told(step: Step, cond: Tensor, uncond: Tensor) -> dict[str, object]:
    guided = step.preview()[0]
    return {
        "index": step.index,
        "total": step.total,
        "t": step.t,
        "difference": strength(cond - uncond),
        "strength": {
            "uncond": strength(uncond),
            "cond": strength(cond),
            "guided": strength(step.x0),
        },
        "clipped": clipped(guided),
        "plane": plane(cond, uncond, step.x0),
        "pictures": {
            "guided": as_url(guided),
            "difference": as_url(difference(cond, uncond, guided.size)),
        },
    }


def strip(
    pipe: Pipeline, prompt: str, options: Options, rule: str, scales: Sequence[float]
) -> Iterator[Event]:
    """A picture of one noise for each scale: events "tick" as it is drawn, "drawn", then "done"."""
    guide = ruled(rule, pipe.model.family.process)
    for scale in scales:
        asked: Options = {**options, "cfg": scale}
        for step in pipe.stream_by(prompt, guide=guide, **asked):
            yield Event("tick", {"scale": scale, "index": step.index, "total": step.total})
            if step.index == step.total - 1:
                picture = step.output().images[0]
                told = {"strength": strength(step.x), "clipped": clipped(picture)}
                yield Event("drawn", {"scale": scale, "picture": as_url(picture), **told})
    yield Event("done", {})


def about(family: Family) -> dict[str, object]:
    """What the page is to know of the model."""
    return {
        "usual": family.cfg,
        "steps": min(family.steps, MOST_STEPS),
        "regimes": [asdict(each) for each in regimes(family.cfg)],
        "scales": sorted({*SHOWN, min(family.cfg, MOST_SCALE)}),
        "distilled": family.guidance is not None,
    }


def routes(lab: Lab) -> APIRouter:
    """``/api/guidance``, ``/api/guidance/strip`` and ``/api/guidance/about``."""
    router = APIRouter()

    @router.get("/api/guidance")
    async def guided(
        prompt: Words,
        negative: Words = "",
        cfg: Annotated[float | None, Query(ge=0, le=MOST_SCALE)] = None,
        steps: Steps = None,
        seed: int | None = None,
        rule: str = "cfg",
    ) -> StreamingResponse:
        options = Options(negative=negative, steps=steps, cfg=cfg, seed=seed)
        return lab.events(
            lambda pipe: drawing(own_for(pipe, prompt, negative), prompt, options, rule)
        )

    @router.get("/api/guidance/strip")
    async def over_scales(
        prompt: Words,
        seed: int,
        negative: Words = "",
        steps: Steps = None,
        rule: str = "cfg",
    ) -> StreamingResponse:
        options = Options(negative=negative, steps=steps, seed=seed)

        def begin(pipe: Pipeline) -> Iterator[Event]:
            scales = sorted({*SHOWN, min(pipe.model.family.cfg, MOST_SCALE)})
            yield from strip(own_for(pipe, prompt, negative), prompt, options, rule, scales)

        return lab.events(begin)

    @router.get("/api/guidance/about")
    async def known() -> StreamingResponse:
        return lab.events(lambda pipe: iter([Event("done", about(pipe.model.family))]))

    return router


LESSON = Lesson(
    "guidance",
    "Guidance",
    "How is a prompt made to count for more?",
    (
        "mezzotint.diffusion.guidance:cfg",
        "mezzotint.pipeline.guided:guided",
        "mezzotint.diffusion.guidance:rescaled_cfg",
        "mezzotint.diffusion.guidance:apg",
        "mezzotint.diffusion.guidance:interval",
    ),
    routes,
)
