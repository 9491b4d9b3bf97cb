"""The whole evaluation of a model: what it is asked, what it is compared with, what comes out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal, get_args

import torch
from PIL import Image
from torch import Tensor

from mezzotint.adapters.pictures import opened
from mezzotint.errors import InputError, unknown
from mezzotint.evals.accuracy import prompt_accuracy
from mezzotint.evals.clip_score import clip_score
from mezzotint.evals.diversity import Diversity, diversity
from mezzotint.evals.features import Features, clip_features, extract, load_features
from mezzotint.evals.fidelity import fidelity, nearest
from mezzotint.evals.gallery import Gallery, Tick
from mezzotint.evals.judge import EMBEDDED as JUDGE
from mezzotint.evals.judge import Judge
from mezzotint.evals.judge import load as load_judge
from mezzotint.evals.report import Drawing, Evaluation, as_json, contact_sheet
from mezzotint.evals.skills import PROMPTS, SKILLS, Prompt
from mezzotint.evals.skills import prompts as skill_prompts
from mezzotint.evals.towers import Towers, load_towers
from mezzotint.files import made, write_whole
from mezzotint.foreign import parsed
from mezzotint.pipeline.load import EMBEDDED
from mezzotint.pipeline.metadata import png
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.request import Options, Request, complete
from mezzotint.world import caption, render, sample_scene

What = Literal["accuracy", "fidelity", "clip", "diversity"]
WHAT: tuple[What, ...] = get_args(What)

TRAINED = 60_000  # scenes from this seed on are mixed ones of every preset's training set
HELD_OUT = 1_500_000_000  # scenes from this seed on were never trained on nor validated with
APART = 1_000_000  # seeds between the pictures of one prompt
VARIED = 50  # prompts whose pictures are compared from seed to seed
SHOWN = 48  # pictures on a sheet


@dataclass(frozen=True)
class Settings:
    """What to measure, and of how many pictures.

    Attributes:
        what: some of ``WHAT``.
        prompts: how many of the prompts that the judge is asked about, and how many captions of
            held-out scenes.
        images: pictures of each for the judge, and of up to 50 captions for diversity; of all other
            captions one.
        training: training scenes that a model's pictures are compared with.
        drawing: steps, sampler, cfg, …
    """

    what: tuple[What, ...]
    prompts: int
    images: int
    training: int
    drawing: Options


@dataclass(frozen=True)
class Instruments:
    """What it is measured with; None for what is not asked for."""

    judge: Judge | None
    features: Features | None
    towers: Towers | None


def instruments(
    settings: Settings, judge: Path | None, clip: Path | None, features: Path | None
) -> Instruments:
    """Load what ``settings`` need.

    Args:
        settings: what to measure.
        judge: its file; the package's own, if not given.
        clip: a folder with towers of ours; the embedded model, if not given.
        features: what pictures are compared in; the image tower of ``clip``, if not given.

    Raises:
        InputError: something that is needed is missing, damaged, or none of its kind.
    """
    what = {*settings.what}
    if "diversity" in what and settings.images < 2:
        raise InputError("images 1: diversity compares pictures of one prompt, give 2 or more")
    judging = load_judge(judge or JUDGE) if "accuracy" in what else None
    home = clip or next(iter(EMBEDDED.values()))
    towers = load_towers(_there(home)) if "clip" in what else None
    seeing = None
    if {"fidelity", "diversity"} & what:
        own = clip_features(towers.vision) if towers and features is None else None
        seeing = own or load_features(_there(features or home))
    return Instruments(judging, seeing, towers)


@dataclass(frozen=True)
class Scenes:
    """Scenes that were held out, and vectors of those that were trained on.

    Attributes:
        prompts: a dense caption of each held-out one.
        pictures: of the held-out ones.
        training: vectors (n, d); None if they are not asked for.
    """

    prompts: list[str]
    pictures: list[Image.Image]
    training: Tensor | None


def asked(text: str) -> tuple[What, ...]:
    """Some of ``WHAT``, from words with commas between.

    Raises:
        InputError: a word is another.
    """
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in WHAT:
            raise unknown("measure", word, WHAT)
    return tuple(what for what in WHAT if what in words)


def scenes(settings: Settings, features: Features | None, size: int, tick: Tick) -> Scenes:
    """Draw what a model is compared with, ``size`` pixels to a side."""
    training = None
    if "fidelity" in settings.what and features is not None:
        seeds = range(TRAINED, TRAINED + settings.training)
        training = extract(features, _scenes(seeds, size, partial(tick, "training scenes")))
    seeds = range(HELD_OUT, HELD_OUT + _captions(settings))
    return Scenes(
        prompts=[caption(sample_scene(seed), seed, "dense") for seed in seeds],
        pictures=list(_scenes(seeds, size, partial(tick, "held-out scenes"))),
        training=training,
    )


def evaluate(
    pipe: Pipeline,
    settings: Settings,
    instruments: Instruments,
    folder: Path,
    tick: Tick,
    against: Scenes | None = None,
) -> Evaluation:
    """Measure a model and write `report.json`, `pictures.png` and, for fidelity, `neighbours.png`.

    The model's pictures are kept in ``folder``, so that what was stopped goes on when it is called
    again.

    Args:
        pipe: the model.
        settings: what to measure.
        instruments: all that ``settings.what`` needs.
        folder: made if it is not there.
        tick: is told how it goes.
        against: what ``scenes`` gave for the same settings; drawn, if not given.

    Raises:
        InputError: there are too few pictures, an option is out of its range, or the folder cannot
            be written.
    """
    how = complete(pipe.model.family, "", **settings.drawing)
    pictures = made(folder / "pictures")
    against = against or scenes(settings, instruments.features, pipe.model.family.size, tick)
    asks = _asks(settings.prompts) if "accuracy" in settings.what else []
    varied = against.prompts[:VARIED] if "diversity" in settings.what else []
    total = (len(asks) + len(varied)) * settings.images + len(against.prompts) - len(varied)
    draw = Gallery(pipe, pictures, settings.drawing, total, tick)

    judged = None
    if asks and instruments.judge:
        judged = prompt_accuracy(draw, instruments.judge, asks, settings.images)
    drawn = draw(against.prompts, range(len(against.prompts)))
    near = score = variety = None
    if drawn and (features := instruments.features):
        seen = extract(features, drawn)
        if against.training is not None:
            near = fidelity(against.training, seen, extract(features, against.pictures))
            neighbours = _neighbours(drawn, seen, against.training)
            write_whole(folder / "neighbours.png", png(neighbours))
        if varied:
            variety = _diversity(draw, varied, settings.images, features, seen)
    if "clip" in settings.what and instruments.towers:
        score = clip_score(instruments.towers, against.prompts, drawn, against.pictures)
    report = folder / "report.json"
    evaluation = Evaluation(_drawing(draw, how, report), judged, near, score, variety)
    write_whole(report, as_json(evaluation))
    write_whole(folder / "pictures.png", png(_cross_section(draw)))
    return evaluation


def _asks(count: int) -> list[Prompt]:
    """The first prompts of each skill, as many of each; fewer of them are the same ones."""
    made = skill_prompts(count=max(count, PROMPTS))
    each = -(-count // len(SKILLS))
    return [ask for skill in SKILLS for ask in [a for a in made if a.skill == skill][:each]]


def _there(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"there is no {path}: give a file or a folder")
    return path


def _captions(settings: Settings) -> int:
    """How many captions of held-out scenes are drawn."""
    if {"fidelity", "clip"} & {*settings.what}:
        return settings.prompts
    return min(settings.prompts, VARIED) if "diversity" in settings.what else 0


def _scenes(seeds: range, size: int, tick: Callable[[int, int], None]) -> Iterator[Image.Image]:
    for done, seed in enumerate(seeds, start=1):
        yield Image.fromarray(render(sample_scene(seed), size))
        tick(done, len(seeds))


def _drawing(draw: Gallery, how: Request, before: Path) -> Drawing:
    """How the pictures were drawn; if all were there, the report before tells what one took."""
    now = Drawing(
        model=draw.pipe.source,
        digest=draw.pipe.model.digest,
        steps=how.steps,
        sampler=how.sampler,
        spacing=how.spacing,
        cfg=how.cfg,
        width=how.width,
        height=how.height,
        seconds=None,
    )
    return replace(now, seconds=median(draw.seconds) if draw.seconds else _took(before, now))


def _took(report: Path, now: Drawing) -> float | None:
    """What a picture took that was drawn like these, as a report says; None if there is none."""
    try:
        told = parsed(report.read_bytes())["drawing"]
        seconds = float(told["seconds"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return seconds if told == asdict(replace(now, seconds=seconds)) else None


def _cross_section(draw: Gallery) -> Image.Image:
    """Pictures from the first to the last, as far apart as fit on a sheet."""
    shown = draw.asked[:: -(-len(draw.asked) // SHOWN)]
    return contact_sheet([opened(path) for _, path in shown], [prompt for prompt, _ in shown])


def _neighbours(drawn: Sequence[Image.Image], seen: Tensor, training: Tensor) -> Image.Image:
    """The pictures that are nearest to a training scene, each beside that scene."""
    which, apart = nearest(seen, training)
    pictures, texts = list[Image.Image](), list[str]()
    for k in apart.argsort()[: SHOWN // 2].tolist():
        scene = render(sample_scene(TRAINED + int(which[k])), drawn[k].width)
        pictures += [drawn[k], Image.fromarray(scene)]
        texts += ["drawn", f"its nearest training scene, {apart[k]:.2f} away"]
    return contact_sheet(pictures, texts)


def _diversity(
    draw: Gallery, prompts: list[str], images: int, features: Features, first: Tensor
) -> Diversity:
    """Of pictures of each prompt; those of its first seed are seen already."""
    seen = [first[: len(prompts)]]
    for k in range(1, images):
        seeds = range(k * APART, k * APART + len(prompts))
        seen.append(extract(features, draw(prompts, seeds)))
    return diversity(torch.stack(seen, dim=1))
