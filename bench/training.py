"""How quick training is here: `python bench/training.py`.

Our loop and diffusers' train the same U-Net on batches of one size in turn, each time in a new
process; then a few steps of the embedded model's recipes tell how much of this machine's best they
use. Prints a table and writes it into docs/benchmarks.md; `--steps 4 --rounds 1 --tiny --dry` is a
trial.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from speed import REPORT
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mezzotint.bench.figures import Ceilings
from mezzotint.bench.page import machine, write
from mezzotint.bench.stage import measure_ceilings
from mezzotint.diffusion import Process
from mezzotint.families.sizes.write_configs import unet as diffusers_config
from mezzotint.families.stable_diffusion import SD1
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.training.build import build
from mezzotint.training.draw import Draw
from mezzotint.training.loop import train
from mezzotint.training.presets.storybook import AUTOENCODER, DENOISER, FLOW
from mezzotint.training.process_group import Group
from mezzotint.training.recipe import Recipe
from mezzotint.training.task import Batch, Metrics

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ALONE = Group(0, 1, DEVICE)
WARM = 2  # steps that are not counted
WIDE = UNetParams(
    channels_in=4,
    channels_out=4,
    channels=(192, 384, 384),
    blocks=2,
    depths=(0, 1, 1),
    mid_depth=1,
    heads=(8, 8, 8),
    context_width=512,
    y_width=0,
    groups=32,
    guided=False,
)
NARROW = replace(WIDE, channels=(32, 64, 64), blocks=1, context_width=64)
SIDE, TOKENS, BATCH = 32, 77, 16
LR, CLIP_NORM, T = 1e-4, 1.0, 1000
PICTURES = 160  # of the folder that the recipes learn from
NEVER = 10**9


class Clock:
    """Steps a second, of those after the first."""

    def __init__(self) -> None:
        self.steps, self.begun, self.ended = 0, 0.0, 0.0

    def tick(self) -> None:
        """A step begins."""
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        self.ended = time.perf_counter()
        if self.steps == WARM:
            self.begun = self.ended
        self.steps += 1

    @property
    def seconds(self) -> float:
        """Of a step."""
        return (self.ended - self.begun) / (self.steps - 1 - WARM)


class Denoising:
    """What diffusers' example trains, as a task of our loop: ε at times drawn evenly."""

    def __init__(self, params: UNetParams, clock: Clock) -> None:
        self.network, self.clock = UNet(params), clock
        self.process = Process.scaled_linear()

    def batch(self, draw: Draw) -> Batch:
        return batch(self.network.params, draw.batch)

    def loss(self, batch: Batch, draw: Draw) -> tuple[torch.Tensor, Metrics]:
        self.clock.tick()
        x0, t = batch["latents"], draw.uniform("time")
        eps = draw.normal("noise", *x0.shape[1:])
        x = self.process.diffuse(x0, eps, t * (T - 1))
        out = self.network(x, t * (T - 1), batch["context"])
        return F.mse_loss(out.float(), eps), {}

    def validate(self) -> dict[str, float]:
        return {}

    def grid(self) -> Image.Image:
        return Image.new("RGB", (8, 8))

    def export(self, folder: Path) -> None:
        (folder / "done").touch()


def batch(params: UNetParams, rows: int) -> Batch:
    """Latents and prompts, as both sides are given them."""
    return {
        "latents": torch.randn(rows, params.channels_in, SIDE, SIDE),
        "context": torch.randn(rows, TOKENS, params.context_width),
    }


