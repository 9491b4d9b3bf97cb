"""A picture's file: a PNG that carries its recipe, and what the gallery's row of it says."""

import json
from functools import lru_cache
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import Any, cast

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mezzotint.errors import InputError
from mezzotint.foreign import parsed
from mezzotint.lab.studio.again import settings_of
from mezzotint.lab.studio.tables import Entry
from mezzotint.pipeline.metadata import parse

ROW = "mezzotint"  # the chunk beside `parameters`: what a recipe cannot say
THUMB_SIDE, THUMB_QUALITY, THUMBS = 320, 80, 1000


def file_of(image: Image.Image, row: Entry | None = None) -> bytes:
    """A PNG of a picture, with its row, and so its recipe, if it has any."""
    chunks = PngInfo()
    if row is not None:
        told = {"kind": row.kind, "made": row.made, "settings": dict(row.settings)}
        chunks.add_text("parameters", row.recipe)
        chunks.add_text(ROW, json.dumps(told))
    buffer = BytesIO()
    image.copy().save(buffer, "PNG", pnginfo=chunks)  # a drawing's own chunks would win over these
    return buffer.getvalue()


def carried(path: Path) -> Entry | None:
    """The row of a picture as its file has it; None where that is no whole picture of ours."""
    try:
        with Image.open(path, formats=["PNG"]) as file:
            file.load()
            size, texts = file.size, cast("dict[str, Any]", file.info)
        recipe = str(texts["parameters"])
        told = _told(str(texts.get(ROW, "{}")))
        settings = told.get("settings") or settings_of(parse(recipe))
        made = told.get("made") or path.stat().st_mtime
        kind, prompt = str(told.get("kind", "picture")), str(settings.get("prompt", ""))
        if not isfinite(made := float(made)):
            return None
        return Entry(path.stem, kind, prompt, *size, made, recipe, settings)
    except Exception:  # whatever decoders raise at what somebody put there
        return None


def _told(text: str) -> dict[str, Any]:
    told = parsed(text)
    if not isinstance(told, dict):
        raise InputError(f"its `{ROW}` text is no table")
    json.dumps(told, allow_nan=False)  # a number that is none could be told to no page
    return cast("dict[str, Any]", told)


@lru_cache(maxsize=THUMBS)
def thumbnail(path: Path) -> bytes:
    """A picture's file as a small WebP; kept, for no file is ever written anew."""
    with Image.open(path) as file:
        file.thumbnail((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS)
        buffer = BytesIO()
        file.convert("RGB").save(buffer, "WEBP", quality=THUMB_QUALITY)
    return buffer.getvalue()
