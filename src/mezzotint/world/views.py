"""Scenes that share something with a scene: its things, its style, or one character."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice

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
)
from mezzotint.world.compose import Item, compose
from mezzotint.world.sample import HOURS, SEASONS, can_have, sample_scene, weathers
from mezzotint.world.scene import (
    HOURLESS,
    PLACES,
    SEASONAL,
    SIZES,
    Hour,
    Place,
    Relation,
    Scene,
    Season,
    Size,
    Style,
    Thing,
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
    hour = draw(rng, {hour: odds for hour, odds in HOURS.items() if hour != scene.hour})
    season = draw(rng, {season: odds for season, odds in SEASONS.items() if season != scene.season})
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
        if apart and later and other.place != scene.place and not kept_back(other):
            return other


def character_scenes(name: str, count: int, seed: int) -> list[Scene]:
    """A kind alone in ``count`` scenes of different places, hours and sizes, as in a storybook.

    A place comes again only when all have been seen, and none is withheld from the kind.

    Raises:
        InputError: the seed is negative, the name unknown, or ``count`` less than 1.
    """
    choose("object", name, KINDS)
    if count < 1:
        raise InputError(f"count {count} of scenes is not 1 or more")
    rng = chance(seed, OF_CHARACTER)
    places = [place for place in PLACES if can_have(place, [name], None)]
    orders = (shuffled(rng, options) for options in (places, tuple(HOURS), tuple(SEASONS)))
    every = zip(*map(cycle, orders), cycle(PORTRAITS), strict=False)
    return [
        _composed(rng, [Item(name, size)], None, place, hour, season, "storybook")
        for place, hour, season, size in islice(every, count)
    ]


def _item(rng: Rng, thing: Thing, *, alone: bool) -> Item:
    sizes = [size for size in SIZES if not alone or size != thing.size]
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
) -> Scene:
    """A scene at this hour and season, if the place knows them, in a weather of theirs."""
    season = season if place in SEASONAL else "summer"
    return compose(
        int(rng.integers(1 << 62)),
        items,
        relation=relation,
        place=place,
        season=season,
        hour="day" if place in HOURLESS else hour,
        weather=draw(rng, weathers(place, season)),
        style=style,
    )
