"""A scene holds what was asked for."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.world import CORE, KINDS, Item, compose
from mezzotint.world.compose import CLEAR
from mezzotint.world.places import BACKGROUNDS
from mezzotint.world.scene import COLOURS, HOURS, OUTDOORS, SEASONAL, SEASONS, STYLES, WEATHERS
from mezzotint.world.sprites import main_colour

pytestmark = pytest.mark.usefixtures("tarball")

SEEDS = st.integers(0, 2**62)
CAR, HOUSE, FOX = Item("car", colour="red"), Item("house"), Item("fox", size="small", hat="crown")
COW = Item("cow", hat="crown")


@given(SEEDS, st.sampled_from(HOURS), st.sampled_from(WEATHERS), st.sampled_from(STYLES), st.data())
def test_what_is_asked_is_there_and_the_same_for_ever(seed: int, hour, weather, style, data):
    place = data.draw(st.sampled_from([p for p in SEASONAL if p in OUTDOORS]))
    season = data.draw(st.sampled_from(SEASONS))
    setting = {
        **{"place": place, "season": season, "hour": hour, "weather": weather},
        "style": style,
    }
    scene = compose(seed, [FOX, CAR], **setting)
    assert scene == compose(seed, [FOX, CAR], **setting) != compose(seed + 1, [FOX, CAR], **setting)
    assert {what: getattr(scene, what) for what in setting} == setting
    assert (scene.relation, scene.background) == ("beside", None)
    fox, car = scene.things
    assert (fox.name, fox.size, fox.colour, fox.hat, fox.count) == (
        "fox",
        "small",
        None,
        "crown",
        1,
    )
    assert (car.name, car.size, car.colour, car.hat) == ("car", "large", "red", None)


@given(SEEDS, st.integers(1, 4))
def test_as_many_as_are_asked(seed: int, count: int):
    (thing,) = compose(seed, [Item("fox", count=count)]).things
    assert thing.count == count == len(set(thing.spots))


def test_a_place_can_be_alone():
    assert compose(0, [], place="lake", hour="golden hour").things == ()


@given(SEEDS, st.sampled_from(CORE))
def test_a_plain_background_sets_its_things_off(seed: int, name: str):
    colours = KINDS[name].colours
    colour = colours[seed % len(colours)] if colours else None
    scene = compose(seed, [Item(name, colour=colour)], place="plain")
    assert scene.background in COLOURS
    assert scene.background != colour
    main = main_colour(name, colour)
    apart = {c: float(np.abs(BACKGROUNDS[c].ravel() - main).sum()) for c in COLOURS}
    best = max(value for c, value in apart.items() if c != colour)
    assert apart[scene.background] >= min(CLEAR, best)


def test_a_background_can_be_asked_for():
    assert compose(0, [CAR], place="plain", background="red").background == "red"


@pytest.mark.parametrize(
    ("items", "setting", "said"),
    [
        ([Item("foxx")], {}, "unknown object 'foxx': did you mean 'fox'"),
        ([Item("fox", size="huge")], {}, "unknown size 'huge'"),  # pyright: ignore[reportArgumentType]
        ([Item("fox", count=5)], {}, "count 5 of fox is not between 1 and 4"),
        ([Item("cherries", count=2)], {}, "cherries cannot be counted: choose count 1"),
        ([Item("fox", colour="blue")], {}, "fox cannot be blue: it can have its own"),
        ([Item("dog", colour="blue")], {}, "dog cannot be blue: it can have black, white"),
        ([Item("fox", hat="crwn")], {}, "unknown hat 'crwn': did you mean 'crown'"),
        ([Item("box", hat="crown")], {}, "box has no head for a hat"),
        ([FOX, CAR, HOUSE, FOX], {}, "4 drawings of 4 things are too many"),
        ([Item("fox", count=3), Item("car", count=2)], {}, "5 drawings of 2 things are too many"),
        ([FOX], {"relation": "beside"}, "relation 'beside' needs two or three"),
        ([FOX], {"relation": "on"}, "relation 'on' is of two things, one of each"),
        ([CAR, COW], {"relation": "on"}, "cow wears a hat where car is to stand"),
        ([CAR, Item("fire")], {"relation": "on"}, "nothing can stand on fire"),
        ([FOX, CAR], {"relation": "behind"}, "unknown relation 'behind'"),
        ([FOX], {"place": "forrest"}, "unknown place 'forrest': did you mean 'forest'"),
        ([FOX], {"background": "red"}, "background red is of plain places: meadow has its own"),
        ([FOX], {"place": "plain", "background": "grey"}, "unknown background 'grey'"),
        ([FOX], {"place": "city", "season": "winter"}, "city has no winter: choose from forest"),
        ([FOX], {"place": "space", "hour": "night"}, "space has no night: its hour is 'day'"),
        ([FOX], {"place": "room", "weather": "rain"}, "room has no rain: its weather is 'clear'"),
        ([FOX], {"style": "oils"}, "unknown style 'oils': did you mean 'oil'"),
    ],
)
def test_bad_input_is_named(items: list[Item], setting: Mapping[str, str], said: str):
    with pytest.raises(InputError, match=said) as raised:
        compose(0, items, **setting)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(raised.value)


def test_a_negative_seed_is_refused():
    with pytest.raises(InputError, match="seed -1 is negative"):
        compose(-1, [FOX])
