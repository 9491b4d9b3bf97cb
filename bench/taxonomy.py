"""Four kinds of generator on the same latents, of equal size and for equal compute.

`python bench/taxonomy.py --model runs/model --autoencoder runs/autoencoder --clip runs/clip
--data runs/data/SET --held-out runs/data/SET` trains a GAN, a VAE, a normalizing flow and a
diffusion model, measures them and writes docs/taxonomy.md and docs/taxonomy.jpg. It goes on where
it was broken off. Every number on the page is measured here.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.evals.diversity import diversity
from mezzotint.evals.features import Features, load_features
from mezzotint.evals.fidelity import Distances, fidelity
from mezzotint.families.base import Model
from mezzotint.families.storybook import SIZES, load
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.training.data.latents import picture_latents, weights_digest
from mezzotint.training.data.pictures import PictureSet
from mezzotint.training.draw import Draw
from mezzotint.training.exports import read_network
from mezzotint.training.images import mosaic
from mezzotint.training.journal import note, note_progress
from mezzotint.training.process_group import joined
from mezzotint.training.taxonomy.compare import (
    KINDS,
    Cost,
    cost,
    draw_latents,
    mean_bits,
    minutes,
    seconds_a_picture,
    steps_for,
)
from mezzotint.training.taxonomy.data import Told, pooled
from mezzotint.training.taxonomy.kind import Kind
from mezzotint.training.taxonomy.train import Plan, train

PROMPTS = (
    "a fox in the snow at night",
    "a rocket in space",
    "a castle on a beach at sunset",
    "a red apple on a blue background",
    "a penguin in the city",
    "a cat and a robot in a meadow",
    "a sailboat on the sea",
    "a neon cat in space",
)
SEEDS = 4  # of each of these, for diversity; two are shown
TITLES = {"gan": "GAN", "vae": "VAE", "flow": "normalizing flow", "diffusion": "diffusion"}
BITS = {"vae": "≤ ", "flow": "", "diffusion": "≤ "}  # a bound, or exact


@dataclass(frozen=True)
class Measured:
    """A kind after its training; ``sharp`` and ``varied`` are shares of what true pictures have."""

    cost: Cost
    steps: int
    minutes: float
    distances: Distances
    sharp: float
    varied: float
    bits: float | None
    seconds: float


@dataclass(frozen=True)
class Yardstick:
    """True pictures: vectors of those trained on and of held-out ones, and what is asked for."""

    training: Tensor
    held_out: Tensor
    sharp: float
    told: Tensor
    latents: Tensor
    asked: Tensor


def main() -> None:
    args = arguments()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load(args.model)
    for module in model.modules.values():
        module.to(device)
    features = load_features(args.clip)
    train_set, held_out_set = PictureSet(args.data), PictureSet(args.held_out)
    seen = told_of(train_set, args.autoencoder, model, device)
    true = yardstick(train_set, held_out_set, seen, args, model, features, device)

    found: dict[str, Measured] = {}
    shown: list[Tensor] = []
    for name, make in KINDS.items():
        torch.manual_seed(args.seed)
        kind = make(seen.shape())
        price = cost(kind)
        steps = steps_for(args.petaflops * 1e15, price, args.batch)
        note(f"{name}: {steps} steps, {steps * args.batch * price.training / 1e15:.3g} petaFLOP")
        data = f"{args.data.name}/{weights_digest(model.autoencoder)}"
        plan = Plan(name, data, args.seed, steps, args.batch)
        train(kind, plan, seen.batch, args.runs / name, device)
        note(f"{name}: measuring")
        measured, pictures = measure(kind, price, plan, args.runs / name, true, model, features)
        found[name] = measured
        shown.append(pictures[:, :2].transpose(0, 1).flatten(0, 1))

    args.docs.mkdir(exist_ok=True)
    mosaic(torch.cat(shown), len(PROMPTS)).save(args.docs / "taxonomy.jpg", quality=90)
    floor = fidelity(true.training, true.held_out, true.held_out).held_out
    through = through_autoencoder(true, model, features)
    (args.docs / "taxonomy.md").write_text(page(found, floor, through, args))
    note(f"see {args.docs / 'taxonomy.md'}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="its decoder and text tower")
    parser.add_argument("--autoencoder", type=Path, required=True, help="the run of its encoder")
    parser.add_argument("--clip", type=Path, required=True, help="what pictures are compared in")
    parser.add_argument("--data", type=Path, required=True, help="a set of pictures")
    parser.add_argument("--held-out", type=Path, required=True, help="another")
    parser.add_argument("--runs", type=Path, default=Path("runs/taxonomy"))
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--petaflops", type=float, default=0.2, help="for each kind's training")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--pictures", type=int, default=1024, help="drawn for the distances")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--machine", default="two CPU cores")
    return parser.parse_args()


def told_of(pictures: PictureSet, run: Path, model: Model, device: torch.device) -> Told:
    """The latents that the run's encoder makes, the model's own moments and text tower."""
    encoder = read_network(run, "autoencoder", Autoencoder, SIZES.autoencoder).to(device)
    with joined() as group:
        latents = picture_latents(pictures, encoder, group, note_progress)
    mean, std = model.latent_mean.to(device), model.latent_std.to(device)
    return Told(latents, pictures.captions, pooled(model.encoders[0]), mean, std)


def yardstick(
    train_set: PictureSet,
    held_out_set: PictureSet,
    seen: Told,
    args: argparse.Namespace,
    model: Model,
    features: Features,
    device: torch.device,
) -> Yardstick:
    """Every kind is asked for the held-out pictures by their captions."""
    n = min(args.pictures, len(held_out_set))
    held_out = told_of(held_out_set, args.autoencoder, model, device)
    draw = Draw(args.seed, 0, n, slice(None), device)
    x, told = held_out.rows(np.arange(n), np.zeros(n, np.int64), draw)
    spaced = np.linspace(0, len(train_set) - 1, min(4 * n, len(train_set))).astype(np.int64)
    many, few = images(train_set, spaced, device), images(held_out_set, np.arange(n), device)
    held_out_vectors, sharp = look(few, features)
    asked = seen.tell(PROMPTS).repeat_interleave(SEEDS, 0)
    return Yardstick(look(many, features)[0], held_out_vectors, sharp, told, x, asked)


def images(pictures: PictureSet, numbers: np.ndarray, device: torch.device) -> Iterator[Tensor]:
    for k in range(0, len(numbers), 32):
        rows = torch.from_numpy(pictures.pictures(numbers[k : k + 32])).to(device)
        yield rows.permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def decoded(latents: Tensor, model: Model) -> Iterator[Tensor]:
    """Pictures (b, 3, h, w) in [0, 1] of normalised latents, a batch at a time."""
    for part in latents.split(32):
        made = model.autoencoder.decode(
            part * model.latent_std.to(part) + model.latent_mean.to(part)
        )
        yield (made.float().clamp(-1, 1) + 1) / 2


@torch.no_grad()
def look(batches: Iterator[Tensor], features: Features) -> tuple[Tensor, float]:
    """Vectors (n, d) of pictures, and how much neighbouring pixels differ in the mean."""
    vectors, steps = [], []
    for batch in batches:
        vectors.append(features(batch).double().cpu())
        steps.append(
            batch.diff(dim=3).abs().mean((1, 2, 3)) + batch.diff(dim=2).abs().mean((1, 2, 3))
        )
    return torch.cat(vectors), torch.cat(steps).mean().item()


def measure(
    kind: Kind,
    price: Cost,
    plan: Plan,
    folder: Path,
    true: Yardstick,
    model: Model,
    features: Features,
) -> tuple[Measured, Tensor]:
    """The figures of a kind, and its pictures (prompts, seeds, 3, h, w) in [−1, 1]."""
    n = len(true.told)
    latents = draw_latents(kind, true.told, range(n), 64)
    vectors, sharp = look(decoded(latents, model), features)
    own = draw_latents(kind, true.asked, [k % SEEDS for k in range(len(true.asked))], 64)
    pictures = torch.cat(list(decoded(own, model)))
    prompts, _ = look(iter(pictures.split(32)), features)
    measured = Measured(
        cost=price,
        steps=plan.steps,
        minutes=minutes(folder, plan.batch),
        distances=fidelity(true.training, vectors, true.held_out).drawn,
        sharp=sharp / true.sharp,
        varied=diversity(prompts.unflatten(0, (-1, SEEDS))).ratio,
        bits=mean_bits(kind, true.latents, true.told, plan.seed, 64),
        seconds=seconds_a_picture(kind, true.told[:1]),
    )
    return measured, pictures.unflatten(0, (-1, SEEDS)) * 2 - 1


def through_autoencoder(true: Yardstick, model: Model, features: Features) -> Distances:
    """The held-out pictures, encoded and decoded: what no kind can better."""
    vectors, _ = look(decoded(true.latents, model), features)
    return fidelity(true.training, vectors, true.held_out).drawn


# What the textbooks say, and the figures that would show it.
Claim = tuple[str, Callable[[dict[str, Measured]], tuple[str, bool]]]


def least(of: Callable[[Measured], float], found: dict[str, Measured], name: str) -> bool:
    """Whether a kind's figure is below every other's."""
    return of(found[name]) < min(of(kind) for other, kind in found.items() if other != name)


CLAIMS: tuple[Claim, ...] = (
    (
        "GANs collapse: they leave out what others draw",
        lambda m: (
            f"recall {m['gan'].distances.recall:.2f}, "
            f"diffusion's {m['diffusion'].distances.recall:.2f}",
            least(lambda k: k.distances.recall, m, "gan"),
        ),
    ),
    (
        "VAEs blur: a decoder's best answer to what z does not say is a mean",
        lambda m: (
            f"neighbouring pixels differ {m['vae'].sharp:.2f} times as much as in true pictures",
            m["vae"].sharp < 0.9 and least(lambda k: k.sharp, m, "vae"),
        ),
    ),
    (
        "Flows know their density, and pay for being invertible",
        lambda m: (
            f"{m['flow'].bits or 0:.2f} bits a dimension, Fréchet distance "
            f"{m['flow'].distances.frechet:.1f}, diffusion's "
            f"{m['diffusion'].distances.frechet:.1f}",
            m["flow"].distances.frechet > m["diffusion"].distances.frechet,
        ),
    ),
    (
        "Diffusion draws best, and covers most",
        lambda m: (
            f"Fréchet distance {m['diffusion'].distances.frechet:.1f}, "
            f"the others' from {min(m[k].distances.frechet for k in m if k != 'diffusion'):.1f} up",
            least(lambda k: k.distances.frechet, m, "diffusion")
            and least(lambda k: -k.distances.recall, m, "diffusion"),
        ),
    ),
    (
        "Diffusion is slow, GAN and VAE are not",
        lambda m: (
            f"{m['diffusion'].seconds / m['gan'].seconds:.0f} times a GAN's seconds",
            m["diffusion"].seconds > 5 * max(m["gan"].seconds, m["vae"].seconds),
        ),
    ),
)

PAGE = """\
# Four kinds of generator, measured

