"""Drawing a scene from a seed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from mezzotint.errors import InputError, choose, unknown
from mezzotint.world.chance import Rng, draw, drawn, some
from mezzotint.world.compose import Item, compose
from mezzotint.world.layout import FREE, footing
from mezzotint.world.scene import (
    HOURLESS,
    OUTDOORS,
    PLACES,
    SEASONAL,
    STAGES,
    Hour,
    Place,
    Relation,
    Scene,
    Season,
    Size,
    Stage,
    Style,
    Weather,
)
from mezzotint.world.sprites import aspect
from mezzotint.world.things import CORE, HATS, KINDS
from mezzotint.world.withheld import withheld

Contents = Literal["one", "two", "many", "three", "none"]

CONTENTS: dict[Stage, dict[Contents, float]] = {
    "single": {"one": 1.0},
    "mixed": {"one": 0.38, "two": 0.30, "many": 0.20, "three": 0.05, "none": 0.07},
}
RELATIONS: dict[Relation, float] = {"beside": 0.5, "above": 0.16, "on": 0.18, "in front": 0.16}
SIZES: dict[Contents, dict[Size, float]] = {
    "one": {"large": 0.5, "medium": 0.28, "small": 0.22},
    "two": {"large": 0.45, "medium": 0.3, "small": 0.25},
    "many": {"large": 0.6, "medium": 0.25, "small": 0.15},
    "three": {"large": 0.6, "medium": 0.25, "small": 0.15},
}
MOSTLY_LARGE: dict[Size, float] = {"large": 0.7, "medium": 0.18, "small": 0.12}
LOWER: dict[Size, float] = {"large": 0.8, "medium": 0.2}
"""Of what stands behind or below, which bounds the other's size."""
HATTED: dict[Contents, float] = {"one": 0.18, "two": 0.06}
COLOURED = 0.5

STYLES: dict[Style, float] = {
    "storybook": 0.58,
    **dict.fromkeys(("flat", "ink", "oil", "watercolour", "neon", "pixel", "paper"), 0.06),
}
HOURS: dict[Hour, float] = {
    "day": 0.36,
    **dict.fromkeys(("dawn", "golden hour", "sunset", "night"), 0.16),
}
SEASONS: dict[Season, float] = {"summer": 0.4, "spring": 0.2, "autumn": 0.2, "winter": 0.2}

SLIM, BROAD = 0.4, 1.8  # what is told as in front is not much slimmer or broader than the other


def sample_scene(seed: int, stage: Stage = "mixed", names: tuple[str, ...] = CORE) -> Scene:
    """The scene of a seed, with objects and hats among ``names``: the same for ever.

    Stage ``single`` has one object, mostly large; ``mixed`` has one, two in a relation, several
    alike, three side by side, or a place alone. No scene has a withheld combination; the default
    style is never withheld, since nobody asks for it in words.

    Raises:
        InputError: the seed is negative, the stage or a name is unknown, or there are no names.
    """
    if stage not in STAGES:
        raise unknown("stage", stage, STAGES)
    if seed < 0:
        raise InputError(f"seed {seed} is negative: choose 0 or more")
    if not names:
        raise InputError("names is empty: give one object or more")
    for name in names:
        choose("object", name, KINDS)
    rng = np.random.Generator(np.random.PCG64((seed, STAGES.index(stage))))
    scene = None
    while scene is None:  # nearly always the first: only withheld combinations leave no choice
        scene = _attempt(rng, stage, names)
    return scene


def _attempt(rng: Rng, stage: Stage, names: Sequence[str]) -> Scene | None:
    """A scene, or None where what was drawn leaves no choice for the rest."""
    contents = draw(rng, CONTENTS[stage])
    relation: Relation | None = None
    if contents == "two":
        relation = draw(rng, RELATIONS)
    elif contents == "three":
        relation = "beside"
    items = _items(rng, contents, stage, relation, names)
    if items is None:
        return None
    shown = [name for item in items for name in (item.name, item.hat) if name is not None]
    place = drawn(rng, PLACES, lambda place: can_have(place, shown, relation))
    style = some(rng, STYLES, lambda style: _in_style(style, shown))
    if place is None or style is None:
        return None
    season = draw(rng, SEASONS) if place in SEASONAL else "summer"
    return compose(
        int(rng.integers(1 << 62)),
        items,
        relation=relation,
        place=place,
        season=season,
        hour="day" if place in HOURLESS else draw(rng, HOURS),
        weather=draw(rng, weathers(place, season)),
        style=style,
    )


