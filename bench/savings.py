"""What approximate savings save, and what they cost the picture: `python bench/savings.py`.

Draws the same pictures with each saving and without, in turn, and writes times, PSNR to the exact
pictures and, with `--accuracy`, prompt accuracy into docs/benchmarks.md. `--sd15` times a U-Net
of Stable Diffusion 1.5's shape at random weights as well; pictures there would say nothing.
`--pictures 2 --steps 4 --page PAGE.md` is a dry run.
"""

import argparse
import math
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import mezzotint as mz
from mezzotint.adapters.base import Adapter, Run, attached
from mezzotint.adapters.savings import deepcache, first_block, token_merging
from mezzotint.bench.page import machine, write
from mezzotint.evals import run
from mezzotint.families.base import Part
from mezzotint.families.sizes.sd_presets import SD15_UNET
from mezzotint.models.unet import UNet
from mezzotint.pipeline.identity import weights_digest
from mezzotint.pipeline.pipeline import Pipeline

PROMPTS = (
    "a fox in the snow at night",
    "a red apple and a blue cup on a table",
    "a castle on a beach at sunset",
    "three owls in a forest, in watercolour",
)
REACH = 25  # dB that a picture shall have


@dataclass(frozen=True)
class Saving:
    """One way to save: its name in the table, what is attached, and what is asked for."""

    name: str
    adapters: Sequence[Adapter] = ()
    options: dict[str, Any] = field(default_factory=dict)


EXACT = Saving("exact")
LATE = {"cfg_interval": (0.0, 0.8)}
GUIDED = Saving("guidance in the first 0.8 of the steps", (), LATE)
UNETS = [
    *(Saving(f"`deepcache:{n}`", [deepcache(n)]) for n in (2, 3, 5)),
    *(Saving(f"`token_merging:{r}`", [token_merging(r)]) for r in (0.25, 0.5)),
    GUIDED,
    Saving("`deepcache:3` and this", [deepcache(3)], LATE),
]
TRANSFORMERS = [
    *(Saving(f"`first_block:{t}`", [first_block(t)]) for t in (0.05, 0.1, 0.2)),
    GUIDED,
    Saving("`first_block:0.1` and this", [first_block(0.1)], LATE),
]


def psnr(one: Image.Image, other: Image.Image) -> float:
    """dB between pictures of 8 bits; ∞ for the same."""
    a, b = (np.asarray(each.convert("RGB"), np.float64) for each in (one, other))
    error = np.square(a - b).mean()
    return 10 * math.log10(255**2 / error) if error else math.inf


