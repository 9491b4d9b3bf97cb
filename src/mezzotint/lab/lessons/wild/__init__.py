"""Lesson 10: the models that people use, side by side, and which of them are loaded here."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, StreamingResponse

from mezzotint.errors import InputError, choose
from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.lessons.wild.facts import beside, here, row
from mezzotint.lab.lessons.wild.known import CLOSED, KNOWN
from mezzotint.lab.live import Event, Lab
from mezzotint.pipeline.pipeline import Pipeline

HERE = "here"


def compared(pipe: Pipeline, one: str, other: str, size: int) -> Iterator[Event]:
    """Events "beside", one for each of two models, and "done".

    A model that makes no pictures of this size is told with a "why".

    Args:
        pipe: the lab's.
        one, other: keys of ``KNOWN``, or ``HERE``.
        size: side of a square picture, in pixels.

    Raises:
        InputError: there is no such model.
    """
    for place, name in (("one", one), ("other", other)):
        known = here(pipe) if name == HERE else choose("model", name, KNOWN)
        try:
            told = beside(known, size)
        except InputError as error:
            told = {"title": known.title, "why": str(error)}
        yield Event("beside", {"place": place, **told})
    yield Event("done", {})


def routes(lab: Lab) -> APIRouter:
    """``/api/wild``, ``/api/wild/here`` and ``/api/wild/beside``."""
    router = APIRouter()

    @router.get("/api/wild")
    def table() -> JSONResponse:
        closed = [
            {"title": each.title, "told": each.told, "source": each.source} for each in CLOSED
        ]
        known = {slug: row(each) for slug, each in KNOWN.items()}
        return JSONResponse({"known": known, "closed": closed})

    @router.get("/api/wild/here")
    async def own() -> StreamingResponse:
        return lab.events(lambda pipe: iter([Event("done", row(here(pipe)))]))

    @router.get("/api/wild/beside")
    async def side_by_side(
        one: str, other: str, size: Annotated[int, Query(ge=16, le=4096)]
    ) -> StreamingResponse:
        return lab.events(lambda pipe: compared(pipe, one, other, size))

    return router


LESSON = Lesson(
    "wild",
    "In the wild",
    "What do the models that people use have in common, and where do they differ?",
    (
        "mezzotint.families.recognise:family_of",
        "mezzotint.families.sd3:join",
        "mezzotint.diffusion.times:flow_shift",
        "mezzotint.lab.lessons.wild.facts:attending",
    ),
    routes,
)
