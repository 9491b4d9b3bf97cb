"""Lesson 12: five questions on each of the others."""

from dataclasses import asdict

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from mezzotint.lab.lessons.check.sets import sets
from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.live import Lab


def routes(_: Lab) -> APIRouter:
    """``/api/check``."""
    router = APIRouter()

    @router.get("/api/check")
    def questions() -> JSONResponse:
        return JSONResponse({"sets": [asdict(each) for each in sets()]})

    return router


LESSON = Lesson(
    "check",
    "Check yourself",
    "Five questions on each lesson: what has stayed?",
    (
        "mezzotint.lab.lessons.check.numbers:calls",
        "mezzotint.lab.lessons.check.numbers:saved",
        "mezzotint.diffusion.guidance:cfg",
    ),
    routes,
)
