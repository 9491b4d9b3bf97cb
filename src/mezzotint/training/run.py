"""``mezzotint train``: from a recipe's name to a trained network in a folder."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from mezzotint.errors import InputError
from mezzotint.files import write_whole
from mezzotint.training.loop import train
from mezzotint.training.process_group import Group, joined
from mezzotint.training.recipes import Recipe, resolve
from mezzotint.training.sources import open_pictures
from mezzotint.training.task import Task
from mezzotint.training.tasks.autoencoder import AutoencoderRecipe, AutoencoderTask

# fields that say what is written down on the way, not what comes out
CHANGEABLE = {"log_every", "validate_every", "grid_every", "save_every", "save_minutes"}


def run(
    recipe: str | Path,
    data: str | Path | None = None,
    out: str | Path | None = None,
    **overrides: Any,
) -> Path:
    """Train a recipe and return the folder of the run; a run that was begun goes on.

    Args:
        recipe: a preset's name, or a TOML file.
        data: a folder of pictures, instead of the storybook world.
        out: the folder of the run; ``runs/NAME`` by default. Its parent holds the data that
            several runs share.
        overrides: fields of the recipe to replace.

    Raises:
        InputError: the recipe, the data or the folder cannot be used.
        Interrupted: a signal ended the run after its state was saved.
    """
    chosen = resolve(recipe, overrides)
    source = None if data is None else Path(data)
    folder = Path(out or Path("runs") / chosen.name)
    with joined() as group:
        if group.leads:
            _claim(folder, chosen, source)
        group.wait()
        train(build(chosen, source, folder, group), chosen, folder, group)
    return folder


def build(recipe: Recipe, data: Path | None, folder: Path, group: Group) -> Task:
    """The task of a recipe, with its data ready.

    Raises:
        InputError: the data cannot be used, or a run it stands on is not there.
    """
    sets = open_pictures(recipe.pictures, data, folder.parent, group)
    match recipe.task:
        case AutoencoderRecipe():
            return AutoencoderTask(
                recipe.task, recipe.seed, sets.train, sets.held_out, group.device
            )


def _claim(folder: Path, recipe: Recipe, data: Path | None) -> None:
    """Write ``recipe.json``, or refuse a folder in which another recipe was begun."""
    about = json.loads(json.dumps({**dataclasses.asdict(recipe), "source": str(data or "world")}))
    file = folder / "recipe.json"
    if file.exists():
        try:
            begun = json.loads(file.read_text())
        except ValueError as error:
            raise InputError(f"{file} is not a recipe: {error}") from error
        for name in sorted((begun.keys() | about.keys()) - CHANGEABLE):
            _same(folder, name, begun.get(name), about.get(name))
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error
    write_whole(file, json.dumps(about, indent=2).encode())


def _same(folder: Path, name: str, begun: Any, now: Any) -> None:
    if isinstance(begun, dict) and isinstance(now, dict):
        for key in sorted(begun.keys() | now.keys()):
            _same(folder, f"{name}.{key}", begun.get(key), now.get(key))
    elif begun != now:
        raise InputError(
            f"{folder} was begun with {name} = {begun!r}, and this recipe has {now!r}: "
            "choose another folder, or give the recipe it was begun with"
        )
