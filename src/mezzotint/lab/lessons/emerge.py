"""Lesson 2: a drawing as a page watches it, every step an event with pictures in it."""

import secrets
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import torch
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from PIL import Image
from torch import Tensor

from mezzotint.diffusion import times
from mezzotint.diffusion.samplers import SAMPLERS, Sampler
from mezzotint.diffusion.spent import Spent, calls, metered, resumed, steps_within
from mezzotint.errors import InputError, choose
from mezzotint.lab.lessons.lesson import Lesson
from mezzotint.lab.live import Event, Lab, as_url
from mezzotint.lab.own import own_for
from mezzotint.pipeline.metadata import render
from mezzotint.pipeline.pipeline import Pipeline, Step
from mezzotint.pipeline.request import Options

VIEWS = ("x", "x0", "eps")
MOST_STEPS, LONGEST = 100, 1000
KEPT = 8  # drawings, each of two hundred latents at most


@dataclass(frozen=True)
class Course:
    """What a drawing went through, so that another sampler can go on from any of its steps.

    Attributes:
        prompt: of the picture.
        options: as ``Pipeline.stream`` has them.
        x: the latents after each step, (1, c, h, w).
        x0: what the clean ones were predicted to be.
        spent: what was asked for until then.
    """

    prompt: str
    options: Options
    x: list[Tensor] = field(default_factory=list[Tensor])
    x0: list[Tensor] = field(default_factory=list[Tensor])
    spent: list[Spent] = field(default_factory=list[Spent])


@dataclass(frozen=True)
class Courses:
    """The last drawings, by the names that pages know them by; for the turns' one thread."""

    _kept: OrderedDict[str, Course] = field(default_factory=OrderedDict[str, Course])

    def keep(self, course: Course) -> str:
        """Keep a drawing that may still go on; its name."""
        name = secrets.token_hex(8)
        self._kept[name] = course
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return name

    def find(self, name: str) -> Course:
        """A drawing that was kept.

        Raises:
            InputError: there is none of this name, or no longer.
        """
        if name not in self._kept:
            raise InputError("the lab no longer has this drawing: draw it again")
        return self._kept[name]


def drawing(
    pipe: Pipeline,
    prompt: str,
    options: Options,
    views: Sequence[str],
    courses: Courses,
    budget_of: str | None = None,
) -> Iterator[Event]:
    """Events "step" with what is asked for, then "done".

    The picture of a step that was decoded first comes with it, a second one as an event "more", so
    that nobody waits for both.

    Args:
        pipe: what draws.
        prompt: of the picture.
        options: as ``Pipeline.generate`` has them.
        views: of ``VIEWS``: the noisy latents decoded, the prediction of the clean picture, and
            the noise that is predicted, its first three channels.
        courses: where the drawing is kept.
        budget_of: a sampler; as many steps are taken as make no more calls than its ``steps``.

    Raises:
        InputError: there is no such sampler, or an option is out of its range.
    """
    family = pipe.model.family
    steps, name = options.get("steps") or family.steps, options.get("sampler") or family.sampler
    sampler = choose("sampler", name, SAMPLERS)
    if budget_of:
        budget = cost(pipe, choose("sampler", budget_of, SAMPLERS), steps)
        steps = steps_within(budget, sampler, lambda n: times(family.process, n), family.process)
    course = Course(prompt, {**options, "steps": steps, "sampler": name})
    yield from _watched(pipe, course, sampler, Spent(), cost(pipe, sampler, steps), views, courses)


def going_on(
    pipe: Pipeline, begun: Course, after: int, name: str, views: Sequence[str], courses: Courses
) -> Iterator[Event]:
    """Events as of ``drawing``, from where one stands after some of its steps, by another sampler.

    Args:
        pipe: what draws.
        begun: the drawing.
        after: how many of its steps are left as they are.
        name: of the sampler of the rest.
        views: as in ``drawing``.
        courses: where the drawing is kept.

    Raises:
        InputError: there is no such sampler, or no such step, or nothing is left to do after it.
    """
    steps = begun.options.get("steps") or 0
    if not 1 <= after <= min(len(begun.x), steps - 1):
        raise InputError(f"after {after} of {steps} steps: go on from a step that was drawn")
    sampler, spent = choose("sampler", name, SAMPLERS), begun.spent[after - 1]
    options: Options = {**begun.options, "sampler": name}
    so_far = begun.x[:after], begun.x0[:after], begun.spent[:after]
    course = Course(begun.prompt, options, *so_far)
    x = begun.x[after - 1].to(pipe.model.device)
    rest = resumed(sampler, x, after, spent.draws)
    total = spent.calls + cost(pipe, sampler, steps, after)
    # the draws that are passed over are counted again as they are made
    yield from _watched(pipe, course, rest, Spent(spent.calls), total, views, courses)