This page is written by `python bench/taxonomy.py`, which measured every number in it on {machine}.

A GAN, a VAE, a normalizing flow and a diffusion model learn the same thing: latents of the embedded
autoencoder given the text tower's pooled vector of the caption. Their generators are of equal size,
and each training costs the same: {petaflops} of convolutions and matrix products, forwards and
backwards, of all networks that take part. Steps differ, as a GAN's step (two networks, and a slope
of slopes) costs many times a flow's. Nothing helps after the fact: no guidance, no truncation, no
lower temperature. The code is one file a kind, in `src/mezzotint/training/taxonomy/`.

![{titles}, two rows each](taxonomy.jpg)

Rows: {titles}, two seeds each. Columns: {prompts}. First seeds, nothing picked.

| | Fréchet ↓ | kernel ↓ | precision ↑ | recall ↑ | sharpness | diversity | bits a dimension ↓ |
|---|---|---|---|---|---|---|---|
{quality}

{pictures} pictures of each kind, asked for with the captions of held-out scenes, beside pictures
trained on, in the features of our CLIP. *Sharpness*: how much neighbouring pixels differ, as a
share of what they do in true pictures. *Diversity*: distance between seeds of one prompt by that
between prompts; a collapsed generator has 0. *Bits*: what a latent costs in steps of a sixteenth of
a standard deviation, where a standard normal that has learnt nothing costs 6.05; ≤ is a bound. The
two lines below the kinds are true held-out pictures: as they are, and through the autoencoder.

