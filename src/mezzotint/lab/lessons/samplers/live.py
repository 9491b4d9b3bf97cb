"""Samplers on the model: each run's latents against those of very many steps from one noise."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mezzotint.diffusion import spent, times
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.lab.lessons.samplers.measure import (
    ORDERS,
    Run,
    calls_for,
    measured_order,
    rms,
    steps_for,
)
from mezzotint.lab.live import Event, as_url
from mezzotint.pipeline.pipeline import Pipeline, to_picture
from mezzotint.pipeline.request import Options

FIRST, SECOND = "ddim", "dpmpp_2m"
REFERENCE = SECOND
KEPT = 8


@dataclass(frozen=True)
class Question:
    """What is drawn by every sampler: the same noise, the same model, the same guidance."""

    prompt: str
    seed: int
    cfg: float | None
    fine: int
    """The steps of the reference."""

    def options(self, sampler: str, steps: int) -> Options:
        """How it is asked of a pipeline."""
        return Options(sampler=sampler, steps=steps, cfg=self.cfg, seed=self.seed)


@dataclass(frozen=True)
class References:
    """The latents that samplers go to, kept for a few questions: they are what takes long."""

    found: dict[Question, Tensor] = field(default_factory=dict[Question, Tensor])

    def keep(self, question: Question, latents: Tensor) -> None:
        """Keep one, and forget the oldest of too many."""
        self.found[question] = latents
        while len(self.found) > KEPT:
            del self.found[next(iter(self.found))]


def measuring(
    pipe: Pipeline,
    question: Question,
    samplers: Sequence[str],
    calls: Sequence[int],
    references: References,
) -> Iterator[Event]:
    """Draw a reference, then with each sampler in few calls, then in more.

    Events "step" with how far a run is; "reference" with its picture; "run" with a run's calls,
    error and picture, and what is known so far of its sampler's order; and "done" with how many
    calls of DPM++ 2M are as good as those of DDIM.

    Raises:
        InputError: something cannot be drawn.
    """
    if question not in references.found:
        latents = yield from _drawn(pipe, question, REFERENCE, question.fine, reference=True)
        references.keep(question, latents)
    goal = references.found[question]
    yield Event("reference", {"picture": _picture(pipe, goal), "steps": question.fine})
    runs: dict[str, list[Run]] = {sampler: [] for sampler in samplers}
    for budget in sorted(calls):
        for sampler in samplers:
            steps = steps_for(sampler, budget)
            latents = yield from _drawn(pipe, question, sampler, steps)
            run = Run(network_calls(pipe, sampler, steps), rms(latents - goal))
            runs[sampler].append(run)
            told = {
                "sampler": sampler,
                "budget": budget,
                "steps": steps,
                "calls": run.calls,
                "error": run.error,
                "order": ORDERS[sampler],
                "measured": measured_order(runs[sampler]),
                "picture": _picture(pipe, latents),
            }
            yield Event("run", told)
    yield Event("done", {"equal": equals(runs)})


def network_calls(pipe: Pipeline, sampler: str, steps: int) -> int:
    """How often the network is asked, a pair for guidance counted once."""
    process = pipe.model.family.process
    grid = times(process, steps, pipe.model.family.spacing)
    return spent.calls(SAMPLERS[sampler], grid, process)


def equals(runs: dict[str, list[Run]]) -> dict[str, float] | None:
    """With how many calls of DPM++ 2M the error is that of DDIM's most; None if it is not known."""
    if not (runs.get(FIRST) and runs.get(SECOND)):
        return None
    best = max(runs[FIRST], key=lambda run: run.calls)
    found = calls_for(runs[SECOND], best.error)
    return None if found is None else {FIRST: best.calls, SECOND: round(found, 1)}


def _drawn(
    pipe: Pipeline, question: Question, sampler: str, steps: int, *, reference: bool = False
) -> Generator[Event, None, Tensor]:
    """The latents (1, c, h, w); an event for each step but the last, which is told of by others."""
    for step in pipe.stream(question.prompt, **question.options(sampler, steps)):
        if step.index == step.total - 1:
            return step.x
        told = {"sampler": sampler, "index": step.index, "total": step.total}
        yield Event("step", {**told, "reference": reference})
    raise AssertionError("a drawing has at least one step")


@torch.no_grad()
def _picture(pipe: Pipeline, latents: Tensor) -> str:
    return as_url(to_picture(pipe.model.decode_latents(latents)[0]))
