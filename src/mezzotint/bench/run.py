"""Measure contestants in turn, each in a process of its own, and write what was found.

Round after round everyone draws once, in the opposite order every other time, so that whatever else
the machine does meets all alike. What is measured is kept beside the page until it is written: the
same command goes on after a run that was stopped.
"""

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from PIL import Image

from mezzotint import __version__
from mezzotint.bench import contestants as who
from mezzotint.bench import page
from mezzotint.bench.contestants import SCRIPTS, Contestant
from mezzotint.bench.figures import Ceilings, Run, Works, keep, kept
from mezzotint.bench.report import Entry, Findings, section
from mezzotint.bench.shapes import PROMPT, SHAPES, Shape, fits
from mezzotint.errors import InputError, choose

SEED = 1
WARM_UP = 2  # steps
REFERENCE = "mezzotint eager fp32"
SLACK, START = (
    2.0,
    12.0,
)  # of an estimate: from the ceilings; seconds to import and load
BEST = 100.0  # decibels; pictures of 8 bits that agree in every pixel have more

Tick = Callable[[str, int, int], None]
"""Told what is being done, and how much of how much is."""


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Attributes:
        shapes: names of ``SHAPES``.
        contestants: who takes part, if it can.
        rounds: how often each draws.
        steps: of a picture; None for each shape's own.
        python: the interpreter that has the peers.
        sdcpp: the program of stable-diffusion.cpp.
    """

    shapes: Sequence[str]
    contestants: Sequence[Contestant]
    rounds: int
    steps: int | None
    python: str
    sdcpp: Path | None


def bench(settings: Settings, out: Path, say: Callable[[str], None], tick: Tick) -> None:
    """Measure everything and write a section a shape into the page ``out``.

    Raises:
        InputError: there is no such shape, the page cannot be written, a model cannot be made, or
            an interpreter does not run.
    """
    for name in settings.shapes:
        choose("shape", name, SHAPES)
    found = who.versions(settings.python, settings.contestants)
    ceilings = measure_ceilings()
    works = {name: _works(name, fits(SHAPES[name])) for name in settings.shapes}
    say(f"this takes about {_minutes(settings, ceilings, works, found):.0f} min")
    file = out.with_suffix(".rounds.json")
    asked = _asked(settings, ceilings, found)
    runs = kept(file, asked)
    for name in settings.shapes:
        missing = {
            each.name: who.absence(each, SHAPES[name], ceilings.device, found, settings.sdcpp)
            for each in settings.contestants
        }
        with tempfile.TemporaryDirectory(prefix="mezzotint-bench-") as folder:
            there = [each for each in settings.contestants if not missing[each.name]]
            stage = Stage(Path(folder), name, settings, ceilings)
            for each, why in stage.prepare(there).items():
                missing[each] = why
            for best in _rounds(stage, there, missing, runs, tick):
                keep(file, asked, runs)
                ceilings = best
        mine = [run for run in runs if run.shape == name]
        page.write(out, section(_findings(name, settings, ceilings, works[name], mine, missing)))
    file.unlink(missing_ok=True)


def turns(
    contestants: Sequence[Contestant], rounds: int, have: set[tuple[str, int]]
) -> Iterator[tuple[int, Contestant]]:
    """Who draws when: round 0 to warm up, then those that count, each the other way round.

    Args:
        contestants: the reference first.
        rounds: that count.
        have: names and rounds that are not needed again; who has all of them need not warm up.
    """
    wanted = range(1, rounds + 1)
    left = [c for c in contestants if any((c.name, number) not in have for number in wanted)]
    for number in range(rounds + 1):
        backwards = number > 0 and number % 2 == 0
        for each in reversed(left) if backwards else left:
            if (each.name, number) not in have:
                yield number, each


def _rounds(
    stage: "Stage",
    contestants: Sequence[Contestant],
    missing: dict[str, str],
    runs: list[Run],
    tick: Tick,
) -> Iterator[Ceilings]:
    """Let everyone draw; after each, ``runs`` has its turn, and the ceilings so far are given."""
    there = [each for each in contestants if not missing[each.name]]
    have = {(run.contestant, run.round) for run in runs if run.shape == stage.name}
    order, ceilings, at = list(turns(there, stage.settings.rounds, have)), stage.ceilings, 0
    for done, (number, each) in enumerate(order, 1):
        if number > at:
            at, ceilings = number, ceilings | measure_ceilings()
        if not missing[each.name]:
            run = stage.draw(each, number)
            runs.append(run)
            if run.error:
                missing[each.name] = f"failed: {run.error}"
        tick(stage.name, done, len(order))
        yield ceilings
    yield ceilings


@dataclass(frozen=True)
class Stage:
    """A folder with a model in every form that the contestants want, and where they draw.

    Attributes:
        folder: which is let go in the end.
        name: of the shape.
        settings: what is measured.
        ceilings: of the machine, as measured before.
    """

    folder: Path
    name: str
    settings: Settings
    ceilings: Ceilings

    @property
    def shape(self) -> Shape:
        """What is drawn."""
        return SHAPES[self.name]

    def prepare(self, contestants: Sequence[Contestant]) -> dict[str, str]:
        """Make the model; tell which contestants cannot read it, and why.

        Raises:
            InputError: it cannot be made.
        """
        if self.shape.embedded:
            return {}
        size = "whole" if fits(self.shape) else "reduced"
        made = ["-m", "mezzotint.bench.weights", self.name, size, str(self.folder)]
        if error := _run([sys.executable, *made])[1]:
            raise InputError(f"the model of {self.name} cannot be made: {error}")
        model, why = str(self.folder / "model"), dict[str, str]()
        if exported := [each for each in contestants if each.kind.exported]:
            script = str(SCRIPTS / "export_openvino.py")
            command = [self.settings.python, script, model, str(self.folder / "exported")]
            if error := _run(command, self._surroundings())[1]:
                why |= {each.name: f"failed: its export: {error}" for each in exported}
        if any(each.kind is who.SDCPP for each in contestants):
            one = str(self.folder / "model.safetensors")
            code = "import sys; from mezzotint.cli import main; main()"
            command = [sys.executable, "-c", code, "convert", model, one, "--dtype", "fp16"]
            if error := _run(command)[1]:
                cpp = (each for each in contestants if each.kind is who.SDCPP)
                why |= {each.name: f"failed: its file: {error}" for each in cpp}
        return why

    def draw(self, each: Contestant, number: int) -> Run:
        """A contestant's turn in a round."""
        reference = each.name == REFERENCE and number > 0
        picture = self.folder / ("reference.png" if reference else "picture.png")
        python = sys.executable if each.ours or not each.kind.needs else self.settings.python
        told = self._told(each, number) | {"picture": str(picture), "began": time.time()}
        command = [python, str(SCRIPTS / each.kind.script), json.dumps(told)]
        printed, error = _run(command, self._surroundings())
        try:
            figures: dict[str, float] = {} if error else json.loads(printed.splitlines()[-1])
        except (IndexError, ValueError):
            error = "it printed no figures"
        if error:
            return Run(self.name, each.name, number, {}, error)
        known = self.folder / "reference.png"
        if number and known.exists() and not reference:
            figures["psnr"] = psnr(known, picture)
        return Run(self.name, each.name, number, figures)

    def _told(self, each: Contestant, number: int) -> dict[str, Any]:
        shape, model = self.shape, self.folder / "model"
        if each.kind.exported:
            model = self.folder / "exported"
        elif each.kind is who.SDCPP:
            model = self.folder / "model.safetensors"
        return {
            "model": "storybook" if shape.embedded else str(model),
            "noise": "" if shape.embedded else str(self.folder / "noise.npy"),
            "cache": str(self.folder / "cache"),
            "binary": str(self.settings.sdcpp or ""),
            "prompt": PROMPT,
            "size": shape.size,
            "steps": WARM_UP if number == 0 else self.settings.steps or shape.steps,
            "scale": shape.scale,
            "guided": shape.guided,
            "seed": SEED,
            "dtype": each.dtype,
            "engine": each.engine,
            "device": self.ceilings.device,
            "threads": self.ceilings.threads,
        }

    def _surroundings(self) -> dict[str, str]:
        cache = self.folder / "cache"
        return {
            "OMP_NUM_THREADS": str(self.ceilings.threads),
            "MEZZOTINT_CACHE": str(cache),
            "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
            "HF_HUB_OFFLINE": "1",
        }


