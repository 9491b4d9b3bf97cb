"""How time and memory grow with what is asked for: `python bench/growth.py [sd15]`.

Every drawing is made in a fresh process. The exponent b of y ∝ xᵇ is fitted in logarithms over the
larger half of the values, where what does not grow counts least, and held against what the
mathematics says. Writes docs/growth.png, and a table into docs/benchmarks.md. With `sd15` it is of
a Stable Diffusion 1.5 of full size at random weights, in bf16. `--quick --page PAGE.md` is a dry
run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from checkpoint import MAKE
from speed import REPORT

from mezzotint.bench.page import machine, write
from mezzotint.files import made

SLACK = 0.15  # of a fitted exponent, for what a measurement wavers

DRAW = """
import json, resource, sys, time
from pathlib import Path
import mezzotint as mz
import torch

model, dtype, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
pipe = mz.load(model or None, dtype=dtype, device="cpu", engine="eager")
page = resource.getpagesize()
if model:
    for weight in pipe.model.network.parameters():
        weight.sum()  # what is in memory whatever is drawn
before = int(Path("/proc/self/statm").read_text().split()[1]) * page
pipe.generate("a fox in the snow", seed=1, **{**options, "steps": 1, "batch": 1})  # is slower
start = time.perf_counter()
pipe.generate("a fox in the snow", seed=1, **options)
spent = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([spent, peak - before]))
"""


@dataclass(frozen=True)
class Axis:
    """What grows, and how fast the rest may.

    Attributes:
        name: in words.
        options: of a drawing, by the value on the axis.
        time, memory: the exponents that the mathematics says at most.
        why: where they come from.
    """

    name: str
    options: Mapping[float, Mapping[str, int]]
    time: float
    memory: float
    why: str


def axes(sides: Sequence[int], counts: Sequence[int], steps: int) -> list[Axis]:
    """Pixels, pictures and steps.

    Args:
        sides: of the pictures.
        counts: of pictures and of steps.
        steps: where they do not grow.
    """
    small = {"width": sides[0], "height": sides[0]}
    return [
        Axis(
            "pixels",
            {side * side: {"width": side, "height": side, "steps": steps} for side in sides},
            2.0,
            1.0,
            "attention among pixels takes their square in time, and is never stored whole",
        ),
        Axis(
            "pictures",
            {n: {**small, "batch": n, "steps": steps} for n in counts},
            1.0,
            1.0,
            "each is drawn by itself",
        ),
        Axis(
            "steps",
            {n: {**small, "steps": n} for n in counts},
            1.0,
            0.0,
            "a step needs the last one's result alone",
        ),
    ]


def exponent(values: Sequence[float], measured: Sequence[float]) -> float:
    """b of the measured ∝ valuesᵇ, by least squares in logarithms over the larger half."""
    first = min(len(values) // 2, len(values) - 2)
    x, y = (np.log(np.asarray(each[first:], float)) for each in (values, measured))
    return float(np.polyfit(x, y, 1)[0])


def drawn(model: str, dtype: str, options: Mapping[str, int]) -> tuple[float, float]:
    """Seconds of a drawing, and bytes beyond those that were taken before it."""
    command = [sys.executable, "-c", DRAW, model, dtype, json.dumps(options)]
    child = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, taken = json.loads(child.stdout.splitlines()[-1])
    return seconds, max(taken, 1e6)  # less is what pages happen to take


def table(found: Mapping[str, tuple[Axis, Sequence[tuple[float, float]]]]) -> str:
    """The exponents as Markdown, each beside what it may be."""
    lines = ["| with the number of | time grows as | at most | memory as | at most | because |"]
    lines.append("|---|---|---|---|---|---|")
    for axis, measured in found.values():
        times, memory = zip(*measured, strict=True)
        cells = [axis.name]
        for most, each in ((axis.time, times), (axis.memory, memory)):
            power = exponent(list(axis.options), each)
            faster = " **faster**" if power > most + SLACK else ""
            cells += [f"n^{power:.2f}{faster}", f"n^{most:g}"]
        lines.append(f"| {' | '.join([*cells, axis.why])} |")
    return "\n".join(lines)


def plot(found: Mapping[str, tuple[Axis, Sequence[tuple[float, float]]]], to: Path) -> None:
    """Time and memory over each axis, and lines of the steepest growth that there may be."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, places = plt.subplots(2, len(found), figsize=(10, 5.5), squeeze=False)
    for column, (axis, measured) in enumerate(found.values()):
        x = np.asarray(list(axis.options), float)
        for row, (unit, scale, most) in enumerate(
            (("seconds", 1.0, axis.time), ("MB more", 1e-6, axis.memory))
        ):
            place, y = places[row, column], scale * np.asarray([each[row] for each in measured])
            place.loglog(x, y, "o-", label="measured")
            place.loglog(x, y[-1] * (x / x[-1]) ** most, ":", color="grey", label=f"n^{most:g}")
            place.set(xlabel=axis.name, ylabel=unit, ylim=(y.min() / 2, 2 * y.max()))
            place.set_xticks(x, [f"{n:,.0f}" for n in x], rotation=30)
            place.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
            place.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(to, dpi=110)


def section(title: str, model: str, dtype: str, asked: Sequence[Axis], picture: Path) -> str:
    """Measure, plot, and tell it as Markdown, for a page beside the picture."""
    load = os.getloadavg()[0]
    found = {
        axis.name: (axis, [drawn(model, dtype, options) for options in axis.options.values()])
        for axis in asked
    }
    plot(found, picture)
    return (
        f"## {title}\n\n{table(found)}\n\n"
        f"![Time and memory over what is asked for]({picture.name})\n\n"
        f"Memory is what a drawing takes beyond the loaded model; each drawing in a process of its "
        f"own, with the engine `eager`. On {machine()}; the load average was {load:.1f} when it "
        "began. Made by `python bench/growth.py`.\n"
    )


def embedded(quick: bool, folder: Path) -> str:
    """The figures of the embedded model; its picture goes into ``folder``."""
    if quick:
        asked = axes((128, 160), (1, 2), steps=1)
    else:
        asked = axes((128, 192, 256, 384, 512), (2, 4, 8, 16, 32), steps=4)
    return section("Growth", "", "fp32", asked, folder / "growth.png")


def full_size(quick: bool, folder: Path) -> str:
    """The same of a Stable Diffusion 1.5."""
    if quick:
        asked = axes((64, 128), (1, 2), steps=1)
    else:
        asked = axes((256, 384, 512, 768, 1024), (1, 2, 4), steps=1)
    title = "Growth of a Stable Diffusion 1.5"
    with tempfile.TemporaryDirectory(prefix="mezzotint-bench-") as place:
        subprocess.run([sys.executable, "-c", MAKE, place], check=True, capture_output=True)
        return section(title, f"{place}/model", "bf16", asked, folder / "growth-sd15.png")


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print the figures, and put them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", choices=["sd15"])
    parser.add_argument("--quick", action="store_true", help="few values, small ones")
    parser.add_argument("--page", type=Path, default=REPORT)
    args = parser.parse_args(words)
    made(args.page.parent)
    figures = (full_size if args.model else embedded)(args.quick, args.page.parent)
    print(figures)
    write(args.page, figures)


if __name__ == "__main__":
    main()
