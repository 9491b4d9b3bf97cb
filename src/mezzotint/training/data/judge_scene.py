"""Scenes that teach the judge.

Contents are drawn here and not by the world's own sampler, for the judge has to know every
combination, and those above all that are kept back from generators.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from mezzotint.world.compose import Item, compose
from mezzotint.world.scene import (
    HOURLESS,
    HOURS,
    MOST,
    OUTDOORS,
    PLACES,
    SEASONAL,
    SEASONS,
    SIZES,
    STYLES,
    WEATHERS,
    Relation,
    Scene,
)
from mezzotint.world.things import CORE, HATS, KINDS

T = TypeVar("T")
Rng = np.random.Generator

NAMES = (*CORE, *(hat for hat in HATS if hat not in CORE))
"""The names that the judge of the embedded model knows."""

RELATIONS: dict[Relation | None, float] = {
    **{None: 0.5, "beside": 0.25},
    **{"above": 0.09, "on": 0.08, "in front": 0.08},
}
FEWEST = 3  # names that make scenes of three
EMPTY, THREE, MANY = 0.05, 0.3, 0.5
HATTED, COLOURED, DEFAULT_STYLE = 0.3, 0.7, 0.4


def judge_scene(seed: int, names: Sequence[str]) -> Scene:
    """A scene of any contents: every place, style and combination of these names is as likely.

    There are three or more names.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    relation, bases = _relation(rng), [name for name in names if KINDS[name].top]
    if relation == "on" and not bases:
        relation = "beside"
    place = _pick(rng, PLACES)
    return compose(
        seed,
        _items(rng, relation, names, bases),
        relation=relation,
        place=place,
        season=_pick(rng, SEASONS) if place in SEASONAL else "summer",
        hour="day" if place in HOURLESS else _pick(rng, HOURS),
        weather=_pick(rng, WEATHERS) if place in OUTDOORS else "clear",
        style=STYLES[0] if rng.random() < DEFAULT_STYLE else _pick(rng, STYLES[1:]),
    )


def _relation(rng: Rng) -> Relation | None:
    relations: list[Relation | None] = list(RELATIONS)
    edges = np.cumsum(list(RELATIONS.values()))
    return relations[min(int(np.searchsorted(edges, rng.random(), "right")), len(edges) - 1)]


def _items(
    rng: Rng, relation: Relation | None, names: Sequence[str], bases: Sequence[str]
) -> list[Item]:
    if relation is None:
        if rng.random() < EMPTY:
            return []
        item = _item(rng, _pick(rng, names), names)
        many = KINDS[item.name].countable and rng.random() < MANY
        return [replace(item, count=int(rng.integers(2, MOST + 1)) if many else 1)]
    count = 3 if relation == "beside" and rng.random() < THREE else 2
    chosen: list[int] = rng.choice(len(names), count, replace=False).tolist()
    items = [_item(rng, names[k], names) for k in chosen]
    if relation == "on":
        items[1] = replace(_item(rng, _pick(rng, bases), names), hat=None)
    return items


def _item(rng: Rng, name: str, names: Sequence[str]) -> Item:
    kind, hats = KINDS[name], [hat for hat in HATS if hat in names]
    return Item(
        name,
        size=_pick(rng, SIZES),
        colour=_pick(rng, kind.colours) if kind.colours and rng.random() < COLOURED else None,
        hat=_pick(rng, hats) if kind.head and hats and rng.random() < HATTED else None,
    )


def _pick(rng: Rng, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]
