"""The pictures of a run: the storybook world, or a folder somebody has."""

from pathlib import Path

from mezzotint.training.data.folder import folder_pictures
from mezzotint.training.data.pictures import Sets
from mezzotint.training.data.scenes import SceneSet, held_out, scene_pictures
from mezzotint.training.journal import note, note_progress
from mezzotint.training.recipe import PicturesRecipe


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
        return Sets(*folder_pictures(home, folder, recipe.size, recipe.held_out, note))
    scenes = SceneSet(recipe.size, recipe.scenes, recipe.single, recipe.wordings, first_seed=0)
    return Sets(
        scene_pictures(home, scenes, note_progress),
        scene_pictures(home, held_out(scenes, recipe.held_out), note_progress),
    )
