"""Recipes into pictures, and out of them."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mezzotint.errors import InputError
from mezzotint.pipeline.metadata.comfyui import read_graph
from mezzotint.pipeline.metadata.parameters import Reading, read_parameters
from mezzotint.pipeline.metadata.recipe import Recipe, render
from mezzotint.pipeline.metadata.texts import carried

CHUNK = "parameters"


def attach(recipe: Recipe, image: Image.Image, also: Mapping[str, object] | None = None) -> None:
    """Put a recipe into the `info` of a picture, and into every PNG that it is saved as.

    Args:
        recipe: what the picture was made by.
        image: the picture.
        also: further fields; see ``render``.
    """
    image.info[CHUNK] = render(recipe, also)
    chunks = PngInfo()
    chunks.add_text(CHUNK, image.info[CHUNK])
    image.encoderinfo = {"pnginfo": chunks}


def png(image: Image.Image) -> bytes:
    """Encode a picture as PNG, with its recipe if it has one."""
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def read(path: Path) -> Recipe:
    """Read the recipe of a picture file, as far as it can be told.

    Raises:
        InputError: the file is not a PNG, JPEG or WebP, or carries no recipe that is understood.
    """
    return reading(path).recipe


def reading(path: Path) -> Reading:
    """Read how a picture was made, by us, A1111 or ComfyUI, and what of it we cannot do.

    Raises:
        InputError: the file is not a PNG, JPEG or WebP, or carries no recipe that is understood.
    """
    found = carried(path)
    try:
        if text := found.texts.get(CHUNK):
            return read_parameters(text)
        if text := found.texts.get("prompt"):
            return read_graph(text, (found.width, found.height))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if "workflow" in found.texts:
        raise InputError(
            f"{path} has ComfyUI's editor graph alone, without what was run (`prompt`)"
        )
    raise InputError(f"{path} has no `{CHUNK}` text, so nobody knows how it was made")