def measure_ceilings() -> Ceilings:
    """What this machine does at best.

    Raises:
        InputError: torch does not run here.
    """
    printed, error = _run([sys.executable, "-m", "mezzotint.bench.ceilings"])
    if error:
        raise InputError(f"the machine cannot be measured: {error}")
    return Ceilings(**json.loads(printed.splitlines()[-1]))


def psnr(one: Path, other: Path) -> float:
    """How alike two pictures are, in decibels."""
    a, b = (np.asarray(Image.open(path).convert("RGB"), np.float64) for path in (one, other))
    error = math.sqrt(np.square(a - b).mean())
    return min(BEST, 20 * math.log10(255 / error)) if error else BEST


def _works(name: str, whole: bool) -> Works:
    size = "whole" if whole else "reduced"
    printed, error = _run([sys.executable, "-m", "mezzotint.bench.weights", name, size])
    if error:
        raise InputError(f"the work of {name} cannot be counted: {error}")
    return json.loads(printed.splitlines()[-1])


def _run(command: Sequence[str], surroundings: Mapping[str, str] | None = None) -> tuple[str, str]:
    """What a command prints, or in one line why it failed."""
    env = {**os.environ, **(surroundings or {})}
    try:
        ran = subprocess.run(command, env=env, capture_output=True, text=True)
    except OSError as error:
        return "", f"{command[0]}: {error.strerror}"
    if ran.returncode == -signal.SIGKILL:
        return "", "killed, most likely for its memory"
    if ran.returncode < 0:
        return "", f"fell to {signal.Signals(-ran.returncode).name}"
    if ran.returncode:
        said = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
        return "", shorten(said[-1] if said else f"status {ran.returncode}", 160)
    return ran.stdout, ""


