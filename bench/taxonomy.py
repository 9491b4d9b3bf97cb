"""Four kinds of generator on the same latents, of equal size and for equal compute.

`python bench/taxonomy.py --model runs/model --autoencoder runs/autoencoder --clip runs/clip
--data runs/data/SET --held-out runs/data/SET` trains a GAN, a VAE, a normalizing flow and a
diffusion model, measures them and writes docs/taxonomy.md and docs/taxonomy.jpg, and the table that
lesson 9 of the lab shows. It goes on where it was broken off. Every number on the page is measured
here. `--petaflops 2e-4 --batch 4 --pictures 16` is a dry run, with other folders and files than the
defaults for `--runs`, `--docs` and `--lesson`.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from taxonomy_page import Measured, lesson, page
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.evals.diversity import diversity
from mezzotint.evals.features import Features, load_features
from mezzotint.evals.fidelity import Distances, fidelity
from mezzotint.families.base import Model
from mezzotint.families.storybook import SIZES, load
from mezzotint.files import made, write_whole
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

LESSON = Path(__file__).parents[1] / "src" / "mezzotint" / "lab" / "measured" / "taxonomy.json"
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
    text = page(found, floor, through, PROMPTS, args)
    write_whole(args.docs / "taxonomy.md", text.encode())
    table = json.dumps(lesson(found, floor, through, args), ensure_ascii=False, indent=1)
    write_whole(made(args.lesson.parent) / args.lesson.name, f"{table}\n".encode())
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
    parser.add_argument("--lesson", type=Path, default=LESSON, help="the table of lesson 9")
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


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(f"error: {error}") from None
