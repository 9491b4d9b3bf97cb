"""Pictures that steer a drawing: maps for ControlNets to follow, and pictures as prompts."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mezzotint.adapters.base import Adapter
from mezzotint.adapters.controlnet import controlnet
from mezzotint.adapters.ip_adapter import ip_adapter
from mezzotint.errors import InputError, choose
from mezzotint.lab.adapters import controls, lacking, sights
from mezzotint.lab.maps import map_of
from mezzotint.pipeline.pipeline import Pipeline

NAME = "guides"  # the setting that they are written in, as JSON
MOST, MOST_SCALE, LONGEST = 8, 10, 1000

Share = Annotated[float, Field(ge=0, le=1)]


class Guide(BaseModel):
    """One of them.

    Attributes:
        by: whether a ControlNet or an IP-Adapter sees it.
        name: of that, as ``adapters.controls`` and ``adapters.sights`` have it.
        picture: the name that it is known by.
        boxes: instead of it for a ControlNet, left,top,right,bottom as shares, + between several.
        scale: how much it counts.
        start, end: shares of the sampling between which a ControlNet is in use.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["control", "sight"]
    name: str
    picture: str = ""
    boxes: Annotated[str, Field(max_length=LONGEST)] = ""
    scale: Annotated[float, Field(ge=-MOST_SCALE, le=MOST_SCALE)] = 1.0
    start: Share = 0.0
    end: Share = 1.0


_LIST = TypeAdapter(Annotated[tuple[Guide, ...], Field(max_length=MOST)])


def guides(settings: Mapping[str, Any]) -> tuple[Guide, ...]:
    """Those of a drawing.

    Raises:
        InputError: what is written is no list of them.
    """
    try:
        return _LIST.validate_json(str(settings.get(NAME) or "[]"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{NAME} {where}: {first['msg']}".replace(" :", ":")) from None


def written(found: Sequence[Guide]) -> str:
    """The setting of them."""
    return json.dumps([each.model_dump(exclude_defaults=True) for each in found])


def adapters(
    pipe: Pipeline,
    settings: Mapping[str, Any],
    pictures: Mapping[str, Image.Image],
    size: tuple[int, int],
) -> list[Adapter]:
    """What they attach to a model.

    Args:
        pipe: the model at hand.
        settings: of the drawing.
        pictures: by the names that guides know them by.
        size: width and height of what is drawn, for boxes.

    Raises:
        InputError: the model has no such ControlNet or IP-Adapter, or it cannot be read.
    """
    found = guides(settings)
    if found and (why := lacking(pipe)):
        raise InputError(why)
    return [_adapter(pipe, each, pictures.get(each.picture), size) for each in found]


def _adapter(
    pipe: Pipeline, guide: Guide, picture: Image.Image | None, size: tuple[int, int]
) -> Adapter:
    if guide.by == "sight":
        if picture is None:
            raise InputError(f"{guide.name} shows a picture: bring one")
        return ip_adapter(_chosen("IP-Adapter", guide, sights(pipe)), picture, guide.scale)
    file = _chosen("ControlNet", guide, controls(pipe))
    kind = "boxes" if guide.boxes else "edges" if guide.name == "edges" else "picture"
    followed = map_of(kind, size, picture, boxes=guide.boxes)
    return controlnet(file, followed, guide.scale, guide.start, guide.end)


def _chosen(kind: str, guide: Guide, there: Mapping[str, Any]) -> Any:
    if not there:
        raise InputError(f"{kind} {guide.name!r}: this model has none")
    return choose(kind, guide.name, there)
