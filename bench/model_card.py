"""Write docs/model-card.md from the runs that made the embedded model.

Run it as `python bench/model_card.py`. The figures and curves come from the logs in runs/, and are
kept in docs/training-runs.json for when those are gone. The pictures come from the weights in the
package: every prompt below with the seeds 1 to 6, none left out. The README's picture is the first
seed of each.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from objects import listed, recognised
from PIL import Image

import mezzotint as mz
from mezzotint.training.presets.storybook import PRESETS
from mezzotint.world import CORE, KINDS
from mezzotint.world.scene import HOURS, PLACES, STYLES

PROMPTS = (
    "a fox in the snow at night",
    "a neon cat in space",
    "a castle on a beach at sunset",
    "three red apples",
    "a penguin wearing a top hat in a city",
    "a small owl to the left of a large mushroom in a forest",
    "a cat and a robot in a meadow",
    "a serene mountain lake at golden hour, photorealistic",
    "a serene mountain landscape at sunset, oil painting style",
    "a beautiful house",
    "an ink sketch of a sailboat on the sea",
    "a blue car in the desert, pixel art",
)
SEEDS = range(1, 7)
_LOSS = ("held_out/loss", "loss on held-out scenes")
FIGURE = {  # of each run: what validation measures, and how it is called
    "autoencoder": ("held_out/psnr", "PSNR of held-out pictures, dB"),
    "decoder": ("held_out/psnr", "PSNR of held-out pictures, dB"),
    "text": ("held_out/kind", "things of held-out captions read back"),
    "denoiser": _LOSS,
    "further": _LOSS,
    "shapes": _LOSS,
    "scenes": _LOSS,
    "flow": _LOSS,
    "clip": ("held_out/picture_of_caption", "pictures picked by their captions, of 256"),
    "student": ("held_out/loss", "loss on held-out paths"),
    "folded": _LOSS,
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=Path, default=Path("runs"))
    options.add_argument("--docs", type=Path, default=Path("docs"))
    options.add_argument("--machine", default="two CPU cores")
    args = options.parse_args()
    runs = told(args.runs, args.docs / "training-runs.json")
    pipe = mz.load(engine="eager")  # the same pictures on every machine
    drawn = [[pipe.generate(p, seed=seed).images[0] for seed in SEEDS] for p in PROMPTS]
    sheet(drawn).save(args.docs / "model-card.jpg", quality=90)
    firsts = [row[0] for row in drawn]
    sheet([firsts[:6], firsts[6:]]).save(args.docs / "hero.png", optimize=True)
    curves(runs, args.docs / "training.png")
    (args.docs / "model-card.md").write_text(card(pipe, runs, args.machine))
    print(args.docs / "model-card.md")


def told(home: Path, file: Path) -> dict[str, Any]:
    """What is known of each run, from its folder in ``home`` or else from ``file``, kept there."""
    kept = json.loads(file.read_text())
    for name in FIGURE:
        if (home / name / "log.jsonl").exists():
            kept[name] = read(home / name, FIGURE[name][0])
    runs = {name: kept[name] for name in FIGURE if name in kept}
    lines = [f"  {json.dumps(name)}: {json.dumps(run)}" for name, run in runs.items()]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return runs


def read(folder: Path, figure: str) -> dict[str, Any]:
    """What a run's folder says about it: settings, minutes, and [step, held-out figure]s."""
    recipe = json.loads((folder / "recipe.json").read_text())
    # a run that was killed writes some steps again; the later line counts
    merged: dict[int, dict[str, float]] = {}
    for line in (folder / "log.jsonl").read_text().splitlines():
        row = json.loads(line)
        merged.setdefault(row["step"], {}).update(row)
    rows = [merged[step] for step in sorted(merged)]
    rates = [(row["step"], row["samples_per_s"]) for row in rows if "samples_per_s" in row]
    before = [0, *(step for step, _ in rates)]
    seconds = sum(
        (step - last) * recipe["batch"] / rate
        for (step, rate), last in zip(rates, before, strict=False)
    )
    curve = [[row["step"], round(row[figure], 4)] for row in rows if figure in row]
    assert curve, f"{folder} was never validated"
    settings = {name: recipe[name] for name in ("steps", "batch", "lr", "seed")}
    return {**settings, "minutes": round(seconds / 60), "curve": curve}


def sheet(rows: list[list[Image.Image]]) -> Image.Image:
    side = rows[0][0].width
    whole = Image.new("RGB", (len(rows[0]) * side, len(rows) * side))
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            whole.paste(picture, (x * side, y * side))
    return whole


