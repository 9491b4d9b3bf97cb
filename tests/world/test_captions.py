"""What a caption says is what the scene holds: every word of it is read back."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.world import (
    KINDS,
    Density,
    Item,
    Scene,
    caption,
    compose,
    phrases,
    sample_scene,
)
from mezzotint.world.captions import MOST_WORDS
from mezzotint.world.nouns import LEFT, RIGHT
from mezzotint.world.scene import COLOURS, DENSITIES, SIZES, STAGES
from mezzotint.world.things import HATS, plural

pytestmark = pytest.mark.usefixtures("tarball")

SEEDS = st.integers(0, 2**62)
SCENES = st.builds(sample_scene, SEEDS, st.sampled_from(STAGES))
WIDE = st.builds(sample_scene, SEEDS, names=st.just(tuple(KINDS)))
DENSITY = st.sampled_from(DENSITIES)

FACTS = ("place", "season", "hour", "weather", "style")
TABLES: dict[str, tuple[dict[Any, phrases.Phrases], ...]] = {
    "place": (phrases.PLACE_PHRASES, phrases.SCENERY, phrases.PLACE_TAGS),
    "season": (phrases.SEASON_PHRASES, phrases.SEASON_TAGS, phrases.SEASON_ADJECTIVES),
    "hour": (phrases.HOUR_PHRASES, phrases.HOUR_TAGS, phrases.HOUR_ADJECTIVES),
    "weather": (phrases.WEATHER_PHRASES, phrases.WEATHER_TAGS, phrases.WEATHER_ADJECTIVES),
    "style": (phrases.STYLE_NOUNS, phrases.STYLE_TAGS, phrases.STYLE_ADJECTIVES),
}
RELATIONS = {
    **{"left of": ("beside", 0), "on the left of": ("beside", 0)},
    **{"right of": ("beside", 1), "on the right of": ("beside", 1)},
    **{"above": ("above", 0), "over": ("above", 0), "below": ("above", 1)},
    **{"under": ("above", 1), "beneath": ("above", 1)},
    **{"on top of": ("on", 0), "on top": ("on", 1)},
    **{"in front of": ("in front", 0), "behind": ("in front", 1)},
    **{"next to": ("beside", 0), "beside": ("beside", 0)},
}
"""Which relation a phrase tells, and whether the second thing is named first."""

GLUE = frozenset(
    re.findall(
        r"\w+",
        "a an the of and with in on to is are some few left right middle between standing sitting "
        "floating hovering wearing its head picture photo image at by near high among against",
    )
)


@dataclass(frozen=True)
class Said:
    """What a caption says, in the order in which it is said."""

    claims: tuple[tuple[str, Any], ...]
    strange: tuple[str, ...]

    def of(self, what: str) -> list[Any]:
        return [value for kind, value in self.claims if kind == what]


@cache
def lexicon() -> dict[str, tuple[str, Any]]:
    """Every phrase with what it claims; adjectives are read apart from the place they belong to."""
    said: dict[str, tuple[str, Any]] = {}
    for fact, tables in TABLES.items():
        for value, words in ((v, w) for table in tables for v, ws in table.items() for w in ws):
            for phrase in _parts(words):
                said.setdefault(phrase, (fact, value))
    said |= {f"plain {colour} background": ("background", colour) for colour in COLOURS}
    said |= {f"{colour} background": ("background", colour) for colour in COLOURS}
    for kind in KINDS.values():
        for name in (kind.name, *kind.synonyms):
            said[name] = said[plural(name)] = "name", kind.name
    said |= {word: ("size", s) for s in SIZES for word in phrases.SIZE_WORDS[s]}
    said |= {w: ("colour", c) for c in COLOURS for w in phrases.COLOUR_WORDS.get(c, (c,))}
    said["orange"] = "either", "orange"
    said |= {word: ("count", n) for n, words in phrases.NUMBERS.items() for word in words}
    said |= {phrase: ("relation", told) for phrase, told in RELATIONS.items()}
    said |= {side: ("side", side) for side in phrases.SIDES}
    idle = (*phrases.QUALITY, *phrases.LOVELY, *phrases.SERENE)
    said |= {word: ("idle", word) for word in idle}
    return said


def _parts(words: str) -> list[str]:
    """A phrase, or what stays of one when its slot takes adjectives."""
    if "{}" in words:
        return []
    after = words.rpartition("_ ")[2]
    phrase = re.sub(r"^(a|the) ", "", " ".join(words.replace("_", "").split()))
    return [phrase, re.sub(r"\ba (?=[aeo])", "an ", phrase), after]


@cache
def pattern() -> re.Pattern[str]:
    by_length = sorted(lexicon(), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, by_length))})(?![\w-]|'\w)")


def read(text: str) -> Said:
    claims: list[tuple[str, Any]] = []
    rest, at = "", 0
    while found := pattern().search(text, at):
        claims.append(lexicon()[found[0]])
        rest, at = rest + text[at : found.start()], found.end()
    rest += text[at:]
    return Said(tuple(claims), tuple(w for w in re.findall(r"[\w'-]+", rest) if w not in GLUE))


def agrees(said: Said, scene: Scene) -> bool:
    """Whether nothing that is said contradicts the scene."""
    told = [name for thing in scene.things for name in (thing.name, thing.hat) if name]
    truths = {
        **{fact: {getattr(scene, fact)} for fact in FACTS},
        "background": {scene.background},
        "name": set(told),
        "size": {thing.size for thing in scene.things},
        "colour": {thing.colour for thing in scene.things},
        "count": {thing.count for thing in scene.things},
        "either": {*told, *(thing.colour for thing in scene.things)},
    }
    if any(value not in truths[what] for what, value in said.claims if what in truths):
        return False
    return _relation_agrees(said, scene) and _side_agrees(said, scene)


def _relation_agrees(said: Said, scene: Scene) -> bool:
    told = said.of("relation")
    if not told:
        return True
    ((relation, second_first),) = told
    if relation != scene.relation:
        return False
    return _first_named(said, scene) in (None, scene.things[second_first].name)


def _first_named(said: Said, scene: Scene) -> str | None:
    """Which of the things is named first; None where that is not plain."""
    things = [thing.name for thing in scene.things]
    if said.of("either") and "orange" in things:
        return None
    return next(name for name in said.of("name") if name in things)


def _side_agrees(said: Said, scene: Scene) -> bool:
    sides, xs = said.of("side"), [thing.spots[0].x for thing in scene.things]
    if len(xs) == 1 and sides:
        (side,) = sides
        return phrases.SIDES.index(side) == sum(xs[0] > edge for edge in (LEFT, RIGHT))
    return True


@given(SCENES | WIDE, SEEDS, DENSITY)
def test_a_caption_says_nothing_that_the_scene_contradicts(
    scene: Scene, seed: int, density: Density
):
    said = read(caption(scene, seed, density))
    assert said.strange == ()
    assert agrees(said, scene)


@given(SCENES, SEEDS, DENSITY)
def test_a_caption_of_another_scene_is_seen_to_contradict(
    scene: Scene, seed: int, density: Density
):
    said = read(caption(scene, seed, density))
    swapped = {
        "style": "neon" if scene.style != "neon" else "oil",
        "hour": "night" if scene.hour != "night" else "dawn",
        "place": "space" if scene.place != "space" else "farm",
    }
    for fact, value in swapped.items():
        assert agrees(said, replace(scene, **{fact: value})) == (not said.of(fact))  # pyright: ignore[reportArgumentType]
    if scene.things:
        assert not agrees(said, replace(scene, things=()))
    if len(scene.things) == 2 and said.of("relation"):
        assert not agrees(said, replace(scene, things=scene.things[::-1]))


@given(SCENES | WIDE, SEEDS, DENSITY)
def test_only_side_by_side_goes_without_saying_and_from_left_to_right(
    scene: Scene, seed: int, density: Density
):
    text = caption(scene, seed, density)
    said = read(text)
    if len(scene.things) != 2 or said.of("relation"):
        return
    if scene.relation == "on":  # which is told by that word alone at times, as places are
        assert " on " in text
        return
    assert scene.relation == "beside"
    assert _first_named(said, scene) in (None, scene.things[0].name)


def test_two_things_are_often_just_named():
    scene = compose(1, [Item("cat"), Item("house")], place="meadow")
    captions = [caption(scene, seed, "short") for seed in range(200)]
    assert 80 < sum(not read(text).of("relation") for text in captions) < 160


@given(SCENES | WIDE, SEEDS, DENSITY)
def test_every_caption_is_short_lower_case_and_repeatable(
    scene: Scene, seed: int, density: Density
):
    text = caption(scene, seed, density)
    assert text == caption(scene, seed, density) == text.lower().strip()
    assert 0 < len(text.split()) <= MOST_WORDS
    assert not re.search(r"  |[{}_]|none|,,| ,|\ba [aeio](?!we)|\ban [^aeiouh8]", text)


@given(SCENES, SEEDS)
def test_a_dense_caption_says_everything(scene: Scene, seed: int):
    said = read(caption(scene, seed))
    counted = Counter(thing.count for thing in scene.things if thing.count > 1)
    assert Counter(said.of("name")) == Counter(
        name for thing in scene.things for name in (thing.name, thing.hat) if name
    )
    colours = [*said.of("colour"), *said.of("either")]  # no orange is in the core
    assert Counter(colours) == Counter(t.colour for t in scene.things if t.colour)
    assert Counter(said.of("count")) == counted
    for fact, default in (("style", "storybook"), ("hour", "day"), ("season", "summer")):
        assert said.of(fact) or getattr(scene, fact) == default
    assert said.of("weather") or scene.weather == "clear"
    assert said.of("place") == [scene.place] or said.of("background") == [scene.background]


@given(SCENES, SEEDS)
def test_a_bare_caption_has_the_objects_and_at_most_one_fact_more(scene: Scene, seed: int):
    said = read(caption(scene, seed, "bare"))
    assert {thing.name for thing in scene.things} <= set(said.of("name"))
    facts = [fact for fact, _ in said.claims if fact in (*FACTS, "background")]
    assert len(facts) <= (1 if scene.things else 2)
    assert said.of("style") or scene.style == "storybook"


def test_what_is_unsaid_is_mostly_the_default():
    scenes = [sample_scene(seed) for seed in range(800)]
    for density in ("short", "bare", "tags"):
        told = [(scene, read(caption(scene, 0, density))) for scene in scenes]
        for fact, default, least in (("style", "storybook", 0.9), ("weather", "clear", 0.75)):
            unsaid = [getattr(scene, fact) == default for scene, said in told if not said.of(fact)]
            assert sum(unsaid) / len(unsaid) > least
        nothing = [s for s, said in told if s.things and not any(map(said.of, FACTS))]
        plain = [s for s in nothing if (s.style, s.hour) == ("storybook", "day")]
        assert len(plain) / len(nothing) > 0.85


def test_densities_differ_in_length_and_captions_vary():
    scenes = [sample_scene(seed) for seed in range(200)]
    words = {d: sum(len(caption(s, 1, d).split()) for s in scenes) for d in DENSITIES}
    assert words["tags"] < words["bare"] < words["short"] < words["dense"]
    assert len({caption(scenes[0], seed, "short") for seed in range(50)}) > 20


SAYABLE = [
    ("a neon cat in space", [Item("cat")], {"place": "space", "style": "neon"}),
    (
        "a serene mountain lake at golden hour, photorealistic",
        [],
        {"place": "lake", "hour": "golden hour"},
    ),
    (
        "a serene mountain landscape at sunset, oil painting style",
        [],
        {"place": "mountains", "hour": "sunset", "style": "oil"},
    ),
    ("a beautiful house", [Item("house")], {}),
    ("a fox in the snow at night", [Item("fox")], {"place": "snow", "hour": "night"}),
    ("three red apples", [Item("apple", colour="red", count=3)], {}),
    ("a robot wearing a top hat", [Item("robot", hat="hat")], {}),
    ("a cat on top of a house", [Item("cat"), Item("house")], {"relation": "on"}),
    ("at night in a forest, a fox", [Item("fox")], {"place": "forest", "hour": "night"}),
]


@pytest.mark.parametrize(("text", "items", "setting"), SAYABLE, ids=[text for text, *_ in SAYABLE])
def test_what_the_curriculum_says_is_said_of_such_scenes(text: str, items: list[Item], setting):
    """Word for word, by some seed, or in as many of its words as can be."""
    scene = compose(0, items, **setting)
    said = read(text)
    assert said.strange == ()
    assert agrees(said, scene)
    wanted = [claim for claim in said.claims if claim[0] != "idle"]
    densities: tuple[Density, ...] = ("short", "bare")
    captions = (caption(scene, seed, d) for seed in range(600) for d in densities)
    without_idle = re.compile("|".join((*phrases.QUALITY, *phrases.LOVELY, *phrases.SERENE)))
    plain = _squeezed(without_idle.sub("", text))
    assert any(_squeezed(without_idle.sub("", c)) == plain for c in captions), wanted


def _squeezed(text: str) -> str:
    return re.sub(r"\ban ", "a ", " ".join(text.split())).strip(" ,")


def test_a_hat_is_said_with_its_wearer():
    scene = compose(3, [Item("fox", hat="crown")])
    for seed in range(30):
        for density in DENSITIES:
            assert re.search(
                r"fox (wearing|in|with) (an? )?(crown|tiara)", caption(scene, seed, density)
            )


@pytest.mark.parametrize(
    ("name", "start"),
    [("umbrella", "an "), ("unicorn", "a "), ("ufo", "a "), ("octopus", "an "), ("owl", "an ")],
)
def test_articles(name: str, start: str):
    text = caption(compose(0, [Item(name)]), 0, "bare")
    assert f"{start}{name}" in text or name not in text


def test_words_that_mean_nothing_name_nothing():
    names = {name for kind in KINDS.values() for name in (kind.name, *kind.synonyms)}
    assert names.isdisjoint((*phrases.QUALITY, *phrases.LOVELY, *phrases.SERENE))
    assert set(HATS) <= set(KINDS)
    assert set(get_args(Density)) == set(DENSITIES)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="unknown density 'desne': did you mean 'dense'"):
        caption(sample_scene(0), 0, "desne")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="seed -3 is negative"):
        caption(sample_scene(0), -3)
