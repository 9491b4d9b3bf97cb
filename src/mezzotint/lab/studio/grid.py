"""A grid of drawings: one setting changed along each side, and all of it kept as one picture."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from PIL import Image

from mezzotint.errors import InputError, unknown
from mezzotint.foreign import parsed
from mezzotint.lab.live import Event
from mezzotint.lab.studio.asking import Studio, requested, steered, stream
from mezzotint.lab.studio.draw import Previews, again, kept, told, told_seed
from mezzotint.lab.studio.models import chosen
from mezzotint.lab.studio.settings import BY_NAME, LONGEST, SETTINGS, read
from mezzotint.lab.studio.sheet import sheet
from mezzotint.pipeline.metadata import attach, parse
from mezzotint.pipeline.pipeline import Pipeline

MOST_VALUES, MOST_CELLS = 50, 100
WORDS, VARIANT = "words", "variant"  # axes that are no number or choice among the settings
ALONG = (
    *(each.name for each in SETTINGS if each.kind != "text" and each.name != "batch"),
    *(WORDS, VARIANT),
)

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Axis:
    """A side of a grid.

    Attributes:
        name: in ``ALONG``, or empty where nothing changes along this side.
        values: as they were written.
    """

    name: str
    values: tuple[str, ...]

    @property
    def labels(self) -> list[str]:
        """What stands beside the pictures."""
        label = BY_NAME[self.name].label if self.name in BY_NAME else ""
        return [f"{label} {value}".strip() for value in self.values]

    def applied(self, settings: Settings, value: str) -> dict[str, Any]:
        """Settings with one of the values.

        Raises:
            InputError: it is none of this setting's, or the prompt has not the words.
        """
        if not self.name:
            return dict(settings)
        if self.name != WORDS:
            return {**settings, self.name: read(self.name, value)}
        prompt, first = str(settings.get("prompt", "")), self.values[0]
        if first not in prompt:
            raise InputError(f"{first[:40]!r} is not in the prompt: give words of it first")
        return {**settings, "prompt": prompt.replace(first, value)}


def axis(name: str, values: str) -> Axis:
    """Read a side of a grid.

    Args:
        name: of what changes; nothing does if it is empty.
        values: a list in JSON.

    Raises:
        InputError: there is no such setting, or it has no or too many values.
    """
    if not name:
        return Axis("", ("",))
    if name not in ALONG:
        raise unknown("setting of a grid", name[:40], ALONG)
    try:
        given: object = parsed(values)
    except ValueError:
        given = None
    listed = cast("list[object]", given) if isinstance(given, list) else []
    written = tuple(str(each) for each in listed)
    if not 1 <= len(written) <= MOST_VALUES or any(len(each) > LONGEST for each in written):
        raise InputError(f"values of {name}: give 1 to {MOST_VALUES}, in a list such as [1, 2, 3]")
    if any(not each.strip() for each in (written[:1] if name == WORDS else written)):
        raise InputError(f"values of {name}: one is empty")
    return Axis(name, written)


@dataclass(frozen=True)
class Plan:
    """A grid: what is drawn in each place, by (column, row), and its sides."""

    settings: Settings
    across: Axis
    down: Axis
    cells: Mapping[tuple[int, int], dict[str, Any]]


def planned(settings: Settings, across: Axis, down: Axis) -> Plan:
    """A grid, row after row.

    Raises:
        InputError: it is too large, or a value is none of its setting's.
    """
    count = len(across.values) * len(down.values)
    if count > MOST_CELLS:
        raise InputError(f"a grid of {count} pictures: give values for at most {MOST_CELLS}")
    if across.name and across.name == down.name:
        raise InputError(f"{across.name} is along both sides: choose another for one")
    single = {name: value for name, value in settings.items() if name != "batch"}
    cells = {
        (x, y): down.applied(across.applied(single, one), other)
        for y, other in enumerate(down.values)
        for x, one in enumerate(across.values)
    }
    return Plan(single, across, down, cells)


def drawing(pipe: Pipeline, studio: Studio, plan: Plan) -> Iterator[Event]:
    """Events "begun", "step", "cell" with a preview and then with its id, and "done".

    All cells are of one seed, unless seeds are along a side. They are found by their ids, and in
    the gallery among the favourites if somebody marks them; the sheet is found like any picture.

    Args:
        pipe: the model at hand.
        studio: where pictures come from, and are kept.
        plan: the grid.

    Raises:
        InputError: some of it cannot be drawn; before any is.
    """
    models = {place: chosen(pipe, each.get(VARIANT, "")) for place, each in plan.cells.items()}
    seed = requested(pipe, {**plan.settings, "seed": plan.settings.get("seed")}).seed
    asked = {place: {"seed": seed, **_seeded(each)} for place, each in plan.cells.items()}
    for place, each in asked.items():
        requested(models[place], each)
    columns, rows = plan.across.labels, plan.down.labels
    yield Event("begun", {"seed": told_seed(seed), "columns": columns, "rows": rows})
    brought, notes = studio.brought(plan.settings), list[str]()
    adapters = steered(pipe, plan.settings, brought)
    images: dict[tuple[int, int], Image.Image] = {}
    for number, ((x, y), settings) in enumerate(asked.items()):
        previews, output = Previews(), None
        for step in stream(models[x, y], settings, brought, adapters, notes):
            last = step.index == step.total - 1
            output = step.output() if last else None
            if not last and previews.renewed(step):
                yield Event("cell", {"x": x, "y": y, "preview": previews.shown[0]})
            else:
                place = {"x": x, "y": y, "cell": number, "cells": len(asked)}
                yield Event("step", {**place, "index": step.index, "total": step.total})
        for entry in kept(studio, settings, brought, output, "cell"):
            yield Event("cell", {"x": x, "y": y, "id": entry.id})
        if output is not None:
            images[x, y] = output.images[0]
    whole = sheet(images, columns, rows)
    yield Event("step", {"cell": len(asked), "cells": len(asked)})
    recipe = str(images[0, 0].info["parameters"])
    attach(parse(recipe), whole, _sides(plan))
    settings = {**again(asked[0, 0], brought, recipe), **_written(plan)}
    entry = studio.gallery.keep(whole, "sheet", settings, dict(brought.values()))
    yield Event("done", {**told(entry), "notes": notes})


def _seeded(settings: Settings) -> dict[str, Any]:
    """Settings without a seed that is random, which would be another in each cell."""
    return {n: v for n, v in settings.items() if n != "seed" or v not in (None, -1)}


def _sides(plan: Plan) -> dict[str, object]:
    """Fields of the metadata, as A1111 names them."""
    told: dict[str, object] = {"Script": "X/Y/Z plot"}
    for letter, side in (("X", plan.across), ("Y", plan.down)):
        if side.name:
            label = BY_NAME[side.name].label if side.name in BY_NAME else side.name.capitalize()
            told |= {f"{letter} Type": label, f"{letter} Values": ", ".join(side.values)}
    return told


def _written(plan: Plan) -> dict[str, Any]:
    """The sides as they were asked for."""
    told: dict[str, Any] = {}
    for letter, side in (("x", plan.across), ("y", plan.down)):
        if side.name:
            told |= {letter: side.name, f"{letter}s": json.dumps(side.values)}
    return told
