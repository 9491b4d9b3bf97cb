"""Scenes that share something with a scene: its things, its style, or one character."""

from collections.abc import Sequence
from dataclasses import replace

from mezzotint.errors import InputError, choose
from mezzotint.world.chance import (
    OF_CHARACTER,
    OF_STYLE,
    OF_VIEW,
    Rng,
    chance,
    draw,
    drawn,
    shuffled,
    some,
)
from mezzotint.world.compose import Item, compose
from mezzotint.world.layout import footing
from mezzotint.world.sample import HOURS as HOUR_ODDS
from mezzotint.world.sample import SEASONS as SEASON_ODDS
from mezzotint.world.sample import can_have, sample_scene, weathers
from mezzotint.world.scene import (
    HOURLESS,
    HOURS,
    PLACES,
    SEASONAL,
    SEASONS,
    SIZES,
    Hour,
    Place,
    Relation,
    Scene,
    Season,
    Size,
    Style,
    Thing,
    Weather,
)
from mezzotint.world.things import KINDS
from mezzotint.world.withheld import kept_back

CHARACTERS: tuple[str, ...] = (
    *("llama", "kangaroo", "raccoon", "squirrel", "parrot", "peacock", "dodo", "phoenix"),
    *("seal", "brontosaurus", "wizard", "nesting doll"),
)
"""Kinds outside the core, which a model trained on it has never seen: to personalise it with."""

PORTRAITS: tuple[Size, ...] = ("large", "medium", "large", "small")
"""How large a character is, from scene to scene."""


def second_view(scene: Scene, seed: int) -> Scene:
    """The same things elsewhere: at other spots, in another size, place, hour and season.

    Their kinds, colours, hats and numbers, their relation and the style are kept. A single thing
    has another size; the place is another wherever the things can be in another.

    Raises:
        InputError: the seed is negative.
    """
    rng = chance(seed, OF_VIEW, scene.variant)
    shown = [name for thing in scene.things for name in (thing.name, thing.hat) if name is not None]
    place = drawn(
        rng, PLACES, lambda place: place != scene.place and can_have(place, shown, scene.relation)
    )
    hour = some(rng, HOUR_ODDS, lambda hour: hour != scene.hour) or scene.hour
    season = some(rng, SEASON_ODDS, lambda season: season != scene.season) or scene.season
    items = [_item(rng, thing, alone=len(scene.things) == 1) for thing in scene.things]
    return _composed(rng, items, scene.relation, place or scene.place, hour, season, scene.style)


def in_style_of(scene: Scene, seed: int) -> Scene:
    """Other things in another place, at another hour, in the same style.

    Raises:
        InputError: the seed is negative.
    """
    rng = chance(seed, OF_STYLE, scene.variant)
    names = {thing.name for thing in scene.things}
    while True:
        other = replace(sample_scene(int(rng.integers(1 << 62))), style=scene.style)
        apart = names.isdisjoint(thing.name for thing in other.things)
        later = other.hour != scene.hour or other.place in HOURLESS or scene.place in HOURLESS
        if other.things and apart and later and other.place != scene.place and not kept_back(other):
            return other


def character_scenes(name: str, count: int, seed: int) -> list[Scene]:
    """A kind alone in ``count`` scenes of different places, hours and sizes, as in a storybook.

    All of it is seen, in clear weather. A place comes again only when all have been, and none is
    withheld from the kind.

    Raises:
        InputError: the seed is negative, the name unknown, or ``count`` less than 1.
    """
    choose("object", name, KINDS)
    if count < 1:
        raise InputError(f"count {count} of scenes is not 1 or more")
    rng = chance(seed, OF_CHARACTER)
    places: list[Place] = [
        place
        for place in shuffled(rng, PLACES)
        if can_have(place, [name], None) and footing(name, place) != "afloat"
    ]
    hours, seasons = shuffled(rng, HOURS), shuffled(rng, SEASONS)
    return [
        _composed(
            rng,
            [Item(name, PORTRAITS[k % len(PORTRAITS)])],
            None,
            places[k % len(places)],
            hours[k % len(hours)],
            seasons[k % len(seasons)],
            "storybook",
            "clear",
        )
        for k in range(count)
    ]


def _item(rng: Rng, thing: Thing, *, alone: bool) -> Item:
    sizes: list[Size] = [size for size in SIZES if not alone or size != thing.size]
    size = sizes[int(rng.integers(len(sizes)))]
    return Item(thing.name, size, thing.colour, thing.hat, thing.count)


def _composed(
    rng: Rng,
    items: Sequence[Item],
    relation: Relation | None,
    place: Place,
    hour: Hour,
    season: Season,
    style: Style,
    weather: Weather | None = None,
) -> Scene:
    """A scene at this hour and season, if the place knows them, in this weather or in any."""
    season = season if place in SEASONAL else "summer"
    return compose(
        int(rng.integers(1 << 62)),
        items,
        relation=relation,
        place=place,
        season=season,
        hour="day" if place in HOURLESS else hour,
        weather=weather or draw(rng, weathers(place, season)),
        style=style,
    )
