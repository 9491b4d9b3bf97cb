"""The pictures of a run: the storybook world, or a folder somebody has."""

from dataclasses import dataclass
from pathlib import Path

from mezzotint.training.data.folder import folder_pictures
from mezzotint.training.data.pictures import PictureSet
from mezzotint.training.data.scenes import SceneSet, held_out, scene_pictures
from mezzotint.training.process_group import Group
from mezzotint.training.recipes import PicturesRecipe


@dataclass(frozen=True)
class Sets:
    """What is trained on, and what only validation sees."""

    train: PictureSet
    held_out: PictureSet


def open_pictures(recipe: PicturesRecipe, folder: Path | None, home: Path, group: Group) -> Sets:
    """Open the pictures, made ready by the leading process if they are not yet.

    Args:
        recipe: which scenes of the world, and their size.
        folder: a folder of pictures that takes the world's place.
        home: where ``data/`` is.
        group: the processes that train together.

    Raises:
        InputError: the folder has no picture that can be read, or the world's art is missing.
    """
    if group.leads:
        _open(recipe, folder, home / "data")
    group.wait()
    return _open(recipe, folder, home / "data")


def _open(recipe: PicturesRecipe, folder: Path | None, home: Path) -> Sets:
    if folder is not None:
        return Sets(*folder_pictures(home, folder, recipe.size, recipe.held_out, _say))
    scenes = SceneSet(recipe.size, recipe.scenes, recipe.single, recipe.wordings, first_seed=0)
    return Sets(
        scene_pictures(home, scenes, _progress),
        scene_pictures(home, held_out(scenes, recipe.held_out), _progress),
    )


def _progress(what: str, done: int, total: int) -> None:
    _say(f"{what}: {done} of {total}")


def _say(line: str) -> None:
    from rich.console import Console

    Console(stderr=True).print(line, highlight=False, markup=False, soft_wrap=True)