def _minutes(
    settings: Settings,
    ceilings: Ceilings,
    works: Mapping[str, Works],
    found: Mapping[str, str | None],
) -> float:
    """About how long a run takes, told from its FLOPs."""
    seconds = 0.0
    for name, work in works.items():
        shape = SHAPES[name]
        for each in settings.contestants:
            if who.absence(each, shape, ceilings.device, found, settings.sdcpp):
                continue
            dtype = "fp32" if each.dtype == "fp32" else "bf16"
            step, decode = (ceilings.least(work[kind], dtype) or 0 for kind in ("step", "decode"))
            slack = SLACK * (10 if each.kind is who.SDCPP else 1)
            picture = START + slack * 2 * decode
            steps = WARM_UP + settings.rounds * (settings.steps or shape.steps)
            seconds += (settings.rounds + 1) * picture + slack * steps * step
    return max(1.0, seconds / 60)


def _asked(
    settings: Settings, ceilings: Ceilings, found: Mapping[str, str | None]
) -> dict[str, Any]:
    """What a run that goes on has to have in common with the one that was stopped."""
    return {
        "version": __version__,
        "machine": page.machine(),
        "device": [ceilings.device, ceilings.name, ceilings.threads],
        "shapes": list(settings.shapes),
        "contestants": [each.name for each in settings.contestants],
        "rounds": settings.rounds,
        "steps": settings.steps,
        "installed": dict(found),
        "sdcpp": str(settings.sdcpp),
    }


def _findings(
    name: str,
    settings: Settings,
    ceilings: Ceilings,
    works: Works,
    runs: Sequence[Run],
    missing: Mapping[str, str],
) -> Findings:
    return Findings(
        shape=SHAPES[name],
        whole=fits(SHAPES[name]),
        steps=settings.steps or SHAPES[name].steps,
        rounds=settings.rounds,
        ceilings=ceilings,
        works=works,
        entries=[
            Entry(
                each,
                missing[each.name],
                [run for run in runs if run.contestant == each.name],
            )
            for each in settings.contestants
        ],
        machine=page.machine(),
    )