def table(pipe: Pipeline, args: argparse.Namespace) -> str:
    """Times and likeness of one model's pictures."""
    ways = [EXACT, *(UNETS if isinstance(pipe.model.network, UNet) else TRANSFORMERS)]
    options = {} if args.steps is None else {"steps": args.steps}
    seconds: dict[str, list[float]] = {way.name: [] for way in ways}
    likeness: dict[str, list[float]] = {way.name: [] for way in ways}
    pipe.generate(PROMPTS[0], seed=0, steps=1)
    for k in range(args.pictures):
        exact = None
        for way in ways:
            with pipe.attached(*way.adapters):
                start = time.perf_counter()
                out = pipe.generate(PROMPTS[k % len(PROMPTS)], seed=k, **options, **way.options)
                seconds[way.name].append(time.perf_counter() - start)
            exact = exact or out.images[0]
            likeness[way.name].append(psnr(exact, out.images[0]))
    scores = judged(pipe, ways, args) if args.accuracy else {}
    rows: list[str] = []
    for way in ways:
        ratios = [a / b for a, b in zip(seconds[way.name], seconds[EXACT.name], strict=True)]
        rows.append(
            f"| {way.name} | {statistics.median(seconds[way.name]):.2f} s "
            f"| {statistics.median(ratios):.2f} | {decibels(likeness[way.name])} "
            f"| {scores.get(way.name, '–')} |"
        )
    steps = args.steps or pipe.model.family.steps
    return (
        f"`{pipe.source}` ({pipe.model.digest}), {steps} steps:\n\n"
        f"| | a picture | against exact | PSNR, median and least; to reach {REACH} dB "
        "| accuracy |\n"
        "|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def decibels(values: Sequence[float]) -> str:
    """The median and the least."""
    if min(values) == math.inf:
        return "∞"
    return f"{statistics.median(values):.1f}, {min(values):.1f} dB"


def judged(pipe: Pipeline, ways: Sequence[Saving], args: argparse.Namespace) -> dict[str, str]:
    """Prompt accuracy, each way with pictures of its own that are kept in ``args.out``."""
    found: dict[str, str] = {}
    model = f"{Path(pipe.source).name}-{weights_digest(pipe.model)}"
    for way in ways:
        drawing: Any = {**way.options} | ({} if args.steps is None else {"steps": args.steps})
        settings = run.Settings(("accuracy",), args.prompts, args.images, 0, drawing)
        by = run.instruments(settings, None, None, None)
        home = args.out / model / way.name.replace("`", "").replace(" ", "-")
        with pipe.attached(*way.adapters):
            report = run.evaluate(pipe, settings, by, home, lambda *_: None)
        assert report.accuracy is not None
        score = report.accuracy.drawn.overall
        found[way.name] = f"{score.share:.2f} ({score.low:.2f}–{score.high:.2f})"
    return found


@torch.no_grad()
def shaped(args: argparse.Namespace) -> str:
    """Seconds a step of Stable Diffusion 1.5's U-Net at 512², guided, in bfloat16."""
    torch.manual_seed(0)
    network = UNet(SD15_UNET).to(torch.bfloat16, memory_format=torch.channels_last).eval()
    ways = [EXACT, *(way for way in UNETS if way.adapters and not way.options)]
    x = torch.randn(2, 4, 64, 64, dtype=torch.bfloat16)
    context = torch.randn(2, 77, SD15_UNET.context_width, dtype=torch.bfloat16)
    seconds: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(args.rounds + 1):  # the first warms the machine
        for way in ways:
            with attached({"network": Part(network, ())}, way.adapters) as injected:
                now, start = Run(), time.perf_counter()
                for k in range(args.shaped_steps):
                    for each in injected:
                        each.run(now)
                        each.at(k / args.shaped_steps)
                    network(x, torch.full((2,), 999.0 - k), context)
                spent = time.perf_counter() - start
            seconds[way.name].append(spent / args.shaped_steps)
    best = {name: min(spent[1:]) for name, spent in seconds.items()}
    rows = [f"| {name} | {s:.2f} s | {s / best[EXACT.name]:.2f} |" for name, s in best.items()]
    return (
        f"Stable Diffusion 1.5's shape at 512², guided, bfloat16, the mean of {args.shaped_steps} "
        f"steps, the best of {args.rounds}:\n\n"
        "| | a step | against exact |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", nargs="*", default=["storybook"])
    options.add_argument("--pictures", type=int, default=24)
    options.add_argument("--steps", type=int)
    options.add_argument("--accuracy", action="store_true", help="ask the judge, too")
    options.add_argument("--prompts", type=int, default=140, help="that the judge is asked about")
    options.add_argument("--images", type=int, default=2, help="of each of these")
    options.add_argument("--sd15", action="store_true")
    options.add_argument("--shaped-steps", type=int, default=15)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--out", type=Path, default=Path("runs/savings"))
    options.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"))
    args = options.parse_args()
    load = os.getloadavg()[0]
    parts = [table(mz.load(name, engine="eager"), args) for name in args.model]
    parts += [shaped(args)] if args.sd15 else []
    counted = f"{args.pictures} pictures of each way, drawn in turn" if args.model else ""
    text = (
        "## Approximate savings\n\n" + "\n".join(parts) + f"\nMedians of {counted}, with the "
        f"engine `eager`; [savings.md](savings.md) tells what each does. On {machine()}, "
        f"torch {torch.__version__} with {torch.get_num_threads()} threads; the load average was "
        f"{load:.1f} when it began. Made by `python bench/savings.py`.\n"
    )
    print(text)
    write(args.page, text)


if __name__ == "__main__":
    main()
