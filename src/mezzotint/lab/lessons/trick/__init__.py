"""Lesson 3: small networks trained as the page watches, on a shape that the visitor draws."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import torch
from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, StreamingResponse
from torch import Tensor

from mezzotint.errors import choose
from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.lessons.trick.learning import (
    AIMS,
    PROCESS,
    Aim,
    batch,
    floor,
    learn,
    learner,
)
from mezzotint.lab.lessons.trick.looking import DOTS, levels, look, places, probe
from mezzotint.lab.lessons.trick.shapes import EDGE, PRESETS, distance, drawn, read
from mezzotint.lab.live import Event, Lab

TURN, SEEN = 10, 100
"""After how many steps of training their loss is told, and is looked at what was learned."""

MOST_STEPS, LONGEST = 3000, 5000


def training(points: Tensor, aims: Sequence[Aim], total: int, seed: int) -> Iterator[Event]:
    """Train a network for each aim, on the same batches.

    Events "begun" with what is known from the start; "learned" with the mean loss of each since the
    last; "seen" with ``looking.look`` at one of them; and "done".

    Args:
        points: of the shape (k, 2).
        aims: what each network predicts.
        total: how many steps.
        seed: of the networks and of the batches.
    """
    shape = drawn(points)
    tried, generator = probe(points, shape, seed), torch.Generator().manual_seed(seed)
    known = {
        "levels": levels(),
        "places": [round(each, 3) for each in places().flatten().tolist()],
        "perfect": look(shape.denoiser(PROCESS), tried),
        "floors": [floor(shape, aim, generator) for aim in aims],
        "data": distance(shape.sample(DOTS, generator), points),
    }
    yield Event("begun", known)
    learners = [learner(aim, total, seed) for aim in aims]
    losses = [0.0] * len(learners)
    for step in range(1, total + 1):
        seen = batch(shape, generator)
        for k, each in enumerate(learners):
            losses[k] += learn(each, *seen) / TURN
        if step % TURN == 0:
            yield Event("learned", {"step": step, "total": total, "losses": losses})
            losses = [0.0] * len(learners)
        if step % SEEN == 0 or step == total:
            for k, each in enumerate(learners):
                yield Event("seen", {"network": k, "step": step, **look(each.denoise, tried)})
    yield Event("done", {"steps": total})


def routes(lab: Lab) -> APIRouter:
    """``/api/shapes`` and ``/api/learn``."""
    router = APIRouter()

    @router.get("/api/shapes")
    def shapes() -> JSONResponse:
        told = {name: make().mul(100).round().int().tolist() for name, make in PRESETS.items()}
        return JSONResponse({"edge": EDGE, "shapes": told})

    @router.get("/api/learn")
    async def learned(
        points: Annotated[str, Query(max_length=LONGEST)],
        against: str = "picture",
        steps: Annotated[int, Query(ge=TURN, le=MOST_STEPS)] = 800,
        seed: Annotated[int, Query(ge=0, lt=2**32)] = 0,
    ) -> StreamingResponse:
        def begin() -> Iterator[Event]:
            aims = [AIMS["noise"], choose("prediction", against, AIMS)]
            return training(read(points), aims, steps, seed)

        return lab.events(lambda _: begin())

    return router


LESSON = Lesson(
    "trick",
    "The training trick",
    "Why predict the noise, and not the picture?",
    (
        "mezzotint.diffusion.losses:denoising_loss",
        "mezzotint.diffusion.prediction:target",
        "mezzotint.diffusion.prediction:to_x0",
        "mezzotint.lab.lessons.trick.learning:learn",
        "mezzotint.diffusion.oracle:GaussianMixture.denoise",
    ),
    routes,
)
