"""Lesson 7: error against calls of the network, on the model and where the answer is known."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, StreamingResponse

from mezzotint.errors import InputError
from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.lessons.samplers.exact import curves
from mezzotint.lab.lessons.samplers.live import Question, References, measuring
from mezzotint.lab.lessons.samplers.measure import chosen
from mezzotint.lab.lessons.samplers.quality import quality
from mezzotint.lab.live import Event, Lab
from mezzotint.lab.own import own_for
from mezzotint.pipeline.pipeline import Pipeline

MOST_CALLS, MOST_RUNS, LONGEST = 100, 8, 1000


def numbers(text: str) -> list[int]:
    """Calls of a list "5,10,20", each once.

    Raises:
        InputError: it is no such list, or asks for too much.
    """
    try:
        found = sorted({int(each) for each in text.split(",")})
    except ValueError:
        found = []
    if not found or len(found) > MOST_RUNS or found[0] < 1 or found[-1] > MOST_CALLS:
        raise InputError(
            f"calls {text!r}: give up to {MOST_RUNS} whole numbers from 1 to {MOST_CALLS} with , "
            "between, such as 5,10,20,50"
        )
    return found


def routes(lab: Lab) -> APIRouter:
    """``/api/orders``, ``/api/measure`` and ``/api/quality``."""
    router = APIRouter()
    references = References()

    @router.get("/api/orders")
    async def orders(
        samplers: str, process: str = "cosine", spacing: str = "smooth"
    ) -> StreamingResponse:
        def begin() -> Iterator[Event]:
            yield from curves(chosen(samplers), process, spacing)

        return lab.events(lambda _: begin())

    @router.get("/api/measure")
    async def measure(
        prompt: Annotated[str, Query(max_length=LONGEST)],
        samplers: str,
        calls: str = "5,10,20,50",
        seed: Annotated[int, Query(ge=0, lt=2**32)] = 7,
        cfg: Annotated[float | None, Query(ge=0, le=100)] = None,
        fine: Annotated[int, Query(ge=2, le=400)] = 100,
    ) -> StreamingResponse:
        def begin(pipe: Pipeline) -> Iterator[Event]:
            question = Question(prompt, seed, cfg, fine)
            pipe = own_for(pipe, prompt)
            yield from measuring(pipe, question, chosen(samplers), numbers(calls), references)

        return lab.events(begin)

    @router.get("/api/quality")
    def found() -> JSONResponse:
        return JSONResponse({"found": quality()})

    return router


LESSON = Lesson(
    "samplers",
    "Samplers and steps",
    "Why does one sampler need 50 steps, and another 20?",
    (
        "mezzotint.diffusion.samplers.first_order:ddim",
        "mezzotint.diffusion.samplers.multistep:dpmpp_2m_sde",
        "mezzotint.diffusion.samplers.multistep:_over",
        "mezzotint.diffusion.samplers.two_stage:heun",
        "mezzotint.diffusion.times:linspace",
        "mezzotint.diffusion.oracle:followed",
    ),
    routes,
)
