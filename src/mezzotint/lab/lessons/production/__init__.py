"""Lesson 11: what a picture costs on this machine, and what it carries with it."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.lessons.production.measure import curve, measured
from mezzotint.lab.lessons.production.provenance import told_and_again
from mezzotint.lab.live import Lab
from mezzotint.lab.own import own_for

LONGEST = 1000


def routes(lab: Lab) -> APIRouter:
    """``/api/production/measure``, ``/curve`` and ``/provenance``."""
    router = APIRouter()

    @router.get("/api/production/measure")
    async def measure() -> StreamingResponse:
        return lab.events(measured)

    @router.get("/api/production/curve")
    async def against(against: str) -> StreamingResponse:
        return lab.events(lambda pipe: curve(pipe, against))

    @router.get("/api/production/provenance")
    async def provenance(
        prompt: Annotated[str, Query(max_length=LONGEST)], seed: int | None = None
    ) -> StreamingResponse:
        return lab.events(lambda pipe: told_and_again(own_for(pipe, prompt), prompt, seed))

    return router


LESSON = Lesson(
    "production",
    "In production",
    "What does a picture cost here, and what comes with it?",
    (
        "mezzotint.lab.lessons.production.measure:Measured",
        "mezzotint.lab.lessons.production.measure:timed",
        "mezzotint.pipeline.metadata.picture:attach",
        "mezzotint.pipeline.metadata.recipe:Recipe",
    ),
    routes,
)
