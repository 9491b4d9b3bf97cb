"""Quality against guidance, sampler and steps: `python bench/quality.py`.

Writes docs/quality.md, docs/quality.png and what lesson 7 of the lab shows. Every point is an
evaluation (`mezzotint eval`) of its own folder in --out, so that what was stopped goes on;
`--prompts 14 --docs OTHER --lesson OTHER/quality.json` is a dry run.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
import torch

import mezzotint as mz
from mezzotint.evals import run
from mezzotint.evals.report import Evaluation
from mezzotint.files import made, write_whole
from mezzotint.lab.lessons.samplers.quality import FILE, Quality

mpl.use("Agg")
import matplotlib.pyplot as plt

SCALES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
STEPS = (4, 8, 12, 20, 40)
SAMPLERS = ("dpmpp_2m", "ddim", "unipc", "euler_ancestral")  # a call of the network each step
FIGURES = {
    "prompt accuracy": lambda e: e.accuracy.drawn.overall.share,
    "Fréchet distance, by the floor's": lambda e: (
        e.fidelity.drawn.frechet / e.fidelity.held_out.frechet
    ),
    "CLIP score": lambda e: e.clip.drawn,
    "diversity between seeds": lambda e: e.diversity.ratio,
}
BOUNDS = {  # what true scenes reach
    "prompt accuracy": lambda e: e.accuracy.ceiling.overall.share,
    "Fréchet distance, by the floor's": lambda e: 1.0,
    "CLIP score": lambda e: e.clip.true,
}
COLOURS = ("#1d4e89", "#d1495b", "#2e7d5b", "#e09f3e")

Point = tuple[str, int, float]  # sampler, steps, guidance scale


def points(family) -> tuple[list[Point], list[Point]]:
    """Over guidance scales with the model's sampler and steps; over those with its scale."""
    scales = [(family.sampler, family.steps, scale) for scale in sorted({*SCALES, family.cfg})]
    samplers = dict.fromkeys((family.sampler, *SAMPLERS))
    steps = sorted({*STEPS, family.steps})
    return scales, [(name, n, family.cfg) for name in samplers for n in steps]


def measure(pipe, args: argparse.Namespace, wanted: Iterable[Point]) -> dict[Point, Evaluation]:
    """Evaluate every point; scenes and instruments are the same for all."""

    def settings(point: Point) -> run.Settings:
        sampler, steps, scale = point
        drawing: run.Options = {"sampler": sampler, "steps": steps, "cfg": scale}
        return run.Settings(run.asked(args.what), args.prompts, args.images, args.scenes, drawing)

    def tick(what: str, done: int, total: int) -> None:
        if done == total:
            print(f"{what} {total}", file=sys.stderr, flush=True)

    wanted = list(dict.fromkeys(wanted))
    by = run.instruments(settings(wanted[0]), args.judge, args.clip, args.features)
    against = run.scenes(settings(wanted[0]), by.features, pipe.model.family.size, tick)
    found = {}
    for point in wanted:
        sampler, steps, scale = point
        print(f"{sampler}, {steps} steps, cfg {scale:g}", file=sys.stderr, flush=True)
        home = args.out / f"{sampler}-{steps}-{scale:g}"
        found[point] = run.evaluate(pipe, settings(point), by, home, tick, against)
    return found


def shown(found: dict[Point, Evaluation]) -> list[str]:
    one = next(iter(found.values()))
    parts = dict(zip(FIGURES, (one.accuracy, one.fidelity, one.clip, one.diversity), strict=True))
    return [name for name, part in parts.items() if part is not None]


