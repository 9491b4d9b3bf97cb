"""A scene of given contents: what somebody asks for, laid out by a seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mezzotint.errors import InputError, choose, unknown
from mezzotint.world.arrange import arrange
from mezzotint.world.layout import Figure, figure, size_of
from mezzotint.world.places import BACKGROUNDS
from mezzotint.world.scene import (
    COLOURS,
    HOURLESS,
    HOURS,
    MOST,
    OUTDOORS,
    PLACES,
    RELATIONS,
    SEASONAL,
    SEASONS,
    SIZES,
    STYLES,
    WEATHERS,
    Colour,
    Hour,
    Place,
    Relation,
    Scene,
    Season,
    Size,
    Spot,
    Style,
    Thing,
    Weather,
)
from mezzotint.world.sprites import main_colour
from mezzotint.world.things import HATS, KINDS

Rng = np.random.Generator

OF_COMPOSE = 2  # the stages are 0 and 1: seeds of one are not those of another
CLEAR = 0.55  # the least contrast with a plain background, of 3


@dataclass(frozen=True)
class Item:
    """One thing to put into a scene, or ``count`` of it alike."""

    name: str
    size: Size = "large"
    colour: Colour | None = None
    hat: str | None = None
    count: int = 1


def compose(
    seed: int,
    items: Sequence[Item],
    *,
    relation: Relation | None = None,
    place: Place = "meadow",
    background: Colour | None = None,
    season: Season = "summer",
    hour: Hour = "day",
    weather: Weather = "clear",
    style: Style = "storybook",
) -> Scene:
    """A scene of none to three things: the same for ever for the same arguments.

    Several things are ``beside`` one another, from left to right, if no relation is given. A plain
    place without ``background`` gets a colour that its things stand out from. In the relations
    ``above``, ``on`` and ``in front`` a thing's size is what comes of the layout.

    Raises:
        InputError: a name is unknown, an object cannot have the colour or hat, a place has no
            such season, hour, weather or background, or the relation is not of these things.
    """
    if seed < 0:
        raise InputError(f"seed {seed} is negative: choose 0 or more")
    for item in items:
        _check_item(item)
    _check_setting(place, background, season, hour, weather, style)
    if relation is None and len(items) > 1:
        relation = "beside"
    _check_relation(items, relation)
    rng = np.random.Generator(np.random.PCG64((seed, OF_COMPOSE)))
    things = _laid_out(rng, items, relation, place)
    if place == "plain" and background is None:
        background = contrasting(rng, things)
    variant = int(rng.integers(1 << 31))
    return Scene(things, relation, place, background, season, hour, weather, style, variant)


def _laid_out(
    rng: Rng, items: Sequence[Item], relation: Relation | None, place: Place
) -> tuple[Thing, ...]:
    each = [figure(item.name, item.size, item.hat) for item in items]
    figures = [f for f, item in zip(each, items, strict=True) for _ in range(item.count)]
    if not figures:
        return ()
    spots = iter(arrange(rng, figures, relation, place, alike=len(items) == 1))
    things: list[Thing] = []
    for f, item in zip(each, items, strict=True):
        own = tuple(next(spots) for _ in range(item.count))
        things.append(Thing(item.name, _size(f, relation, own), item.colour, item.hat, own))
    return tuple(things)


def _size(figure: Figure, relation: Relation | None, spots: Sequence[Spot]) -> Size:
    # these relations bound a thing's size by the other's
    bound = relation in ("above", "on", "in front")
    return size_of(figure, 2, spots[0].height) if bound else figure.size


def contrast(things: Sequence[Thing], background: Colour) -> float:
    """How far from a plain background's colour the things are, of 3; 0 where one has it."""
    if any(thing.colour == background for thing in things):
        return 0.0
    ground = BACKGROUNDS[background].ravel()
    mains = [main_colour(thing.name, thing.colour) for thing in things]
    return min((float(np.abs(ground - main).sum()) for main in mains), default=3.0)


def contrasting(rng: Rng, things: Sequence[Thing]) -> Colour:
    """A plain background's colour, from which every thing stands out."""
    by = {colour: contrast(things, colour) for colour in COLOURS}
    clear: list[Colour] = [colour for colour in COLOURS if by[colour] > CLEAR]
    choices: list[Colour] = clear or [max(COLOURS, key=by.__getitem__)]
    return choices[int(rng.integers(len(choices)))]


def _check_item(item: Item) -> None:
    kind = choose("object", item.name, KINDS)
    if item.size not in SIZES:
        raise unknown("size", item.size, SIZES)
    if not 1 <= item.count <= MOST:
        raise InputError(f"count {item.count} of {item.name} is not between 1 and {MOST}")
    if item.count > 1 and not kind.countable:
        raise InputError(f"{item.name} cannot be counted: choose count 1")
    if item.colour is not None and item.colour not in kind.colours:
        have = ", ".join(kind.colours) or "its own colours only"
        raise InputError(f"{item.name} cannot be {item.colour}: it can have {have}")
    if item.hat is not None and item.hat not in HATS:
        raise unknown("hat", item.hat, HATS)
    if item.hat is not None and kind.head is None:
        raise InputError(f"{item.name} has no head for a hat: choose hat None")


def _check_relation(items: Sequence[Item], relation: Relation | None) -> None:
    if relation is not None and relation not in RELATIONS:
        raise unknown("relation", relation, RELATIONS)
    count = sum(item.count for item in items)
    if len(items) > 3 or count > MOST:
        raise InputError(f"{count} drawings of {len(items)} things are too many: 4 of 3 at most")
    if relation == "beside" and len(items) < 2:
        raise InputError("relation 'beside' needs two or three things")
    if relation in (None, "beside"):
        return
    if len(items) != 2 or count != 2:
        raise InputError(f"relation {relation!r} is of two things, one of each")
    if relation == "on" and KINDS[items[1].name].top is None:
        raise InputError(f"nothing can stand on {items[1].name}: choose another second thing")
    if relation == "on" and items[1].hat is not None:
        raise InputError(f"{items[1].name} wears a hat where {items[0].name} is to stand")


def _check_setting(
    place: Place,
    background: Colour | None,
    season: Season,
    hour: Hour,
    weather: Weather,
    style: Style,
) -> None:
    tables = {
        "place": (place, PLACES),
        "season": (season, SEASONS),
        "hour": (hour, HOURS),
        "weather": (weather, WEATHERS),
        "style": (style, STYLES),
    }
    for what, (value, options) in tables.items():
        if value not in options:
            raise unknown(what, value, options)
    if background is not None and background not in COLOURS:
        raise unknown("background", background, COLOURS)
    if background is not None and place != "plain":
        raise InputError(f"background {background} is of plain places: {place} has its own")
    if season != "summer" and place not in SEASONAL:
        raise InputError(f"{place} has no {season}: choose from {', '.join(SEASONAL)}")
    if hour != "day" and place in HOURLESS:
        raise InputError(f"{place} has no {hour}: its hour is 'day'")
    if weather != "clear" and place not in OUTDOORS:
        raise InputError(f"{place} has no {weather}: its weather is 'clear'")
