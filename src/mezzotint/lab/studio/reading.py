"""A picture that somebody brings: what the studio would be asked for one like it."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from mezzotint.errors import InputError
from mezzotint.lab.studio.again import settings_of
from mezzotint.lab.studio.models import variants
from mezzotint.pipeline.metadata import Reading, reading
from mezzotint.pipeline.metadata.parameters import ASKED
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.request import complete


def read(sent: bytes) -> Reading:
    """How a picture was made.

    Args:
        sent: a PNG, JPEG or WebP file.

    Raises:
        InputError: it is none, or nothing in it says how it was made.
    """
    with tempfile.TemporaryDirectory(prefix="mezzotint-") as folder:
        path = Path(folder) / "picture"
        path.write_bytes(sent)
        try:
            return reading(path)
        except InputError as error:
            raise InputError(str(error).replace(str(path), "this picture")) from error


def told(found: Reading, pipe: Pipeline) -> dict[str, Any]:
    """The settings, what tool they are of, and what of it is not to be had of the model at hand."""
    recipe, family = found.recipe, pipe.model.family
    settings = settings_of(recipe)
    notes = [f"needs {each}" for each in found.needs]
    notes += [f"cannot be matched: {each}" for each in found.misses]
    notes += [f"with {kind} {which}" for kind, which in recipe.adapters if kind in ASKED]
    own = found.tool.startswith("mezzotint ")
    if own and recipe.model != pipe.source:
        if recipe.model in variants(pipe.source):
            settings["variant"] = recipe.model
        else:
            notes.append(f"made with the model {recipe.model!r}, and this is {pipe.source!r}")
    elif own and recipe.model_hash != pipe.model.digest:
        notes.append(f"made with other weights of {pipe.source!r}, so it comes out otherwise")
    if own and recipe.batch > 1:
        notes.append(f"it is picture {recipe.place + 1} of {recipe.batch}")
    asked = settings_of(replace(recipe, prompts=()))
    asked |= {"seed": recipe.seed, "cfg_interval": recipe.cfg_interval}  # no text, as pages have it
    try:
        complete(family, **asked, prompts=dict(recipe.prompts))
    except InputError as error:
        notes.append(str(error))
    return {"settings": settings, "tool": found.tool, "notes": notes}
