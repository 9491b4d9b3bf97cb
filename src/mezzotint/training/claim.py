"""A run's folder belongs to one recipe."""

import dataclasses
import json
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from mezzotint.errors import InputError
from mezzotint.files import made, write_whole
from mezzotint.training.recipe import Recipe

# fields that say what is written down on the way or how it is computed, not what comes out; a run
# that goes on compiled rounds otherwise, as it would on another machine
CHANGEABLE = {"compile", "log_every", "validate_every", "grid_every", "save_every", "save_minutes"}


@contextmanager
def claimed(folder: Path, recipe: Recipe, source: Path | None) -> Generator[None]:
    """Give ``folder`` to ``recipe`` at the end of the block, in which the run is made ready.

    A run that could not begin leaves no ``recipe.json``, so its recipe and data can be mended.

    Raises:
        InputError: a run was begun there with another recipe, which the message tells apart, or
            the folder cannot be written.
    """
    about = {**dataclasses.asdict(recipe), "source": str(source.resolve()) if source else "world"}
    text = json.dumps(about, indent=2)
    file, fresh = folder / "recipe.json", not folder.exists()
    if file.exists():
        _refuse_another(file, json.loads(text))
    made(folder)
    try:
        yield
    except BaseException:
        if fresh:
            with suppress(OSError):  # it is not empty
                folder.rmdir()
        raise
    if not file.exists():
        write_whole(file, text.encode() + b"\n")


def _refuse_another(file: Path, recipe: dict[str, Any]) -> None:
    try:
        begun = json.loads(file.read_text())
    except ValueError as error:
        raise InputError(f"{file} is not a recipe: {error}") from error
    for name, was, now in _differences("", begun, recipe):
        if name not in CHANGEABLE:
            raise InputError(
                f"{file.parent} was begun with {name} = {was!r}, and this recipe has {now!r}: "
                "choose another folder, or give the recipe it was begun with"
            )


def _differences(name: str, was: Any, now: Any) -> list[tuple[str, Any, Any]]:
    """The fields, by dotted name, that two recipes do not share.

    One that the old recipe was written before the package had is no difference.
    """
    if not (isinstance(was, dict) and isinstance(now, dict)):
        return [] if was == now else [(name, was, now)]
    old, new = cast("dict[str, Any]", was), cast("dict[str, Any]", now)
    return [
        difference
        for key in sorted(old)
        for difference in _differences(f"{name}.{key}".lstrip("."), old.get(key), new.get(key))
    ]