def curves(runs: dict[str, Any], path: Path) -> None:
    rows = -(-len(runs) // 4)
    figure, axes = plt.subplots(rows, 4, figsize=(14, 3 * rows), layout="constrained")
    for spare in axes.flat[len(runs) :]:
        spare.set_axis_off()
    for axis, (name, run) in zip(axes.flat, runs.items(), strict=False):
        axis.plot(*zip(*run["curve"], strict=True), "o-", color="#b5483a", markersize=3)
        axis.set(title=name, xlabel="step", ylabel=FIGURE[name][1])
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def card(pipe: mz.Pipeline, runs: dict[str, Any], machine: str) -> str:
    model = pipe.model
    parts = {
        "U-Net": model.network,
        "autoencoder": model.autoencoder,
        "text tower": model.encoders[0].network,
    }
    sizes = [
        f"| {name} | {sum(p.numel() for p in part.parameters()) / 1e6:.1f} M |"
        for name, part in parts.items()
    ]
    table = [
        f"| {name} | {run['steps']:,} × {run['batch']} | {run['lr']} | {run['seed']} | "
        f"{run['minutes']} min | {FIGURE[name][1]}: {run['curve'][-1][1]:.3f} |"
        for name, run in runs.items()
    ]
    data = PRESETS["scenes"].pictures
    rows = "\n".join(f"{k + 1}. {prompt}" for k, prompt in enumerate(PROMPTS))
    return _TEMPLATE.format(
        digest=model.digest,
        sizes="\n".join(sizes),
        runs="\n".join(table),
        machine=machine,
        scenes=f"{data.scenes:,}",
        single=f"{data.single:,}",
        held_out=f"{data.held_out:,}",
        objects=len(CORE),
        more=len(KINDS),
        recognised=listed(recognised(pipe)),
        places=len(PLACES),
        hours=len(HOURS),
        styles=len(STYLES),
        size=model.family.size,
        family=model.family,
        rows=rows,
        seeds=f"{SEEDS[0]} to {SEEDS[-1]}",
    )


_TEMPLATE = """# Model card: storybook, version 2

*Written by `python bench/model_card.py` from the runs' logs and the weights in the package
(model hash `{digest}`).*

The embedded model draws pictures of {size} × {size} pixels of the [storybook world](world.md):
{objects} of its {more} objects in {places} places, at {hours} hours, in {styles} styles. It is here
so that everything in Mezzotint works from the first minute without a network, and so that every
lesson has a real model to look into. It is small: what Stable Diffusion does with a billion
weights, this does for one drawn world with twenty million.

| part | parameters |
|---|---|
{sizes}

All weights are stored as 8-bit rows (`mezzotint.checkpoints.packed`). The process is the
{family.process.name} one, the network predicts {family.prediction}, and the defaults are
{family.steps} steps of `{family.sampler}` on the `{family.spacing}` grid with guidance
{family.cfg}.

## Training

{scenes} scenes drawn from seeds ({single} of them with a single object, which are seen first), four
captions each; {held_out} more were held out. No picture made by a person or by another
model was used beyond the open Fluent emoji art that scenes are composed of.

| run | steps × batch | learning rate | seed | time on {machine} | at the end |
|---|---|---|---|---|---|
{runs}

![Held-out curves of the runs](training.png)

To train it again: `mezzotint train storybook`. A run is a function of its recipe. These were made
while the code was being written, each by the recipe of its name as it stands now, as far as that
can be said without making them again; [the log](training-log.md) tells how each went.

## What it draws

Every prompt with the seeds {seeds}, none left out, with the engine `eager`:

{rows}

![The prompts above, a row each](model-card.jpg)

[gallery.png](gallery.png) has 64 prompts of the test, the first seed of each;
[quality.md](quality.md) what guidance, samplers and steps do to all of its figures.

## Which objects it draws recognisably

A picture of each of the {objects} in a meadow, in the snow, on a beach and in a city, with the
seeds 1 to 4: where the [judge](evals.md), which learned from true scenes, sees what was asked for.

{recognised}

## What it cannot do

- **Anything outside its world.** It knows the core of the objects, and the places, hours, weathers
  and styles that [world.md](world.md) lists, and their synonyms. A word it has not met is spelled
  in bytes and ignored or misread. There are no letters and no photographs, and who lives there is
  drawn.
- **Counts and oil.** Four things are often three, or too small to have a shape. An oil painting's
  strokes are fainter than they should be, for the latent does not say where they are.
- **Variety.** Seeds differ in position and sky more than in the object, which is one drawing in the
  art that it learned from.
- **Fine detail.** The autoencoder keeps 4,096 numbers of a picture's 196,608; thin lines and small
  faces are soft, and outlines bend.
- **Sizes far from {size} × {size}.** It was trained on that size alone; at others it repeats or
  cuts off.
"""


if __name__ == "__main__":
    main()
