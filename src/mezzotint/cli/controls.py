"""`--control`: ControlNets, and the pictures that they follow."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mezzotint.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

    from mezzotint.adapters.controlnet import Control

EDGES, BOXES = "edges", "boxes"


def controls(texts: Sequence[str], model: str | None, size: tuple[int, int]) -> "list[Control]":
    """What NAME=PICTURE, NAME=PICTURE:SCALE or NAME=PICTURE:SCALE:START:END ask for.

    Args:
        texts: each of them. NAME is "edges", "depth" or "boxes" of the model in use, or a file or
            FILE#KIND. What is no map of edges has its edges found; boxes can be numbers instead of
            a picture, L,T,R,B+L,T,R,B.
        model: the name of the model in use, None for the embedded one.
        size: width and height of what is drawn, for boxes in numbers.

    Raises:
        InputError: one is something else, or cannot be read.
    """
    return [_control(text, model, size) for text in texts]


def pictures(texts: Sequence[str]) -> list[Path]:
    """The files that they follow; boxes in numbers are called one too.

    Raises:
        InputError: one is no NAME=PICTURE.
    """
    return [Path(_parted(text)[1]) for text in texts]


def _control(text: str, model: str | None, size: tuple[int, int]) -> "Control":
    from mezzotint.adapters.controlnet import KINDS, controlnet
    from mezzotint.checkpoints.find import find

    name, picture, numbers = _parted(text)
    file, mark, kind = name.rpartition("#")
    if name in KINDS:
        source, kind = _own(name, model), name
    else:
        source = f"{find(file, 'controlnet')}#{kind}" if mark else str(find(name, "controlnet"))
    return controlnet(source, _map(picture, kind, size), *numbers)


def _own(kind: str, model: str | None) -> str:
    """The ControlNet of the model in use."""
    from mezzotint.pipeline.load import EMBEDDED, named

    folder = named(model)[0] if model else None
    own = folder is not None and folder.is_dir() and folder not in EMBEDDED.values()
    return f"{folder}#{kind}" if own else kind


def _parted(text: str) -> tuple[str, str, list[float]]:
    """The name, the picture, and up to three numbers."""
    name, equals, told = (part.strip() for part in text.partition("="))
    picture, *numbers = _numbers(told)
    if not (name and equals and picture) or len(numbers) not in (0, 1, 3):
        raise InputError(
            f"--control {text!r}: write NAME=PICTURE, NAME=PICTURE:SCALE or "
            "NAME=PICTURE:SCALE:START:END, such as edges=house.png:0.8"
        )
    return name, str(picture), [float(number) for number in numbers]


def _numbers(told: str) -> list[str | float]:
    """The picture, and up to three numbers after it; a path may have colons of its own."""
    path, numbers = told, list[float]()
    while len(numbers) < 3:
        rest, colon, last = path.rpartition(":")
        try:
            numbers.insert(0, float(last if colon else ""))
        except ValueError:
            break
        path = rest
    return [path, *numbers]


def _map(picture: str, kind: str, size: tuple[int, int]) -> "Image.Image":
    from mezzotint.adapters import maps
    from mezzotint.adapters.pictures import opened

    if kind == BOXES and not Path(picture).exists() and (boxes := _boxes(picture)):
        return maps.layout(boxes, size)
    image = opened(picture)
    return maps.edges(image) if kind == EDGES and not maps.is_edges(image) else image


def _boxes(text: str) -> list[tuple[float, float, float, float]] | None:
    """L,T,R,B+L,T,R,B in numbers; None for anything else."""
    try:
        boxes = [tuple(float(edge) for edge in box.split(",")) for box in text.split("+")]
    except ValueError:
        return None
    whole = [(box[0], box[1], box[2], box[3]) for box in boxes if len(box) == 4]
    return whole if len(whole) == len(boxes) else None