def _items(
    rng: Rng, contents: Contents, stage: Stage, relation: Relation | None, names: Sequence[str]
) -> list[Item] | None:
    if contents == "none":
        return []
    hats = [hat for hat in HATS if hat in names] if stage == "mixed" else []
    hatted = bool(hats) and rng.random() < HATTED.get(contents, 0.0)
    chosen = _names(rng, contents, relation, names, hatted=hatted)
    if chosen is None:
        return None
    odds = [MOSTLY_LARGE if stage == "single" else SIZES[contents]] * 3
    if relation in ("on", "in front"):
        odds = [SIZES["many"], LOWER]
    items = [
        coloured(rng, Item(name, size=draw(rng, size)))
        for name, size in zip(chosen, odds, strict=False)
    ]
    if contents == "many":
        return _several(rng, items[0])
    if hatted:
        hat = drawn(rng, hats, lambda hat: joins(hat, chosen))
        items[0] = replace(items[0], hat=hat)
    return items


def _names(
    rng: Rng,
    contents: Contents,
    relation: Relation | None,
    names: Sequence[str],
    *,
    hatted: bool,
) -> list[str] | None:
    """Names of objects that can be in the relation, with no withheld pair among them."""
    fits = _fitting(rng, relation, hatted=hatted)
    chosen: list[str] = []
    for _ in range({"two": 2, "three": 3}.get(contents, 1)):
        name = drawn(rng, names, lambda name: joins(name, chosen) and fits(name, chosen))
        if name is None:
            return None
        chosen.append(name)
    return chosen


def joins(name: str, others: Sequence[str]) -> bool:
    """Whether an object or hat can come to others: it is another, and no withheld pair."""
    return all(name != other and not withheld("pair", name, other) for other in others)


def _fitting(
    rng: Rng, relation: Relation | None, *, hatted: bool
) -> Callable[[str, Sequence[str]], bool]:
    """Whether an object can come next in a relation: the first, or the second to the first."""
    flying = rng.random() < 0.7

    def fits(name: str, before: Sequence[str]) -> bool:
        kind = KINDS[name]
        if hatted and not before and kind.head is None:
            return False
        if relation == "above":
            return bool(before) or not flying or kind.habitat == "air"
        if relation == "on":
            return kind.top is not None if before else kind.habitat == "ground"
        if relation == "in front":
            even = not before or SLIM < aspect(before[0]) / aspect(name) < BROAD
            return even and kind.habitat != "air"
        return True

    return fits


def _several(rng: Rng, item: Item) -> list[Item] | None:
    """Two to four alike, as often each."""
    if not KINDS[item.name].countable:
        return None
    count = drawn(rng, (2, 3, 4), lambda n: not withheld("count", item.name, str(n)))
    return None if count is None else [replace(item, count=count)]


def coloured(rng: Rng, item: Item) -> Item:
    """The same in half of the cases; else in a colour that it can have, if it can have any."""
    if rng.random() >= COLOURED:
        return item
    colours = KINDS[item.name].colours
    colour = drawn(rng, colours, lambda colour: not withheld("colour", item.name, colour))
    return replace(item, colour=colour)


def can_have(place: Place, shown: Sequence[str], relation: Relation | None) -> bool:
    """Whether a place can have these objects, and hats, in this relation."""
    if any(withheld("place", name, place) for name in shown):
        return False
    if not shown:
        return place != "plain"
    if relation == "above":
        return place in FREE or footing(shown[0], place) == "floats"
    if relation == "in front":
        return footing(shown[0], place) == footing(shown[-1], place) != "afloat"
    return True


def _in_style(style: Style, shown: Sequence[str]) -> bool:
    return style == "storybook" or not any(withheld("style", name, style) for name in shown)


def weathers(place: Place, season: Season) -> dict[Weather, float]:
    """The weathers of a place and their odds: snow falls in winter, rain in the other seasons."""
    if place not in OUTDOORS:
        return {"clear": 1.0}
    cold = place == "snow" or season == "winter"
    return {"clear": 0.76, "snowfall" if cold else "rain": 0.14, "fog": 0.1}
