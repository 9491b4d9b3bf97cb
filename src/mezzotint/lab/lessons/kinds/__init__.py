"""Lesson 9: a GAN, a VAE, a flow and a diffusion model, trained side by side."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, StreamingResponse

from mezzotint.lab.lessons.kinds.measured import table
from mezzotint.lab.lessons.kinds.race import race
from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.live import Lab

MOST_STEPS = 4000


def routes(lab: Lab) -> APIRouter:
    """``/api/kinds/race`` and ``/api/kinds/measured``."""
    router = APIRouter()

    @router.get("/api/kinds/race")
    async def live(
        data: str = "ring",
        game: str = "paired",
        steps: Annotated[int, Query(ge=1, le=MOST_STEPS)] = 1000,
        seed: Annotated[int, Query(ge=0, le=2**32)] = 0,
    ) -> StreamingResponse:
        return lab.events(lambda _: race(data, game, steps, seed))

    @router.get("/api/kinds/measured")
    def measured() -> JSONResponse:
        return JSONResponse({"table": table()})

    return router


LESSON = Lesson(
    "kinds",
    "Four kinds of generator",
    "GAN, VAE, flow, diffusion: what does each learn, and what does it cost?",
    (
        "mezzotint.lab.lessons.kinds.toys:GAN.loss",
        "mezzotint.lab.lessons.kinds.toys:VAE.loss",
        "mezzotint.lab.lessons.kinds.toys:Flow.loss",
        "mezzotint.lab.lessons.kinds.toys:Diffusion.loss",
        "mezzotint.training.taxonomy.gan:GAN.loss",
        "mezzotint.training.taxonomy.vae:VAE._nats",
        "mezzotint.training.taxonomy.flow:Flow._nats",
        "mezzotint.training.taxonomy.diffusion:Diffusion.loss",
    ),
    routes,
)