def cost(pipe: Pipeline, sampler: Sampler, steps: int, done: int = 0) -> int:
    """How often a sampler calls the network; how its steps are spaced makes no difference."""
    process = pipe.model.family.process
    return calls(sampler, times(process, steps)[done:], process)


def _watched(
    pipe: Pipeline,
    course: Course,
    sampler: Sampler,
    spent: Spent,
    total: int,
    views: Sequence[str],
    courses: Courses,
) -> Iterator[Event]:
    name, whole = courses.keep(course), not course.x
    first, *later = [view for view in ("x0", "x") if view in views] or [""]
    for step in pipe.stream_by(course.prompt, metered(sampler, spent), **course.options):
        course.options["seed"] = step.recipes[0].seed  # also where none was given
        course.x.append(step.x.cpu())
        course.x0.append(step.x0.cpu())
        course.spent.append(replace(spent))
        now = [view for view in (first, "eps") if view in views]
        yield Event(
            "step",
            {
                "drawing": name,
                "index": step.index,
                "total": step.total,
                "t": step.t,
                "calls": spent.calls,
                "of": total,
                "pictures": {view: as_url(_view(pipe, step, view)) for view in now},
            },
        )
        for view in later:
            pictures = {view: as_url(_view(pipe, step, view))}
            yield Event("more", {"index": step.index, "pictures": pictures})
        if step.index == step.total - 1:
            left = [apart(x0, course.x[-1]) for x0 in course.x0]
            recipe = render(step.recipes[0]) if whole else None
            yield Event("done", {"drawing": name, "left": left, "recipe": recipe})


def apart(one: Tensor, other: Tensor) -> float:
    """The distance of two latents, a number of theirs: the root of the mean square."""
    return (one - other).square().mean().sqrt().item()


def routes(lab: Lab) -> APIRouter:
    """``/api/draw``, ``/api/draw/on`` and ``/api/draw/apart``."""
    router, courses = APIRouter(), Courses()

    @router.get("/api/draw")
    async def draw(
        prompt: Annotated[str, Query(max_length=LONGEST)],
        show: Annotated[str, Query()] = "x0",
        steps: Annotated[int | None, Query(ge=1, le=MOST_STEPS)] = None,
        sampler: str | None = None,
        cfg: float | None = None,
        seed: int | None = None,
        negative: Annotated[str, Query(max_length=LONGEST)] = "",
        budget_of: str | None = None,
    ) -> StreamingResponse:
        options = Options(steps=steps, sampler=sampler, cfg=cfg, seed=seed, negative=negative)

        def begin(pipe: Pipeline) -> Iterator[Event]:
            pipe = own_for(pipe, prompt, negative)
            yield from drawing(pipe, prompt, options, _views(show), courses, budget_of)

        return lab.events(begin)

    @router.get("/api/draw/on")
    async def go_on(drawing: str, after: int, sampler: str, show: str = "x0") -> StreamingResponse:
        def begin(pipe: Pipeline) -> Iterator[Event]:
            begun = courses.find(drawing)
            pipe = own_for(pipe, begun.prompt, begun.options.get("negative", ""))
            yield from going_on(pipe, begun, after, sampler, _views(show), courses)

        return lab.events(begin)

    @router.get("/api/draw/apart")
    async def ends(one: str, other: str) -> StreamingResponse:
        def begin(_: Pipeline) -> Iterator[Event]:
            ends = [courses.find(name).x[-1] for name in (one, other)]
            yield Event("done", {"apart": apart(*ends)})

        return lab.events(begin)

    return router


def _views(show: str) -> list[str]:
    return [view for view in VIEWS if view in show.split(",")]


def _view(pipe: Pipeline, step: Step, view: str) -> Image.Image:
    match view:
        case "x":
            return step.decode(step.x)[0]
        case "eps":
            return _noise(pipe, step)
        case _:
            return step.preview()[0]


def _noise(pipe: Pipeline, step: Step) -> Image.Image:
    """ε̂ = (x − α·x̂₀)/σ, a pixel a latent; grey where the last step has left none."""
    process, t = pipe.model.family.process, torch.tensor(step.t, dtype=torch.float64)
    alpha, sigma = float(process.alpha(t)), float(process.sigma(t))
    eps = (step.x[0] - alpha * step.x0[0]) / sigma if sigma > 0 else torch.zeros_like(step.x[0])
    return _latent_picture(eps)


def _latent_picture(latent: Tensor) -> Image.Image:
    """The first three channels (c, h, w) as colours; four widths of a normal are black to white."""
    levels = (latent[:3] / 4 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).cpu().contiguous().numpy())


LESSON = Lesson(
    "emerge",
    "Emerge",
    "How does a picture come out of noise?",
    (
        "mezzotint.diffusion.samplers.first_order:ddim",
        "mezzotint.diffusion.samplers.grid:move",
        "mezzotint.diffusion.prediction:denoiser",
        "mezzotint.diffusion.spent:resumed",
    ),
    routes,
)
