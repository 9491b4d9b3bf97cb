"""What the studio's page asks of the server.

Bodies and answers are JSON, what cannot be done is {"why": …}. Drawings are server-sent events, in
which what cannot be done is the event "refused". An id or a name in a request is looked up, and
never becomes a path.
"""

import re
import secrets
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse

from mezzotint.errors import InputError
from mezzotint.foreign import parsed
from mezzotint.lab.live import Lab
from mezzotint.lab.studio import draw, grid, preferences, reading
from mezzotint.lab.studio.asking import Studio
from mezzotint.lab.studio.choices import choices
from mezzotint.lab.studio.gallery import Gallery, PictureGoneError
from mezzotint.lab.studio.models import chosen
from mezzotint.lab.studio.settings import YES, understood
from mezzotint.lab.studio.stored import file_of, thumbnail
from mezzotint.lab.studio.tables import Entry
from mezzotint.lab.uploads import body
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.request import RANDOM_SEEDS

T = TypeVar("T")

FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # no file is written anew
AXES = ("x", "xs", "y", "ys")
LONGEST_NAME = 60


def routes(lab: Lab, gallery: Gallery) -> APIRouter:
    """``/api/studio/…``."""
    router = APIRouter(prefix="/api/studio")
    _drawings(router, Studio(lab, gallery))
    _pictures(router, gallery)
    _preferences(router, gallery)
    return router


def _drawings(router: APIRouter, studio: Studio) -> None:
    lab = studio.lab

    @router.get("/choices")
    async def all_choices(variant: Annotated[str, Query()] = "") -> JSONResponse:
        return JSONResponse(await _in_turn(lab, lambda pipe: choices(chosen(pipe, variant))))

    @router.get("/draw")
    async def drawing(request: Request) -> StreamingResponse:
        settings, why = _understood(request)
        return lab.events(lambda pipe: draw.drawing(pipe, studio, _given(settings, why)))

    @router.get("/grid")
    async def drawing_of_many(request: Request) -> StreamingResponse:
        sides = {name: request.query_params.get(name, "") for name in AXES}
        settings, why = _understood(request, *AXES)
        plan = None
        try:
            across, down = (grid.axis(sides[each], sides[f"{each}s"]) for each in "xy")
            plan = grid.planned(_given(settings, why), across, down)
        except InputError as error:
            why = error
        return lab.events(lambda pipe: grid.drawing(pipe, studio, _given(plan, why)))

    @router.post("/read")
    async def read(request: Request) -> JSONResponse:
        found = await run_in_threadpool(reading.read, await body(request))
        return JSONResponse(await _in_turn(lab, lambda pipe: reading.told(found, pipe)))


def _pictures(router: APIRouter, gallery: Gallery) -> None:
    @router.get("/pictures")
    def newest(
        search: str = "", favourite: str = "", before: str = "", limit: int = 50
    ) -> JSONResponse:
        on = favourite.lower() in YES
        found, more = gallery.newest(search, favourite=on, before=before, limit=limit)
        return JSONResponse({"pictures": [draw.told(each) for each in found], "more": more})

    @router.get("/pictures/{asked}")
    def one(asked: str) -> JSONResponse:
        return JSONResponse(draw.told(gallery.find(asked)))

    @router.get("/pictures/{asked}/file")
    def file(asked: str) -> Response:
        name = _file_name(gallery.find(asked))
        headers = FOREVER | {"Content-Disposition": f'inline; filename="{name}"'}
        return Response(gallery.file(asked).read_bytes(), media_type="image/png", headers=headers)

    @router.get("/pictures/{asked}/thumb")
    def thumb(asked: str) -> Response:
        return Response(thumbnail(gallery.file(asked)), media_type="image/webp", headers=FOREVER)

    @router.get("/pictures/{asked}/again")
    def again(asked: str, vary: str = "") -> JSONResponse:
        settings = dict(gallery.find(asked).settings)
        if vary.lower() in YES:
            settings["seed"] = secrets.randbelow(RANDOM_SEEDS)
        return JSONResponse(settings)

    @router.get("/inputs/{name}")
    def brought(name: str) -> Response:
        found = gallery.input(name)
        if found is None:
            raise PictureGoneError
        return Response(file_of(found), media_type="image/png", headers=FOREVER)

    @router.post("/pictures/{asked}/favourite")
    async def favour(asked: str, request: Request) -> JSONResponse:
        on = (await _table(request)).get("on")
        if not isinstance(on, bool):
            raise InputError('on: give {"on": true} or {"on": false}')
        await run_in_threadpool(gallery.favour, asked, on)
        return JSONResponse({"favourite": on})

    @router.delete("/pictures/{asked}")
    def delete(asked: str) -> JSONResponse:
        gallery.delete(asked)
        return JSONResponse({})

    @router.post("/pictures/{asked}/restore")
    def restore(asked: str) -> JSONResponse:
        gallery.restore(asked)
        return JSONResponse(draw.told(gallery.find(asked)))


def _preferences(router: APIRouter, gallery: Gallery) -> None:
    @router.get("/pair")
    def pair() -> JSONResponse:
        found = preferences.pair(gallery)
        if found is None:
            return JSONResponse({"why": "draw two pictures of one prompt, then compare them here"})
        left, right = (draw.told(each) for each in found)
        return JSONResponse({"prompt": found[0].prompt, "left": left, "right": right})

    @router.post("/preferences")
    async def prefer(request: Request) -> JSONResponse:
        told = await _table(request)
        better, worse, prompt = (told.get(name) for name in ("better", "worse", "prompt"))
        if not (isinstance(better, str) and isinstance(worse, str)):
            raise InputError('preference: give {"better": an id, "worse": an id}')
        said = prompt if isinstance(prompt, str) else None
        await run_in_threadpool(preferences.prefer, gallery, better, worse, said)
        return JSONResponse({}, 201)

    @router.get("/preferences.jsonl")
    def export() -> StreamingResponse:
        headers = {"Content-Disposition": 'attachment; filename="preferences.jsonl"'}
        lines = preferences.exported(gallery)
        return StreamingResponse(lines, media_type="application/jsonl", headers=headers)


async def _in_turn(lab: Lab, ask: Callable[[Pipeline], T]) -> T:
    """What is found of the model, in a turn of its own."""

    def asked() -> Any:
        yield ask(lab.model())

    [found] = [each async for each in lab.turns.run(asked)]
    return cast("T", found)


def _understood(request: Request, *others: str) -> tuple[dict[str, Any] | None, InputError | None]:
    """What a query asks, or what is wrong with it, to be told in an event."""
    told = ((n, v) for n, v in request.query_params.items() if n not in others)
    try:
        return understood(told), None
    except InputError as error:
        return None, error


def _given(found: T | None, why: InputError | None) -> T:
    if found is None:
        raise why or InputError("nothing is asked")
    return found


async def _table(request: Request) -> dict[str, Any]:
    try:
        told: object = parsed(await body(request))
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise InputError("the body of this request is a table in JSON")
    return cast("dict[str, Any]", told)


def _file_name(entry: Entry) -> str:
    """A name to download a picture by: plain letters of its prompt, and its seed."""
    words = "-".join(re.findall(r"[A-Za-z0-9]+", entry.prompt))[:LONGEST_NAME].strip("-")
    return f"{words or entry.kind}-{entry.settings.get('seed', entry.id)}.png".lower()
