"""What ``bench/taxonomy.py`` found, on a page, and in the table that a lesson shows."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from mezzotint.evals.fidelity import Distances
from mezzotint.training.taxonomy.compare import Cost

TITLES = {"gan": "GAN", "vae": "VAE", "flow": "normalizing flow", "diffusion": "diffusion"}
BITS = {"vae": "≤ ", "flow": "", "diffusion": "≤ "}  # a bound, or exact
QUALITIES = (
    *("Fréchet ↓", "kernel ↓", "precision ↑", "recall ↑"),
    *("sharpness", "diversity", "bits a dimension ↓"),
)


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


# What the textbooks say, and the figures that would show it.
Claim = tuple[str, Callable[[dict[str, Measured]], tuple[str, bool]]]


def least(of: Callable[[Measured], float], found: dict[str, Measured], name: str) -> bool:
    """Whether a kind's figure is below every other's."""
    return of(found[name]) < min(of(kind) for other, kind in found.items() if other != name)


CLAIMS: tuple[Claim, ...] = (
    (
        "GANs collapse: their seeds draw alike, and leave out what others draw",
        lambda m: (
            f"diversity {m['gan'].varied:.2f}, the others' from "
            f"{min(m[k].varied for k in m if k != 'gan'):.2f} up; recall "
            f"{m['gan'].distances.recall:.2f}, diffusion's {m['diffusion'].distances.recall:.2f}",
            least(lambda k: k.varied, m, "gan")
            and m["gan"].distances.recall < m["diffusion"].distances.recall,
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

{columns}
{rule}
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

*Beside it* is what only training needs: a critic, an encoder. What was kept equal is the FLOP: the
minutes were taken with other work on the machine at times. The last three are for one latent,
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
    found: dict[str, Measured],
    floor: Distances,
    through: Distances,
    prompts: tuple[str, ...],
    args: argparse.Namespace,
) -> str:
    """All that was found, as Markdown."""
    quality = [line(cells) for cells in qualities(found)]
    quality += [line([f"*{name}*", *cells]) for name, *cells in true_pictures(floor, through)]
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
    return PAGE.format(
        machine=args.machine,
        petaflops=spent(found, args.batch),
        titles=", ".join(TITLES.values()),
        prompts="; ".join(prompts),
        pictures=f"{args.pictures:,}",
        batch=args.batch,
        columns=line(["", *QUALITIES]),
        rule=line(["---"] * (len(QUALITIES) + 1)),
        quality="\n".join(quality),
        price="\n".join(price),
        claims="\n".join(claims),
    )


def lesson(
    found: dict[str, Measured], floor: Distances, through: Distances, args: argparse.Namespace
) -> dict[str, str | list[str] | list[list[str]]]:
    """The table that lesson 9 shows, as ``mezzotint.lab.lessons.kinds.measured`` reads it."""
    rows = [
        [*cells, str(m.cost.evaluations), f"{m.seconds:.3f}"]
        for cells, m in zip(qualities(found), found.values(), strict=True)
    ]
    rows += [[*cells, "", ""] for cells in true_pictures(floor, through)]
    return {
        "made": f"Made by bench/taxonomy.py on {args.machine}: {spent(found, args.batch)} for each "
        f"kind's training, {args.pictures:,} pictures of each.",
        "columns": ["kind", *QUALITIES, "calls", "seconds a latent"],
        "rows": rows,
    }


def qualities(found: dict[str, Measured]) -> list[list[str]]:
    """A row for each kind: its name, and its ``QUALITIES``."""
    return [
        [
            TITLES[name],
            *figures(m.distances),
            f"{m.sharp:.2f}",
            f"{m.varied:.2f}",
            f"{BITS[name]}{m.bits:.2f}" if m.bits is not None else "not defined",
        ]
        for name, m in found.items()
    ]


def true_pictures(floor: Distances, through: Distances) -> list[list[str]]:
    """The same of what no kind can better."""
    return [
        ["held-out pictures", *figures(floor), "1.00", "", ""],
        ["the same, through the autoencoder", *figures(through), "", "", ""],
    ]


def figures(d: Distances) -> list[str]:
    return [f"{d.frechet:.1f}", f"{d.kernel:.3f}", f"{d.precision:.2f}", f"{d.recall:.2f}"]


def spent(found: dict[str, Measured], batch: int) -> str:
    """What each training cost, in words."""
    most = max(m.steps * batch * m.cost.training for m in found.values())
    return f"{most / 1e15:.2g} petaFLOP"


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