def ours(params: UNetParams, steps: int) -> float:
    """Seconds of a step of our loop: AdamW, clipping, the average of the weights, its log."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        train(Denoising(params, clock), few(DENOISER, steps), Path(folder) / "run", ALONE)
    return clock.seconds


def diffusers(params: UNetParams, steps: int) -> float:
    """Seconds of a step as diffusers' example for text-to-image takes it, without its average."""
    from diffusers import DDPMScheduler, UNet2DConditionModel
    from diffusers.optimization import get_scheduler

    network = UNet2DConditionModel.from_config(diffusers_config(params, SD1)).to(DEVICE).train()
    noising = DDPMScheduler(num_train_timesteps=T, beta_schedule="scaled_linear")
    optimizer = torch.optim.AdamW(network.parameters(), lr=LR)
    rate = get_scheduler("constant_with_warmup", optimizer, num_warmup_steps=2)
    clock = Clock()
    for _ in range(steps):
        given = {name: rows.to(DEVICE) for name, rows in batch(params, BATCH).items()}
        clock.tick()
        latents = given["latents"]
        noise = torch.randn_like(latents)
        t = torch.randint(0, T, (len(latents),), device=DEVICE)
        noisy = noising.add_noise(latents, noise, t)
        with torch.autocast(DEVICE.type, torch.bfloat16):
            predicted = network(noisy, t, given["context"]).sample
            loss = F.mse_loss(predicted.float(), noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
        optimizer.step()
        rate.step()
        optimizer.zero_grad(set_to_none=True)
    return clock.seconds


def few(recipe: Recipe, steps: int) -> Recipe:
    """The recipe cut short, at the batch of the comparison, with nothing between its steps."""
    return replace(
        recipe,
        steps=steps,
        batch=BATCH,
        log_every=NEVER,
        validate_every=NEVER,
        grid_every=NEVER,
        save_every=NEVER,
        save_minutes=1e6,
    )


def recipes(steps: int, tiny: bool) -> dict[str, dict[str, float]]:
    """Seconds and FLOPs of a step of the embedded model's recipes, on pictures of noise."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as place:
        home, source = Path(place) / "runs", noise_pictures(Path(place) / "pictures")
        for recipe, compiled in product((AUTOENCODER, DENOISER, FLOW), (False, True)):
            cut = replace(few(recipe, steps), batch=4 if tiny else recipe.batch, compile=compiled)
            if recipe is not AUTOENCODER:
                task = replace(cut.task, text_run="", parts=0, prompts=cut.task.prompts[:1])
                cut = replace(cut, task=task)
            name = recipe.name + ", compiled" * compiled
            folder = home / name
            folder.mkdir(parents=True)
            task, clock = build(cut, source, folder, ALONE), Clock()
            task.loss = ticking(task.loss, clock)
            train(task, cut, folder, ALONE)
            seconds = clock.seconds  # before the loss that is counted ticks once more
            with torch.compiler.set_stance("force_eager"):  # the counter sees no compiled code
                found[name] = {"seconds": seconds, "batch": cut.batch, **counted(cut, task)}
    return found


def ticking(loss: Callable, clock: Clock) -> Callable:
    """The loss, which tells the clock that a step begins."""

    def timed(batch: Batch, draw: Draw) -> tuple[torch.Tensor, Metrics]:
        clock.tick()
        return loss(batch, draw)

    return timed


def counted(recipe: Recipe, task) -> dict[str, float]:
    """FLOPs of a step, there and back; the plain attention is what the counter knows everywhere."""
    draw = Draw(recipe.seed, WARM, recipe.batch, slice(None), DEVICE)
    given = {name: rows.to(DEVICE) for name, rows in task.batch(draw).items()}
    task.network.train()
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        with torch.autocast(DEVICE.type, torch.bfloat16):
            loss, _ = task.loss(given, draw)
        loss.backward()
    kinds = {str(kind): n for kind, n in counter.get_flop_counts()["Global"].items()}
    convolutions = sum(n for kind, n in kinds.items() if "convolution" in kind)
    return {"convolutions": convolutions, "products": sum(kinds.values()) - convolutions}


def noise_pictures(folder: Path) -> Path:
    """Pictures and captions to read, of the size that the recipes want."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(PICTURES):
        coarse = Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8))
        coarse.resize((256, 256)).save(folder / f"{k}.png")
        (folder / f"{k}.txt").write_text(f"a picture of noise, number {k}")
    return folder


def child(*told: object) -> dict:
    """What this file prints in a process of its own."""
    command = [sys.executable, __file__, "--child", json.dumps(told)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if ran.returncode:
        sys.exit(f"{told[0]} failed with status {ran.returncode}")
    return json.loads(ran.stdout.splitlines()[-1])


def answer(who: str, tiny: bool, steps: int) -> None:
    """Print what a child is asked for."""
    if who == "recipes":
        print(json.dumps(recipes(steps, tiny)))
        return
    take = {"mezzotint": ours, "diffusers": diffusers}[who]
    print(json.dumps({"seconds": take(NARROW if tiny else WIDE, steps)}))


def section(steps: int, rounds: int, tiny: bool) -> str:
    """The figures as Markdown."""
    load, ceilings = os.getloadavg()[0], measure_ceilings()
    spent: dict[str, list[float]] = {"mezzotint": [], "diffusers": []}
    for number in range(rounds):
        for who in spent if number % 2 == 0 else reversed(spent):
            spent[who].append(child(who, tiny, steps)["seconds"])
        ceilings |= measure_ceilings()
    mine, theirs = (BATCH / median(times) for times in spent.values())
    rows = [
        ("the same U-Net and batch, our loop", f"{mine:.2f} samples/s", ""),
        ("diffusers' loop", f"{theirs:.2f} samples/s", ""),
        ("ours / diffusers'", f"{mine / theirs:.2f}", ""),
    ]
    for name, found in child("recipes", tiny, steps).items():
        rate = found["batch"] / found["seconds"]
        rows.append((f"recipe {name}", f"{rate:.1f} samples/s", ""))
        rows.append((f"recipe {name}, of the ceiling", f"{share(ceilings, found):.0%}", "≥ 60%"))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    best = {kind: f"{rate / 1e12:.2f}" for kind, rate in ceilings.rates["bf16"].items()}
    place = ceilings.name or f"{ceilings.threads} threads"
    return (
        f"## Training\n\n| | measured | to reach |\n|---|---|---|\n{table}\n\n"
        f"Medians of {rounds} rounds in turn of {steps - 1 - WARM} steps in bf16 autocast, latents "
        f"of {SIDE} × {SIDE}, a batch of {BATCH}; our loop keeps the average of the weights as "
        "well. The ceiling is what the FLOPs of convolutions and products, there and back, would "
        f"take at the best rates that this machine showed in the same run: {best['products']} "
        f"TFLOP/s in products, {best['convolutions']} in convolutions. On {machine()}, {place}; "
        f"the load average was {load:.1f} when it began. Made by `python bench/training.py`.\n"
    )


def share(ceilings: Ceilings, found: dict[str, float]) -> float:
    """How much of this machine's best a recipe uses."""
    work = {kind: found[kind] for kind in ("convolutions", "products")}
    return (ceilings.least(work, "bf16") or 0.0) / found["seconds"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=14)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="small networks and batches")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        answer(*asked.child)
        sys.exit()
    figures = section(asked.steps, asked.rounds, asked.tiny)
    print(figures)
    if not asked.dry:
        write(REPORT, figures)
