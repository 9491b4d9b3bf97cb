"""Where contestants draw: a model in every form that they want, and a process for each turn."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from PIL import Image

from mezzotint.bench import contestants as who
from mezzotint.bench.contestants import SCRIPTS, Contestant
from mezzotint.bench.figures import Ceilings, Run, Works
from mezzotint.bench.shapes import PROMPT, SHAPES, Shape, fits
from mezzotint.errors import InputError

SEED = 1
REFERENCE = "mezzotint eager fp32"
BEST = 100.0  # decibels; pictures of 8 bits that agree in every pixel have more


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
        figures = _last_line(printed)
        if error or not figures:
            return Run(self.name, each.name, number, {}, error or "it printed no figures")
        known = self.folder / "reference.png"
        if number and known.exists() and not reference and each.kind.noise:
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
            "steps": each.warm_up if number == 0 else self.settings.steps or shape.steps,
            "scale": shape.scale,
            "guided": shape.guided,
            "seed": SEED,
            "dtype": each.dtype,
            "engine": each.engine,
            "saving": each.saving,
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


def count_work(name: str) -> Works:
    """What a step of a shape and its decoding compute.

    Raises:
        InputError: they cannot be counted.
    """
    size = "whole" if fits(SHAPES[name]) else "reduced"
    printed, error = _run([sys.executable, "-m", "mezzotint.bench.weights", name, size])
    if error:
        raise InputError(f"the work of {name} cannot be counted: {error}")
    return json.loads(printed.splitlines()[-1])


def psnr(one: Path, other: Path) -> float:
    """How alike two pictures are, in decibels."""
    a, b = (np.asarray(Image.open(path).convert("RGB"), np.float64) for path in (one, other))
    error = math.sqrt(np.square(a - b).mean())
    return min(BEST, 20 * math.log10(255 / error)) if error else BEST


def _last_line(printed: str) -> dict[str, float]:
    """The figures that a script printed; libraries may have said something before."""
    try:
        return json.loads(printed.splitlines()[-1])
    except (IndexError, ValueError):
        return {}


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
