"""Lesson 2: a drawing as a page watches it, every step an event with pictures in it."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import torch
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from PIL import Image
from torch import Tensor

from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.live import Event, Lab, as_url, changes_model
from mezzotint.pipeline.pipeline import Pipeline, Step
from mezzotint.pipeline.request import Options

VIEWS = ("x", "x0", "eps")


MOST_STEPS, LONGEST = 100, 1000


def drawing(pipe: Pipeline, prompt: str, options: Options, views: Sequence[str]) -> Iterator[Event]:
    """Events "step" with pictures of what is asked for, then "done".

    Args:
        pipe: what draws.
        prompt: of the picture.
        options: as ``Pipeline.generate`` has them.
        views: of ``VIEWS``: the noisy latents decoded, the prediction of the clean picture, and
            the noise that is predicted, its first three channels.
    """
    for step in pipe.stream(prompt, **options):
        pictures = {view: as_url(_view(pipe, step, view)) for view in views}
        told = {"index": step.index, "total": step.total, "t": step.t, "pictures": pictures}
        yield Event("step", told)
        if step.index == step.total - 1:
            yield Event("done", {"recipe": step.output().images[0].info["parameters"]})


def routes(lab: Lab) -> APIRouter:
    """``/api/draw``."""
    router = APIRouter()

    @router.get("/api/draw")
    async def draw(
        prompt: Annotated[str, Query(max_length=LONGEST)],
        show: Annotated[str, Query()] = "x0",
        steps: Annotated[int | None, Query(ge=1, le=MOST_STEPS)] = None,
        sampler: str | None = None,
        cfg: float | None = None,
        seed: int | None = None,
        negative: Annotated[str, Query(max_length=LONGEST)] = "",
    ) -> StreamingResponse:
        options = Options(steps=steps, sampler=sampler, cfg=cfg, seed=seed, negative=negative)
        views = [view for view in VIEWS if view in show.split(",")]
        return lab.events(
            lambda pipe: drawing(pipe, prompt, options, views), alone=changes_model(prompt)
        )

    return router


def _view(pipe: Pipeline, step: Step, view: str) -> Image.Image:
    match view:
        case "x":
            return step.decode(step.x)[0]
        case "eps":
            return _noise(pipe, step)
        case _:
            return step.preview()[0]


def _noise(pipe: Pipeline, step: Step) -> Image.Image:
    """ε̂ = (x − α·x̂₀)/σ, a pixel a latent; grey where the last step has left none."""
    process, t = pipe.model.family.process, torch.tensor(step.t, dtype=torch.float64)
    alpha, sigma = float(process.alpha(t)), float(process.sigma(t))
    eps = (step.x[0] - alpha * step.x0[0]) / sigma if sigma > 0 else torch.zeros_like(step.x[0])
    return _latent_picture(eps)


def _latent_picture(latent: Tensor) -> Image.Image:
    """The first three channels (c, h, w) as colours; four widths of a normal are black to white."""
    levels = (latent[:3] / 4 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).cpu().contiguous().numpy())


LESSON = Lesson(
    "emerge",
    "Emerge",
    "How does a picture come out of noise?",
    (
        "mezzotint.diffusion.samplers.first_order:ddim",
        "mezzotint.diffusion.samplers.grid:move",
        "mezzotint.diffusion.prediction:denoiser",
    ),
    routes,
)
