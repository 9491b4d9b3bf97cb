"""ControlNets with their data ready, for ``build``."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mezzotint.adapters.maps import canny
from mezzotint.errors import InputError, choose
from mezzotint.families.base import Model
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.training.data.album import read_album
from mezzotint.training.data.cached import Maker, pixels
from mezzotint.training.data.controls import (
    WORLD,
    AlbumControls,
    WorldControls,
    keep_conditions,
)
from mezzotint.training.data.examples import examples
from mezzotint.training.data.latents import scene_latents
from mezzotint.training.data.scenes import SceneSet
from mezzotint.training.data.wordings import encoded
from mezzotint.training.journal import note, note_progress
from mezzotint.training.process_group import Group
from mezzotint.training.recipe import Recipe
from mezzotint.training.sources import scene_sets
from mezzotint.training.tasks.controlnet import ControlNetRecipe, ControlNetTask, steerable
from mezzotint.training.teacher import read_base

CONDITIONS = "conditions"
EDGES = "edges"


def build_controlnet(
    recipe: Recipe, task: ControlNetRecipe, home: Path, source: Path | None, group: Group
) -> ControlNetTask:
    """The task, with the world's scenes or with somebody's pictures.

    Raises:
        InputError: there is no such base or it cannot be steered so, or the pictures cannot be
            used.
    """
    model = read_base(task.base, group.device)
    steerable(task, model)
    if source is None:
        train, held_out = _world(recipe, task, model, home / "data", group)
    else:
        train, held_out = _album(recipe, task, model, home / "data", source, group)
    made = ControlNetTask(task, recipe.seed, train, held_out, model)
    if recipe.compile:
        made.unet.compile()  # what is steered takes more of a step than what steers it
    return made


def _world(
    recipe: Recipe, task: ControlNetRecipe, model: Model, home: Path, group: Group
) -> tuple[WorldControls, WorldControls]:
    for kind in task.kinds:
        choose("condition of the world", kind, dict.fromkeys(WORLD))
    if not isinstance(model.autoencoder, Autoencoder):
        raise InputError(f"{task.base} has a tiny autoencoder: give it with its own one")
    encoder = model.autoencoder

    def controls(scenes: SceneSet) -> WorldControls:
        kept = scene_latents(
            home, scenes, encoder, group, note_progress, keep_conditions, "controls"
        )
        return WorldControls(*kept, task.kinds, model, recipe.seed)

    train, held_out = scene_sets(recipe.pictures)
    return controls(train), controls(held_out)


def _album(
    recipe: Recipe, task: ControlNetRecipe, model: Model, home: Path, source: Path, group: Group
) -> tuple[AlbumControls, AlbumControls]:
    if len(task.kinds) != 1:
        raise InputError(
            f"task.kinds {list(task.kinds)}: the conditions in {source} are of one kind: "
            'give its name, as in task.kinds=["edges"]'
        )
    paired = source.suffix == ".toml" or (source / CONDITIONS).is_dir()
    if source.is_dir() and not paired and task.kinds != (EDGES,):
        raise InputError(
            f"{source} has no folder {CONDITIONS}: put the condition of each picture there, under "
            f'the same name, or give task.kinds=["{EDGES}"], which are found in the pictures'
        )
    shots = read_album(source, note, CONDITIONS if paired else "").shots
    maker = pixels() if paired else Maker(EDGES, _edges)

    made = examples(
        shots if paired else [replace(shot, companion=shot.file) for shot in shots],
        model,
        recipe.pictures.size,
        home / "album",
        encoded(model),
        group,
        warn=note,
        progress=note_progress,
        companions=maker,
    )
    train, held_out = made.divided(recipe.pictures.held_out)
    return AlbumControls(train, task.kinds[0]), AlbumControls(held_out, task.kinds[0])


def _edges(picture: Image.Image) -> NDArray[np.uint8]:
    """Edges (1, h, w) of a picture as it is trained on."""
    return canny(np.asarray(picture))[None]
