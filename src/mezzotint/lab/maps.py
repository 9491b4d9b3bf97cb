"""What a visitor brings, paints or writes, made the map that a ControlNet follows."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mezzotint.adapters import maps
from mezzotint.errors import InputError, unknown
from mezzotint.pipeline.editing.pictures import laid_on

KINDS = ("edges", "depth", "boxes", "picture")
HORIZON = 0.6  # of the height, from above: where the level ground begins


def map_of(
    kind: str,
    size: tuple[int, int],
    picture: Image.Image | None = None,
    painted: Image.Image | None = None,
    boxes: str = "",
    low: float = 100,
    high: float = 200,
) -> Image.Image:
    """The map of one of ``KINDS``.

    Args:
        kind: "edges" of the picture, or the picture itself if it is a map of them; "depth" of what
            is painted; "boxes"; or the "picture" as it is.
        size: width and height of what is drawn, for boxes and where nothing is painted.
        picture: what was brought.
        painted: white where things stand, see ``standing``.
        boxes: left,top,right,bottom as shares of the sides, with + between several.
        low, high: thresholds of edges.

    Raises:
        InputError: there is no such kind or no picture, or the boxes are none.
    """
    match kind:
        case "edges":
            found = laid_on(_needed(picture), "white")
            return found if maps.is_edges(found) else maps.edges(found, low, high)
        case "depth":
            painted = painted or Image.new("L", size)
            return maps.depth_map(standing(np.asarray(painted.convert("L")) > 127))
        case "boxes":
            return maps.layout([_box(each) for each in boxes.split("+")], size)
        case "picture":
            return laid_on(_needed(picture), "white")
        case _:
            raise unknown("kind of map", kind, KINDS)


def standing(painted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How near everything is, 0 to 1, (h, w), where things stand on level ground.

    Nearness is the inverse of the distance, and so the ground's grows in a straight line from the
    horizon to the lower edge. A thing is as near as the ground at its foot, and things are told
    apart by the columns between them.

    Args:
        painted: (h, w), where there are things.
    """
    height, _ = painted.shape
    row = (np.arange(1, height + 1, dtype=np.float32) / height - HORIZON) / (1 - HORIZON)
    ground = row.clip(0, 1)
    near = np.repeat(ground[:, None], painted.shape[1], axis=1)
    edges = np.flatnonzero(np.diff(painted.any(axis=0), prepend=False, append=False))
    for left, right in list(pairwise(edges.tolist()))[::2]:
        thing = painted[:, left:right]
        foot = int(np.flatnonzero(thing.any(axis=1))[-1])
        near[:, left:right][thing] = ground[foot]
    return near


def _needed(picture: Image.Image | None) -> Image.Image:
    if picture is None:
        raise InputError("there is no picture to make a map of: bring one")
    return picture


def _box(text: str) -> maps.Box:
    try:
        left, top, right, bottom = map(float, text.split(","))
    except ValueError as error:
        raise InputError(
            f"box {text.strip()!r}: write left,top,right,bottom from 0 to 1, such as "
            "0.1,0.4,0.5,0.9, with + between several"
        ) from error
    return left, top, right, bottom
