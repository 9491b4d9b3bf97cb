"""The lab's server: pages, and what they ask of the model while they are open.

It is for the person at this machine. It answers to no other host's name and to no page of another
origin, loads nothing from elsewhere, and runs no script that is not one of its files.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from mezzotint import __version__
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.errors import InputError
from mezzotint.lab.highlight import coloured
from mezzotint.lab.lessons import LESSONS
from mezzotint.lab.live import STREAM, Lab, refused
from mezzotint.lab.misasked import why
from mezzotint.lab.source import excerpt
from mezzotint.lab.studio import Gallery, routes
from mezzotint.lab.studio.gallery import PictureGoneError
from mezzotint.lab.uploads import body, picture
from mezzotint.pipeline.pipeline import Pipeline

HOSTS = ("localhost", "127.0.0.1", "[::1]")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Next = Callable[[Request], Awaitable[Response]]


def create(load: Callable[[], Pipeline], gallery: Path | None = None) -> FastAPI:
    """The app.

    Args:
        load: gives the model; called once, when a page first asks something of it.
        gallery: the folder that the studio keeps pictures in; without one, they go with the app.

    Raises:
        InputError: the gallery cannot be opened.
    """
    lab = Lab(cache(load))
    passing = TemporaryDirectory(prefix="mezzotint-", ignore_cleanup_errors=True)
    kept = Gallery(Path(passing.name) if gallery is None else gallery)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        lab.turns.close()
        kept.close()
        passing.cleanup()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))
    app.middleware("http")(_guarded)
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(RequestValidationError, _misasked)
    pages = _pages()

    @app.get("/", response_class=HTMLResponse)
    def contents() -> str:
        return pages.get_template("contents.html").render()

    @app.get("/lessons/{slug}", response_class=HTMLResponse)
    def lesson(slug: str) -> Response:
        for number, each in enumerate(LESSONS, 1):
            if each.slug == slug:
                page = pages.get_template(f"{slug}.html")
                return HTMLResponse(page.render(lesson=each, number=number))
        return HTMLResponse(pages.get_template("missing.html").render(), 404)

    @app.get("/studio", response_class=HTMLResponse)
    def studio() -> str:
        return pages.get_template("studio.html").render()

    @app.post("/api/pictures")
    async def bring(request: Request) -> JSONResponse:
        brought = await run_in_threadpool(picture, await body(request))
        told = {"picture": lab.uploads.keep(brought), "size": brought.size}
        return JSONResponse(told, 201)

    for each in LESSONS:
        app.include_router(each.routes(lab))
    app.include_router(routes(lab, kept))
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    return app


def _refused(request: Request, error: Exception) -> Response:
    return _no(request, str(error), 404 if isinstance(error, PictureGoneError) else 400)


def _misasked(request: Request, error: Exception) -> Response:
    return _no(request, why(cast("RequestValidationError", error).errors()), 422)


def _no(request: Request, reason: str, status: int) -> Response:
    """A refusal; an EventSource reads an event, and nothing of an answer that is no stream."""
    event = refused(reason)
    if STREAM in request.headers.get("accept", ""):
        return Response(event.text, media_type=STREAM)
    return JSONResponse(event.told, status)


async def _guarded(request: Request, answer: Next) -> Response:
    """Answer this machine's own pages only, and tell the browser what they may do."""
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    followed = request.headers.get("sec-fetch-dest") == "document" and request.method == "GET"
    api = request.url.path.startswith("/api/")
    linked = followed and not api  # from anywhere, as a person does
    if (site not in ("none", "same-origin") and not linked) or origin not in (None, own):
        return PlainTextResponse("this is a page of another site: open the lab itself", 403)
    response = await answer(request)
    response.headers.update(HEADERS)
    return response


def _pages() -> Environment:
    pages = Environment(
        loader=PackageLoader("mezzotint.lab", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    cast("dict[str, Any]", pages.globals).update(
        lessons=LESSONS,
        excerpt=excerpt,
        coloured=coloured,
        samplers=sorted(SAMPLERS),
        version=__version__,
    )
    return pages
