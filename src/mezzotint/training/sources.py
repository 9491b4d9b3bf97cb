"""The pictures of a run: the storybook world, or a folder somebody has."""

from pathlib import Path

from mezzotint.models.autoencoder import Autoencoder
from mezzotint.training.data.folder import folder_pictures
from mezzotint.training.data.latents import LatentSet, picture_latents, scene_latents
from mezzotint.training.data.pictures import PictureSet, Sets
from mezzotint.training.data.scenes import SceneSet, held_out, scene_captions, scene_pictures
from mezzotint.training.journal import note, note_progress
from mezzotint.training.process_group import Group
from mezzotint.training.recipe import PicturesRecipe

Encoded = tuple[PictureSet, LatentSet]
"""Captions and latents; there may be no pictures."""


def open_pictures(recipe: PicturesRecipe, folder: Path | None, home: Path) -> Sets:
    """Open the pictures, made ready first if they are not yet.

    Args:
        recipe: which scenes of the world, and their size.
        folder: a folder of pictures that takes the world's place.
        home: the folder that sets are kept in.

    Raises:
        InputError: the folder has no picture that can be read, or the world's art is missing.
    """
    if folder is not None:
        return _folder(recipe, folder, home)
    train, others = scene_sets(recipe)
    return Sets(
        scene_pictures(home, train, note_progress), scene_pictures(home, others, note_progress)
    )


def open_captions(recipe: PicturesRecipe, folder: Path | None, home: Path) -> Sets:
    """Open the same sets where only their captions are needed; the world draws none for them.

    Raises:
        InputError: as ``open_pictures``.
    """
    if folder is not None:
        return _folder(recipe, folder, home)
    train, others = scene_sets(recipe)
    return Sets(scene_captions(home, train), scene_captions(home, others))


def open_latents(
    recipe: PicturesRecipe,
    folder: Path | None,
    home: Path,
    autoencoder: Autoencoder,
    group: Group,
) -> tuple[Encoded, Encoded]:
    """Open the same sets as latents, those to train on and those held out.

    Raises:
        InputError: as ``open_pictures``.
    """
    if folder is None:
        train, others = (
            scene_latents(home, scenes, autoencoder, group, note_progress)
            for scenes in scene_sets(recipe)
        )
        return train, others
    sets = group.leader_first(lambda: _folder(recipe, folder, home))
    train, others = (
        (pictures, picture_latents(pictures, autoencoder, group, note_progress))
        for pictures in (sets.train, sets.held_out)
    )
    return train, others


def scene_sets(recipe: PicturesRecipe) -> tuple[SceneSet, SceneSet]:
    """The scenes of the world to train on, and those held out."""
    scenes = SceneSet(recipe.size, recipe.scenes, recipe.single, recipe.wordings, first_seed=0)
    return scenes, held_out(scenes, recipe.held_out)


def _folder(recipe: PicturesRecipe, folder: Path, home: Path) -> Sets:
    return Sets(*folder_pictures(home, folder, recipe.size, recipe.held_out, note))
