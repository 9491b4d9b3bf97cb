"""Lesson 1: the forward processes, as α and σ after each of 1000 steps."""

import torch
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from mezzotint.diffusion import Process
from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.live import Lab

STEPS = 1000
SHOWN = {
    "linear": Process.linear,
    "scaled_linear": Process.scaled_linear,
    "cosine": Process.cosine,
    "flow": Process.flow,
}


def schedules() -> dict[str, dict[str, list[float]]]:
    """For each process, "alpha" and "sigma" after 0 … 1000 steps of noising, 1001 numbers each.

    Step 0 is the picture itself. A table's step k is its timestep k − 1, and a continuous process
    is at k/1000 of its time, or at its noisiest if that comes before.
    """
    done = torch.arange(STEPS + 1, dtype=torch.float64)
    found: dict[str, dict[str, list[float]]] = {}
    for name, make in SHOWN.items():
        process = make()
        t = done - 1 if process.steps else (done / STEPS).clamp(max=process.t_noise)
        found[name] = {
            "alpha": [round(a, 6) for a in process.alpha(t).tolist()],
            "sigma": [round(s, 6) for s in process.sigma(t).tolist()],
        }
    return found


def routes(_: Lab) -> APIRouter:
    """``/api/schedules``."""
    router = APIRouter()

    @router.get("/api/schedules")
    def all_schedules() -> JSONResponse:
        return JSONResponse(schedules(), headers={"Cache-Control": "max-age=3600"})

    return router


LESSON = Lesson(
    "dissolve",
    "Dissolve",
    "What does noise do to a picture?",
    (
        "mezzotint.diffusion.process:Process.diffuse",
        "mezzotint.diffusion.process:Process.linear",
        "mezzotint.diffusion.process:Process.cosine",
        "mezzotint.diffusion.process:Process.flow",
    ),
    routes,
)