def draw(
    scales: list[Point], steps: list[Point], found: dict[Point, Evaluation], path: Path
) -> None:
    names = shown(found)
    size = (10, 2.6 * len(names))
    figure, axes = plt.subplots(
        len(names), 2, figsize=size, sharey="row", squeeze=False, layout="constrained"
    )
    for (left, right), name in zip(axes, names, strict=True):
        value = FIGURES[name]
        left.plot([p[2] for p in scales], [value(found[p]) for p in scales], "o-", color=COLOURS[0])
        for colour, sampler in zip(COLOURS, dict.fromkeys(p[0] for p in steps), strict=False):
            line = [p for p in steps if p[0] == sampler]
            values = [value(found[p]) for p in line]
            right.plot([p[1] for p in line], values, "o-", color=colour, label=sampler, ms=4)
        right.set_xscale("log")
        ticks = sorted({p[1] for p in steps})
        right.set_xticks(ticks, [str(n) for n in ticks])
        right.minorticks_off()
        left.set_ylabel(name)
        for axis in (left, right):
            if name in BOUNDS:
                axis.axhline(BOUNDS[name](found[scales[0]]), color="0.4", lw=0.8, ls=":")
            axis.grid(alpha=0.25)
            axis.spines[["top", "right"]].set_visible(False)
    axes[-1, 0].set_xlabel(f"guidance scale ({scales[0][0]}, {scales[0][1]} steps)")
    axes[-1, 1].set_xlabel(f"steps (guidance scale {steps[0][2]:g})")
    axes[0, 1].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def rows(some: list[Point], found: dict[Point, Evaluation]) -> str:
    lines = list[str]()
    for point in some:
        sampler, steps, scale = point
        figures = (f"{FIGURES[name](found[point]):.2f}" for name in shown(found))
        seconds = found[point].drawing.seconds
        took = "–" if seconds is None else f"{seconds:.2f}"
        lines.append(f"| `{sampler}` | {steps} | {scale:g} | {' | '.join(figures)} | {took} |")
    return "\n".join(lines)


def lesson(steps: list[Point], found: dict[Point, Evaluation], args: argparse.Namespace) -> Quality:
    """What lesson 7 shows."""
    accuracy = FIGURES["prompt accuracy"]
    lines: dict[str, list[tuple[int, float]]] = {}
    for point in steps:
        lines.setdefault(point[0], []).append((point[1], round(accuracy(found[point]), 4)))
    return {
        "made": f"Made by bench/quality.py: {args.prompts} prompts of combinations that the model "
        f"was never shown, {args.images} pictures of each, guidance scale {steps[0][2]:g}, and "
        "the judge of docs/evals.md, which also looked at true scenes.",
        "true": round(BOUNDS["prompt accuracy"](found[steps[0]]), 4),
        "samplers": lines,
    }


PAGE = """\
# Quality

This page is written by `python bench/quality.py`, which measured every number in it.
[evals.md](evals.md) tells what they mean.

`{model}` ({digest}), {width} × {height}: {prompts} prompts, {images} pictures of each for the judge
and for diversity, {scenes:,} training scenes to compare with. Smaller sets than `mezzotint eval`
takes by default, so compare points with one another, not with its figures. All with the
engine `eager` in {dtype}.

![All figures against guidance scale, and against steps for each sampler](quality.png)

Dotted: what true scenes that were held out reach.

## Guidance scale

| sampler | steps | cfg | {columns} | s a picture |
|---|---|---|{rule}|---|
{scale_rows}

## Sampler and steps

| sampler | steps | cfg | {columns} | s a picture |
|---|---|---|{rule}|---|
{step_rows}
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model")
    options.add_argument("--judge", type=Path)
    options.add_argument("--clip", type=Path)
    options.add_argument("--features", type=Path)
    options.add_argument("--what", default=",".join(run.WHAT))
    options.add_argument("--prompts", type=int, default=105)
    options.add_argument("--images", type=int, default=2)
    options.add_argument("--scenes", type=int, default=1000)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    options.add_argument("--out", type=Path, default=Path("runs/quality"))
    options.add_argument("--docs", type=Path, default=Path("docs"))
    options.add_argument("--lesson", type=Path, default=FILE)
    options.add_argument("--dtype", default="fp32")
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    pipe = mz.load(args.model, engine="eager", dtype=args.dtype)
    scales, steps = points(pipe.model.family)
    found = measure(pipe, args, [*scales, *steps])
    draw(scales, steps, found, args.docs / "quality.png")
    drawing = found[scales[0]].drawing
    page = PAGE.format(
        model=drawing.model,
        digest=drawing.digest,
        width=drawing.width,
        height=drawing.height,
        prompts=args.prompts,
        images=args.images,
        scenes=args.scenes,
        dtype=args.dtype,
        columns=" | ".join(shown(found)),
        rule="|".join("---" for _ in shown(found)),
        scale_rows=rows(scales, found),
        step_rows=rows(steps, found),
    )
    (args.docs / "quality.md").write_text(page)
    if "accuracy" in args.what:
        told = json.dumps(lesson(steps, found, args), indent=2)
        write_whole(made(args.lesson.parent) / args.lesson.name, told.encode() + b"\n")
    print(args.docs / "quality.md")


if __name__ == "__main__":
    main()
