"""A run's folder belongs to one recipe."""

import dataclasses
import json
from pathlib import Path
from typing import Any, cast

from mezzotint.errors import InputError
from mezzotint.files import write_whole
from mezzotint.training.recipe import Recipe

# fields that say what is written down on the way, not what comes out
CHANGEABLE = {"log_every", "validate_every", "grid_every", "save_every", "save_minutes"}


def claim(folder: Path, recipe: Recipe, source: Path | None) -> None:
    """Write ``recipe.json``, or check that the run in ``folder`` was begun with this recipe.

    Raises:
        InputError: it was begun with another one, which the message tells apart.
    """
    about = {**dataclasses.asdict(recipe), "source": str(source.resolve()) if source else "world"}
    text = json.dumps(about, indent=2)
    file = folder / "recipe.json"
    if file.exists():
        try:
            begun = json.loads(file.read_text())
        except ValueError as error:
            raise InputError(f"{file} is not a recipe: {error}") from error
        for name, was, now in _differences("", begun, json.loads(text)):
            if name not in CHANGEABLE:
                raise InputError(
                    f"{folder} was begun with {name} = {was!r}, and this recipe has {now!r}: "
                    "choose another folder, or give the recipe it was begun with"
                )
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error
    write_whole(file, text.encode() + b"\n")


def _differences(name: str, was: Any, now: Any) -> list[tuple[str, Any, Any]]:
    """The fields, by dotted name, that two recipes do not share."""
    if not (isinstance(was, dict) and isinstance(now, dict)):
        return [] if was == now else [(name, was, now)]
    old, new = cast("dict[str, Any]", was), cast("dict[str, Any]", now)
    return [
        difference
        for key in sorted(old.keys() | new.keys())
        for difference in _differences(f"{name}.{key}".lstrip("."), old.get(key), new.get(key))
    ]
