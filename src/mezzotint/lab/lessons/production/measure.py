"""How long a picture takes on this machine, measured as it is drawn."""

import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import torch

from mezzotint.errors import choose
from mezzotint.lab.lessons.calls import default_calls
from mezzotint.lab.lessons.production.energy import Meter, meter
from mezzotint.lab.live import Event
from mezzotint.pipeline.pipeline import Pipeline, Step
from mezzotint.pipeline.request import Options

PROMPT = "a fox in the snow at night"
ENOUGH, MANY = 3.0, 100  # seconds of drawing, or steps, after which the spread is known
FEWEST = 3  # steps that are measured however long they take
SHORT = 4  # steps of a picture that is drawn for its size's or its batch's sake
LONGEST = 20.0  # seconds of a curve


@dataclass(frozen=True)
class Spread:
    """Seconds: the median, and two of them between which eight in ten lie, or more."""

    median: float
    low: float
    high: float
    count: int


@dataclass
class Measured:
    """What was measured so far, in seconds.

    Attributes:
        steps: of a picture, by the family's choice.
        first: first steps, which read the prompt besides.
        later: all other steps.
        decoded: times of decoding.
        joules: of all of these together; None where there is no meter.
    """

    steps: int
    first: list[float] = field(default_factory=list[float])
    later: list[float] = field(default_factory=list[float])
    decoded: list[float] = field(default_factory=list[float])
    joules: float | None = None

    @property
    def spent(self) -> float:
        """Seconds of drawing."""
        return sum(self.first) + sum(self.later) + sum(self.decoded)

    @property
    def picture(self) -> float | None:
        """Seconds of a picture: first step + (n − 1)·median of the others + decoding."""
        if not (self.first and self.decoded and (self.later or self.steps == 1)):
            return None
        others = (self.steps - 1) * median(self.later) if self.later else 0.0
        return median(self.first) + others + median(self.decoded)


def spread(seconds: Sequence[float]) -> Spread | None:
    """The median of some times, without their first and last tenth; None of fewer than two."""
    n = len(seconds)
    if n < 2:
        return None
    inner = sorted(seconds)[n // 10 : n - n // 10]
    return Spread(median(seconds), inner[0], inner[-1], n)


def measured(pipe: Pipeline, enough: float = ENOUGH) -> Iterator[Event]:
    """Events "machine", "step" for each step with all figures so far, and "done".

    Pictures are drawn one after the other, for ``enough`` seconds.

    Raises:
        InputError: the model draws nothing from a prompt alone.
    """
    yield Event("machine", machine(pipe))
    found, joules = Measured(pipe.model.family.steps), meter()
    seed = 0
    while not _known(found, enough):
        yield from _picture(pipe, found, seed, enough, joules)
        seed += 1
    yield Event("done", told(found))


def curve(pipe: Pipeline, against: str) -> Iterator[Event]:
    """Events "point" with the seconds of a picture, or of a batch, against something; then "done".

    Args:
        pipe: what draws.
        against: "steps", "size" or "batch".

    Raises:
        InputError: it is none of these.
    """
    cases = choose("curve", against, _cases(pipe))
    spent, left = 0.0, len(cases)
    for x, options in cases:
        seconds = 0.0
        for step, took in timed(pipe, pipe.stream(PROMPT, **options)):
            seconds += took
            if step.index == step.total - 1:
                began = time.perf_counter()
                step.decode(step.x)
                _wait(pipe)
                seconds += time.perf_counter() - began
            yield Event("turn", {})
        spent, left = spent + seconds, left - 1
        yield Event("point", {"x": x, "seconds": seconds, "short": SHORT})
        if spent > LONGEST:
            break
    yield Event("done", {"left": left})


def timed(pipe: Pipeline, steps: Iterator[Step]) -> Iterator[tuple[Step, float]]:
    """Steps, and the seconds that each took, without what others did between them."""
    while True:
        began = time.perf_counter()
        step = next(steps, None)
        _wait(pipe)
        if step is None:
            return
        yield step, time.perf_counter() - began


def machine(pipe: Pipeline) -> dict[str, object]:
    """What draws, and on what."""
    family, model = pipe.model.family, pipe.model
    return {
        "model": pipe.source,
        "processor": _processor() if model.device.type == "cpu" else _accelerator(model.device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "dtype": str(model.dtype).removeprefix("torch."),
        "steps": family.steps,
        "sampler": family.sampler,
        "size": family.size,
        "calls": default_calls(family),
        "meter": meter() is not None,
    }


def told(found: Measured) -> dict[str, object]:
    """The figures as a page is told them."""
    step, picture = spread(found.later), found.picture
    share = picture / found.spent if picture else 0.0
    return {
        "step": asdict(step) if step else None,
        "first": median(found.first) if found.first else None,
        "decode": median(found.decoded) if found.decoded else None,
        "picture": picture,
        "an_hour": 3600 / picture if picture else None,
        "joules": found.joules * share if picture and found.joules is not None else None,
    }


def _known(found: Measured, enough: float) -> bool:
    """Whether enough was measured."""
    fewest = min(FEWEST, found.steps - 1)
    return len(found.later) >= fewest and (found.spent >= enough or len(found.later) >= MANY)


def _picture(
    pipe: Pipeline, found: Measured, seed: int, enough: float, joules: Meter | None
) -> Iterator[Event]:
    """One picture, or the beginning of one that would take too long."""
    before = joules() if joules else 0.0
    for step, took in timed(pipe, pipe.stream(PROMPT, seed=seed)):
        (found.later if step.index else found.first).append(took)
        ends = _known(found, enough)
        if ends or step.index == step.total - 1:
            began = time.perf_counter()
            step.decode(step.x)
            _wait(pipe)
            found.decoded.append(time.perf_counter() - began)
        if joules:
            found.joules = (found.joules or 0.0) + joules() - before
        yield Event("step", {"last": took, "index": step.index, "total": step.total} | told(found))
        before = joules() if joules else 0.0
        if ends:
            return


def _cases(pipe: Pipeline) -> dict[str, list[tuple[int, Options]]]:
    family = pipe.model.family
    sides = [
        round(family.size * f / family.multiple) * family.multiple for f in (0.5, 0.75, 1, 1.5)
    ]
    fit = [side for side in dict.fromkeys(sides) if family.smallest <= side <= family.largest]
    return {
        "steps": [(n, Options(seed=0, steps=n)) for n in (1, 2, 4, 8, 16, 32)],
        "size": [(side, Options(seed=0, width=side, height=side, steps=SHORT)) for side in fit],
        "batch": [(n, Options(seed=0, batch=n, steps=SHORT)) for n in (1, 2, 3, 4)],
    }


def _wait(pipe: Pipeline) -> None:
    """Until the accelerator has done what it was told to."""
    if pipe.model.device.type == "cuda":
        torch.cuda.synchronize(pipe.model.device)


def _accelerator(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
