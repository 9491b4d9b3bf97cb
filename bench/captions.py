"""What captions of each density tell the model, and what it draws of dense ones.

`python bench/captions.py` writes docs/captions.md. Pictures are kept in --out, so that what was
stopped goes on; `--scenes 8 --prompts 7 --docs OTHER` is a dry run.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

import mezzotint as mz
from mezzotint.diffusion.noise import seeded
from mezzotint.evals import judge
from mezzotint.evals.accuracy import Report, prompt_accuracy
from mezzotint.evals.gallery import Gallery
from mezzotint.evals.information import nats
from mezzotint.evals.run import HELD_OUT
from mezzotint.evals.skills import SKILLS, Prompt, prompts
from mezzotint.families.base import Model
from mezzotint.files import made, write_whole
from mezzotint.training.images import to_tensor
from mezzotint.training.teacher import prompted, told
from mezzotint.world import caption, render, sample_scene
from mezzotint.world.scene import DENSITIES

if TYPE_CHECKING:
    from mezzotint.models.autoencoder import Autoencoder

BATCH = 32


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model")
    options.add_argument("--scenes", type=int, default=256, help="that captions tell of")
    options.add_argument("--prompts", type=int, default=210, help="drawn in both wordings")
    options.add_argument("--out", type=Path, default=Path("runs/captions"))
    options.add_argument("--docs", type=Path, default=Path("docs"))
    args = options.parse_args()
    pipe = mz.load(args.model, engine="eager")  # the same figures on every machine
    seeds = range(HELD_OUT, HELD_OUT + args.scenes)
    said = {d: [caption(sample_scene(seed), seed, d) for seed in seeds] for d in DENSITIES}
    found = {d: [] for d in DENSITIES}
    for first in range(0, args.scenes, BATCH):
        part = slice(first, first + BATCH)
        x0 = latents(pipe.model, seeds[part])
        for density, texts in said.items():
            found[density].append(bits(pipe.model, x0, texts[part]))
        print(f"captions of {min(first + BATCH, args.scenes)} of {args.scenes} scenes", flush=True)
    report = drawn(pipe, args)
    rows = [row(said[d], torch.cat(found[d]), d) for d in DENSITIES]
    text = page(pipe, args, rows, report)
    write_whole(args.docs / "captions.md", text.encode())
    print(args.docs / "captions.md")


@torch.no_grad()
def latents(model: Model, seeds: Sequence[int]) -> Tensor:
    """Normalised latents (n, c, h, w) of scenes."""
    size = model.family.size
    pictures = torch.from_numpy(np.stack([render(sample_scene(seed), size) for seed in seeds]))
    mean, _ = cast("Autoencoder", model.autoencoder).encode(to_tensor(pictures))
    return (mean - model.latent_mean) / model.latent_std


@torch.no_grad()
def bits(model: Model, x0: Tensor, texts: Sequence[str]) -> Tensor:
    """What these captions tell the model of these latents, (n,)."""
    [encoder] = model.encoders

    def denoiser(texts: Sequence[str]):
        return prompted(model, told(model, encoder.windows(texts)))

    process, noise = model.family.process, seeded(range(len(x0)))
    plain = denoiser([""] * len(x0))
    return nats(denoiser(texts), plain, x0, process, noise) / math.log(2)


def drawn(pipe: mz.Pipeline, args: argparse.Namespace) -> dict[str, Report]:
    """What the judge says of the test's prompts as they are, and told densely."""
    each = args.prompts // len(SKILLS)
    asked = [p for s in SKILLS for p in [a for a in prompts() if a.skill == s][:each]]
    wordings = {"as the test has it": asked, "told densely": [densely(each) for each in asked]}
    folder, seeing = made(args.out / "pictures"), judge.load()
    found = {}
    for name, some in wordings.items():

        def tick(what: str, done: int, total: int, name: str = name) -> None:
            if done % 30 == 0:
                print(f"{name}: {what} {done} of {total}", flush=True)

        found[name] = prompt_accuracy(Gallery(pipe, folder, {}, len(some), tick), seeing, some)
    return found


def densely(prompt: Prompt) -> Prompt:
    """The same question, asked by all that can be said of a scene that answers it."""
    return replace(prompt, text=caption(prompt.scene, prompt.seed, "dense"))


def row(texts: Sequence[str], told: Tensor, density: str) -> str:
    words = sum(len(text.split()) for text in texts) / len(texts)
    error = told.std() / math.sqrt(len(told))
    return f"| {density} | {words:.1f} | {told.mean():.0f} ± {error:.0f} | {texts[0]} |"


def scores(report: dict[str, Report]) -> Iterator[str]:
    for name, each in report.items():
        shares = [each.drawn.overall, *(each.drawn.skills[skill] for skill in SKILLS)]
        cells = " | ".join(
            f"{100 * s.share:.0f} ({100 * s.low:.0f}–{100 * s.high:.0f})" for s in shares
        )
        yield f"| {name} | {cells} |"


PAGE = """\
# What captions tell

This page is written by `python bench/captions.py`, which measured every number in it on {model},
on the engine `eager`.

The world tells every scene in four densities ([world.md](world.md)), and the model was trained on
all of them: 40 % dense, 30 % short, 20 % bare and 10 % tags. DALL·E 3's lesson (Betker et al. 2023)
is that dense captions make a model follow prompts, and that prompts should then be dense as well.

## In bits

What a caption says lets the network take more of the noise off. Over all noise levels that adds up
to the information that it has of the picture from its caption
(`mezzotint.evals.information`). Of {scenes} held-out scenes:

| captions | words | bits a picture | the first one |
|---|---|---|---|
{rows}

Where a thing lies is in none of them, or roughly, and what shape a cloud has: none of these tells a
picture whole.

## In pictures

{prompts} prompts of the test in the words that it has, which name what is asked for, and in those
of a dense caption of a scene in which it is so; the first seed of each, percent that the
[judge](evals.md) finds right, and 95 % confidence intervals:

| prompts | overall | {skills} |
|---|---|{rule}|
{scores}

Where intervals overlap, nothing is shown either way for a model that was trained on both kinds of
caption. What one that was trained on dense captions alone would do was not measured.
"""


def page(
    pipe: mz.Pipeline, args: argparse.Namespace, rows: list[str], report: dict[str, Report]
) -> str:
    return PAGE.format(
        model=f"`{args.model}`" if args.model else "the embedded model",
        scenes=args.scenes,
        rows="\n".join(rows),
        prompts=args.prompts,
        skills=" | ".join(SKILLS),
        rule="|".join("---" for _ in SKILLS),
        scores="\n".join(scores(report)),
    )


if __name__ == "__main__":
    main()