| | generator | beside it | steps of {batch} | minutes | GFLOP | calls | seconds |
|---|---|---|---|---|---|---|---|
{price}

*Beside it* is what only training needs: a critic, an encoder. The last three are for one latent,
without decoding it. *Calls* follow one on the other. A flow's see one patch each, so all of
them together cost about one pass of its network.

## What the theory says, and what came

| said | measured | so it was |
|---|---|---|
{claims}

So much compute is little: an order that holds here may not hold for a hundred times as much, and
each kind has tricks of its own that this page does without.
"""


def page(
    found: dict[str, Measured], floor: Distances, through: Distances, args: argparse.Namespace
) -> str:
    quality = [
        f"| {TITLES[name]} | {figures(m.distances)} | {m.sharp:.2f} | {m.varied:.2f} | "
        + (f"{BITS[name]}{m.bits:.2f} |" if m.bits is not None else "not defined |")
        for name, m in found.items()
    ]
    quality.append(f"| *held-out pictures* | {figures(floor)} | 1.00 | | |")
    quality.append(f"| *the same, through the autoencoder* | {figures(through)} | | | |")
    price = [
        f"| {TITLES[name]} | {m.cost.generator / 1e6:.2f} M | {m.cost.beside / 1e6:.2f} M | "
        f"{m.steps:,} | {m.minutes:.0f} | {m.cost.drawing / 1e9:.2f} | {m.cost.evaluations} | "
        f"{m.seconds:.3f} |"
        for name, m in found.items()
    ]
    claims = []
    for said, check in CLAIMS:
        measured, holds = check(found)
        claims.append(f"| {said} | {measured} | {'yes' if holds else '**no**'} |")
    spent = max(m.steps * args.batch * m.cost.training for m in found.values())
    return PAGE.format(
        machine=args.machine,
        petaflops=f"{spent / 1e15:.2g} petaFLOP",
        titles=", ".join(TITLES.values()),
        prompts="; ".join(PROMPTS),
        pictures=f"{args.pictures:,}",
        batch=args.batch,
        quality="\n".join(quality),
        price="\n".join(price),
        claims="\n".join(claims),
    )


def figures(d: Distances) -> str:
    return f"{d.frechet:.1f} | {d.kernel:.3f} | {d.precision:.2f} | {d.recall:.2f}"


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(f"error: {error}") from None
