"""Lesson 8: everything beside words that says what a picture is to be."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from mezzotint.adapters.base import Adapter
from mezzotint.adapters.controlnet import controlnet
from mezzotint.adapters.ip_adapter import ip_adapter
from mezzotint.errors import InputError, choose
from mezzotint.lab.adapters import controls, sights
from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.lessons.steering.abilities import obeying, told
from mezzotint.lab.lessons.steering.changing import drawn, edited
from mezzotint.lab.live import Event, Lab, as_url
from mezzotint.lab.maps import map_of
from mezzotint.lab.own import own, own_for
from mezzotint.pipeline.load import load
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.request import EditOptions, Options

T = TypeVar("T")

MOST_STEPS, LONGEST, MOST_WAYS = 100, 1000, 10

Prompt = Annotated[str, Field(max_length=LONGEST)]


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Edit(_Query):
    """``EditOptions`` of a picture that was brought; several strengths are drawn one by one."""

    picture: str
    prompt: Prompt
    strength: Annotated[list[float] | None, Field(max_length=MOST_WAYS)] = None
    mask: str | None = None
    expand: Annotated[list[float] | None, Field(min_length=4, max_length=4)] = None
    source: Prompt | None = None
    keep: float = 0.8
    passes: int | None = None
    instruct: bool = False
    image_cfg: float | None = None
    cfg: float | None = None
    steps: Annotated[int | None, Field(ge=1, le=MOST_STEPS)] = None
    seed: int | None = None


class Map(_Query):
    """What ``maps.map_of`` makes a map of; pictures by their names."""

    kind: str = ""
    picture: str | None = None
    painted: str | None = None
    boxes: Annotated[str, Field(max_length=LONGEST)] = ""
    low: float = 100
    high: float = 200


class Draw(Map):
    """A prompt, and what steers it: nothing, a ControlNet's map, or a picture as a prompt."""

    prompt: Prompt
    by: Literal["", "control", "sight"] = ""
    name: str = ""
    scale: float = 1.0
    end: float = 1.0
    steps: Annotated[int | None, Field(ge=1, le=MOST_STEPS)] = None
    seed: int | None = None


def routes(lab: Lab) -> APIRouter:
    """``/api/steering`` and under it ``edit``, ``map`` and ``draw``."""
    router = APIRouter(prefix="/api/steering")
    other = cache(load)  # the variant that takes instructions is loaded when it is first asked for

    @router.get("")
    async def able() -> JSONResponse:
        return JSONResponse(await _once(lab, told))

    @router.get("/edit")
    async def edit(asked: Annotated[Edit, Query()]) -> StreamingResponse:
        def begin(pipe: Pipeline) -> Iterator[Event]:
            name = obeying(pipe) if asked.instruct else None
            pipe = pipe if name in (None, pipe.source) else other(name)
            # keeping the source's attention hooks the network from the first step to the last
            pipe = own_for(pipe, asked.prompt) if asked.source is None else own(pipe)
            yield from edited(pipe, lab.uploads.find(asked.picture), asked.prompt, ways(asked))

        return lab.events(begin)

    @router.get("/map")
    async def mapped(asked: Annotated[Map, Query()]) -> JSONResponse:
        found = await _once(lab, lambda pipe: as_url(_map(lab, pipe, asked)))
        return JSONResponse({"picture": found})

    @router.get("/draw")
    async def draw(asked: Annotated[Draw, Query()]) -> StreamingResponse:
        options = Options(steps=asked.steps, seed=asked.seed)

        def begin(pipe: Pipeline) -> Iterator[Event]:
            adapters = _adapters(lab, pipe, asked)
            pipe = own(pipe) if adapters else own_for(pipe, asked.prompt)
            yield from drawn(pipe, asked.prompt, adapters, options)

        return lab.events(begin)

    def ways(asked: Edit) -> list[EditOptions]:
        apart = {"picture", "prompt", "strength", "mask"}
        rest = asked.model_dump(exclude=apart, exclude_none=True)
        if asked.mask:
            rest["mask"] = lab.uploads.find(asked.mask)
        options: list[dict[str, Any]] = [{"strength": each} for each in asked.strength or [None]]
        return [EditOptions(**rest, **each) for each in options]

    return router


async def _once(lab: Lab, find: Callable[[Pipeline], T]) -> T:
    """What is found of the model, in one turn."""
    [found] = [each async for each in lab.turns.run(lambda: iter([find(lab.model())]))]
    return found


def _map(lab: Lab, pipe: Pipeline, asked: Map) -> Any:
    side = pipe.model.family.size
    return map_of(
        asked.kind,
        (side, side),
        lab.uploads.find(asked.picture) if asked.picture else None,
        lab.uploads.find(asked.painted) if asked.painted else None,
        asked.boxes,
        asked.low,
        asked.high,
    )


def _adapters(lab: Lab, pipe: Pipeline, asked: Draw) -> list[Adapter]:
    """What is to be attached; nothing at a scale of 0."""
    match asked.by:
        case "control":
            file = choose("ControlNet", asked.name, controls(pipe))
            return [controlnet(file, _map(lab, pipe, asked), asked.scale, end=asked.end)]
        case "sight":
            if not asked.picture:
                raise InputError("there is no picture to be shown: bring one")
            path = choose("IP-Adapter", asked.name, sights(pipe))
            return [ip_adapter(path, lab.uploads.find(asked.picture), asked.scale)]
        case _:
            return []


LESSON = Lesson(
    "steering",
    "Steering",
    "How is a picture told more than words can say?",
    (
        "mezzotint.pipeline.drawing:_sampled",
        "mezzotint.pipeline.drawing:_beginning",
    ),
    routes,
)
