"""What lets a model see a picture, with its data ready, for ``build``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from mezzotint.adapters.image_encoder import Eye, open_eye
from mezzotint.checkpoints.diffusers_folder import MODEL_INDEX
from mezzotint.errors import InputError
from mezzotint.families.base import Model
from mezzotint.models.image_words import ImageWords
from mezzotint.pipeline.load import EMBEDDED, named
from mezzotint.training.data.album import Shot, read_album, refuse_unsaid
from mezzotint.training.data.cached import Maker, View, latents
from mezzotint.training.data.examples import Examples, examples
from mezzotint.training.data.pairs import (
    Pairs,
    PairSet,
    Shown,
    Sight,
    as_latents,
    as_vectors,
    drawn_pairs,
    shown,
    tower_digest,
)
from mezzotint.training.data.scenes import HELD_OUT_SEEDS
from mezzotint.training.data.views import Kind
from mezzotint.training.data.wordings import Reads, encoded, tokens
from mezzotint.training.first_words import begin
from mezzotint.training.journal import note, note_progress
from mezzotint.training.process_group import Group
from mezzotint.training.recipe import Recipe
from mezzotint.training.seeing import Source, plain_unet
from mezzotint.training.tasks.instruct import InstructRecipe, InstructTask
from mezzotint.training.tasks.ip_adapter import IPAdapterRecipe, IPAdapterTask
from mezzotint.training.teacher import read_base

SHOWN = 4
EMBEDDED_NAME = next(iter(EMBEDDED))


def base_folder(base: str) -> Path:
    """The folder or file of a task's base.

    Raises:
        InputError: there is no such model.
    """
    return named(base or EMBEDDED_NAME)[0]


def build_ip_adapter(
    recipe: Recipe, task: IPAdapterRecipe, home: Path, source: Path | None, group: Group
) -> IPAdapterTask:
    """The task, with pairs of the world, or somebody's pictures that are both drawn and seen.

    Raises:
        InputError: there is no such base or image tower, or the pictures cannot be used.
    """
    model = read_base(task.base, group.device)
    plain_unet(model, task.base, task.direction)
    eye = _eye(task, model, group)

    def made(train: Source, held_out: Source, look: Sequence[Shown], name: str) -> IPAdapterTask:
        found = IPAdapterTask(task, recipe.seed, train, held_out, look, model, eye, name)
        if isinstance(found.network, ImageWords):
            seed, kept = recipe.seed, home / "data"
            begin(found.network, train, model, task.ahead, seed, kept, group, note_progress)
        return found

    if source is None:
        sight = as_vectors(eye, group.device)
        return made(
            *_world(recipe, task.learns, sight, model, home, group), name=f"ip-{task.learns}"
        )
    album = read_album(source, note)
    if not model.family.release:
        advice = "words are made of a picture by what is said of it: give a text beside each"
        refuse_unsaid(album.shots, "pictures", advice)
    shots = [replace(shot, companion=shot.file) for shot in album.shots]
    reads = encoded(model)
    train, held_out = _examples(recipe, shots, model, _vectors(eye), reads, home, group)
    return made(train, held_out, _shown(held_out), name="ip-adapter")


def build_instruct(
    recipe: Recipe, task: InstructRecipe, home: Path, source: Path | None, group: Group
) -> InstructTask:
    """The task, with changes of the world, or somebody's pictures before and after theirs.

    Raises:
        InputError: there is no such base, or it cannot be written changed; or the pictures cannot
            be used, or nothing is said of them.
    """
    model, place = read_base(task.base, group.device), base_folder(task.base)
    plain_unet(model, task.base, task.direction)
    if model.family.release and not (place / MODEL_INDEX).is_file():
        raise InputError(
            f"{task.base} is one file: make a folder of it first, which can be written anew with "
            f"another U-Net (mezzotint convert {task.base} FOLDER)"
        )
    if source is None:
        sight = as_latents(model, recipe.pictures.size, group.device)
        train, held_out, pictures = _world(recipe, "change", sight, model, home, group)
        kinds = [held_out_set(recipe, "change").pair(k).kind for k in range(len(held_out))]
        return InstructTask(task, recipe.seed, train, held_out, kinds, pictures, model, place)
    album = read_album(source, note, "after")
    advice = "put what was asked for into before/{}.txt, beside the picture before"
    refuse_unsaid(album.shots, "pairs", advice)
    # of ours the text tower learns along
    reads = encoded(model) if model.family.release else tokens(model)
    train, held_out = _examples(recipe, album.shots, model, latents(model), reads, home, group)
    kinds = [""] * len(held_out)
    return InstructTask(task, recipe.seed, train, held_out, kinds, _shown(held_out), model, place)


def _eye(task: IPAdapterRecipe, model: Model, group: Group) -> Eye:
    if model.family.release and not task.encoder:
        raise InputError(
            "task.encoder is empty: name the image encoder that the adapter is to see with, such "
            'as --set task.encoder="models/image_encoder"'
        )
    eye = open_eye(Path(task.encoder) if task.encoder else base_folder(task.base))
    eye.tower.to(group.device).float()
    return eye


def held_out_set(recipe: Recipe, kind: Kind) -> PairSet:
    """The pairs of the world that only validation sees."""
    pictures = recipe.pictures
    return PairSet(kind, pictures.size, pictures.held_out, pictures.wordings, HELD_OUT_SEEDS)


def _world(
    recipe: Recipe, kind: Kind, sight: Sight, model: Model, home: Path, group: Group
) -> tuple[Pairs, Pairs, list[Shown]]:
    """Pairs to train on, those held out, and some of those to look at."""
    others = held_out_set(recipe, kind)
    own = replace(others, count=recipe.pictures.scenes, first_seed=0)
    train, held_out = (
        drawn_pairs(home / "data", each, sight, model, group, note_progress)
        for each in (own, others)
    )
    return train, held_out, shown(others, SHOWN)


def _examples(
    recipe: Recipe,
    shots: Sequence[Shot],
    model: Model,
    seen: Maker,
    reads: Reads,
    home: Path,
    group: Group,
) -> tuple[Examples, Examples]:
    made = examples(
        shots,
        model,
        recipe.pictures.size,
        home / "data" / "album",
        reads,
        group,
        warn=note,
        progress=note_progress,
        companions=seen,
    )
    return made.divided(recipe.pictures.held_out)


def _vectors(eye: Eye) -> Maker:
    """An image tower's vector of each picture, as its bucket has it."""
    sight = as_vectors(eye, eye.tower.summary.device)

    def make(picture: Image) -> NDArray[np.float16]:
        return sight.make(np.asarray(picture)[None])[0]

    return Maker(f"vectors-{tower_digest(eye)}", make)


def _shown(held_out: Examples) -> list[Shown]:
    found: list[Shown] = []
    for ready in held_out.ready[:SHOWN]:
        shot, size = ready.shot, (ready.canvas.width, ready.canvas.height)
        seen = View(shot.companion or shot.file, size, (shot.width, shot.height), mirrored=False)
        drawn = View(shot.file, size, None, mirrored=False)
        found.append(Shown(drawn.picture(), seen.picture(), ready.wordings[0]))
    return found
