"""A second view has the same things elsewhere; another picture in a style has only its style."""

import re
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.world import (
    CHARACTERS,
    CORE,
    KINDS,
    Scene,
    boxes,
    character_scenes,
    in_style_of,
    sample_scene,
    second_view,
    setting_caption,
    style_caption,
    things_caption,
)
from mezzotint.world.phrases import HOUR_PHRASES, HOUR_TAGS, PLACE_PHRASES, PLACE_TAGS, SCENERY
from mezzotint.world.scene import HOURLESS, HOURS, PLACES, SEASONAL, STYLES
from mezzotint.world.things import plural
from mezzotint.world.withheld import kept_back

pytestmark = pytest.mark.usefixtures("tarball")

SEEDS = st.integers(0, 2**63)


def contents(scene: Scene) -> list[tuple[object, ...]]:
    return [(thing.name, thing.colour, thing.hat, thing.count) for thing in scene.things]


@given(SEEDS, SEEDS)
@settings(max_examples=120)
def test_a_second_view_has_the_same_things_elsewhere(seed: int, other: int):
    scene = sample_scene(seed)
    view = second_view(scene, other)
    assert view == second_view(scene, other)
    assert contents(view) == contents(scene)
    assert (view.relation, view.style) == (scene.relation, scene.style)
    assert not kept_back(view)
    if scene.relation != "above":  # which few places can have
        assert view.place != scene.place
    if scene.things:
        assert boxes(view) != boxes(scene)
    if len(scene.things) == 1:
        assert view.things[0].size != scene.things[0].size
    assert view.hour != scene.hour or view.place in HOURLESS
    assert view.season != scene.season or view.place not in SEASONAL


@given(SEEDS, SEEDS)
@settings(max_examples=80)
def test_another_picture_in_a_style_shares_nothing_else(seed: int, other: int):
    scene = sample_scene(seed)
    view = in_style_of(scene, other)
    assert view == in_style_of(scene, other)
    assert view.style == scene.style
    assert view.place != scene.place
    assert view.things
    assert not {thing.name for thing in view.things} & {thing.name for thing in scene.things}
    assert view.hour != scene.hour or {view.place, scene.place} & set(HOURLESS)
    assert not kept_back(view)


def test_characters_are_none_that_a_model_has_seen():
    assert len(set(CHARACTERS)) == 12
    assert set(CHARACTERS) <= set(KINDS) - set(CORE)


@pytest.mark.parametrize("name", CHARACTERS)
def test_a_character_is_alone_in_different_places(name: str):
    scenes = character_scenes(name, 4, 7)
    assert scenes == character_scenes(name, 4, 7)
    assert scenes != character_scenes(name, 4, 8)
    assert len({scene.place for scene in scenes}) == 4
    assert len({scene.things[0].size for scene in scenes}) == 3
    assert len({scene.hour for scene in scenes if scene.place not in HOURLESS}) >= 2
    for scene in scenes:
        assert contents(scene) == [(name, None, None, 1)]
        assert not kept_back(scene)
        ((_, (left, top, right, bottom)),) = boxes(scene)
        assert min(left, top, 1 - right, 1 - bottom) >= 0


def test_more_scenes_than_places_come_again_in_other_ways():
    scenes = character_scenes("dodo", 40, 0)
    assert len(set(scenes)) == 40


def has(text: str, words: tuple[str, ...]) -> bool:
    return any(re.search(rf"\b{re.escape(word)}\b", text) for word in words)


@given(SEEDS, SEEDS)
@settings(max_examples=300)
def test_a_setting_is_told_and_no_thing(seed: int, wording: int):
    scene = sample_scene(seed % 200)
    text = setting_caption(scene, wording)
    assert text == setting_caption(scene, wording)
    assert text
    assert text == text.lower()
    assert not re.search(r"[{}_]|  |\ba [aio]", text)
    mine = {*PLACE_PHRASES[scene.place], *SCENERY[scene.place], *PLACE_TAGS[scene.place]}
    known = " ".join(mine)
    for thing in scene.things:
        words = [thing.name, *KINDS[thing.name].synonyms]
        named = tuple(word for word in (*words, *map(plural, words)) if not has(known, (word,)))
        assert not has(text, named), text
    for hour in HOURS:
        words = tuple(w for w in HOUR_PHRASES[hour] + HOUR_TAGS[hour] if w not in ("golden light",))
        assert hour == scene.hour or not has(text, words), text
    for place in set(PLACES) - {"snow", "sky"}:  # which weathers are told with too
        words = PLACE_TAGS[place]
        assert place == scene.place or has(known, words) or not has(text, words), text


@given(SEEDS)
@settings(max_examples=100)
def test_things_are_told_in_the_same_words_wherever_they_are(seed: int):
    scene = next(scene for k in count() if (scene := sample_scene(seed + k)).things)
    text = things_caption(scene)
    assert text == things_caption(second_view(scene, seed))
    assert text == things_caption(replace(scene, things=scene.things[::-1]))
    assert not re.search(r"[{}_]|  |\ba [aio]", text)
    for thing in scene.things:
        said = [thing.name, thing.colour, thing.hat]
        assert all(has(text, (word, plural(word))) for word in said if word)
    other = replace(scene.things[0], name="kite")
    assert things_caption(replace(scene, things=(other, *scene.things[1:]))) != text


def test_each_style_has_words_of_its_own():
    scene = sample_scene(0)
    told = {style: style_caption(replace(scene, style=style)) for style in STYLES}
    assert len(set(told.values())) == len(STYLES)
    assert told["oil"] == "oil painting"


def test_settings_are_mostly_told():
    texts = [setting_caption(sample_scene(seed), seed) for seed in range(100)]
    assert len(set(texts)) > 70
    assert texts.count("a picture") < 10


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: second_view(sample_scene(0), -1), "seed -1 is negative"),
        (lambda: in_style_of(sample_scene(0), -1), "seed -1 is negative"),
        (lambda: setting_caption(sample_scene(0), -1), "seed -1 is negative"),
        (lambda: character_scenes("dodo", 4, -1), "seed -1 is negative"),
        (lambda: character_scenes("dodo", 0, 1), "count 0"),
        (lambda: character_scenes("dodoo", 4, 1), "dodo"),
    ],
)
def test_bad_input_is_named(call, said: str):
    with pytest.raises(InputError, match=said):
        call()
