"""A seed is a scene, and the scenes cover the world but for what is kept back."""

import itertools
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.world import CORE, KINDS, Item, Scene, compose, sample_scene
from mezzotint.world.layout import footing
from mezzotint.world.scene import HOURLESS, OUTDOORS, PLACES, SEASONAL, SEASONS, STAGES, STYLES
from mezzotint.world.things import HATS
from mezzotint.world.withheld import withheld

pytestmark = pytest.mark.usefixtures("tarball")

SEEDS = st.integers(0, 2**63)
FEW = ("fox", "car", "house", "apple", "crown")


def combinations(scene: Scene) -> Iterator[tuple[str, ...]]:
    """Every combination of the scene that might be kept back."""
    names = [thing.name for thing in scene.things]
    names += [thing.hat for thing in scene.things if thing.hat is not None]
    yield from (("pair", *pair) for pair in itertools.combinations(names, 2))
    for name in names:
        yield "place", name, scene.place
        if scene.style != "storybook":
            yield "style", name, scene.style
    for thing in scene.things:
        if thing.colour is not None:
            yield "colour", thing.name, thing.colour
        if thing.count > 1:
            yield "count", thing.name, str(thing.count)


def kept_back(scene: Scene) -> bool:
    return any(withheld(family, *words) for family, *words in combinations(scene))  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def many() -> list[Scene]:
    return [sample_scene(seed) for seed in range(2400)]


@given(SEEDS, st.sampled_from(STAGES), st.sampled_from([CORE, tuple(KINDS), FEW]))
def test_a_scene_is_consistent(seed: int, stage, names: tuple[str, ...]):
    scene = sample_scene(seed, stage, names)
    assert scene == sample_scene(seed, stage, names)
    assert not kept_back(scene)
    assert (scene.background is not None) == (scene.place == "plain")
    assert scene.hour == "day" or scene.place not in HOURLESS
    assert scene.season == "summer" or scene.place in SEASONAL
    assert scene.weather == "clear" or scene.place in OUTDOORS
    cold = scene.place == "snow" or scene.season == "winter"
    assert scene.weather != ("rain" if cold else "snowfall")
    told = [thing.name for thing in scene.things]
    told += [thing.hat for thing in scene.things if thing.hat is not None]
    assert len(told) == len(set(told))
    assert set(told) <= set(names)


def test_what_is_kept_back_would_be_seen():
    pairs = itertools.combinations(CORE, 2)
    pair = next(pair for pair in pairs if withheld("pair", *pair))
    assert kept_back(compose(0, [Item(pair[0]), Item(pair[1])], place="room"))
    counted = next((n, c) for n in CORE for c in (2, 3, 4) if withheld("count", n, str(c)))
    assert kept_back(compose(0, [Item(counted[0], count=counted[1])], place="room"))
    for family, options in (("place", PLACES), ("style", STYLES[1:])):
        name, value = next((n, v) for n in CORE for v in options if withheld(family, n, v))
        assert kept_back(compose(0, [Item(name)], **{family: value}))


@given(SEEDS)
def test_stage_single_is_one_object(seed: int):
    scene = sample_scene(seed, "single")
    (thing,) = scene.things
    assert (thing.count, thing.hat, scene.relation) == (1, None, None)


def test_stage_single_is_mostly_large():
    sizes = Counter(sample_scene(seed, "single").things[0].size for seed in range(300))
    assert 0.6 < sizes["large"] / 300 < 0.8
    assert sizes["small"] > 12 < sizes["medium"]


def test_every_object_meets_every_place_that_it_may():
    scenes = (sample_scene(seed, names=FEW) for seed in range(1500))
    met = {(name, scene.place) for scene in scenes for name in (t.name for t in scene.things)}
    may = {pair for pair in itertools.product(FEW, PLACES) if not withheld("place", *pair)}
    assert met == may
    assert len(may) < len(FEW) * len(PLACES)


def share(many: list[Scene], holds) -> float:
    return sum(map(bool, map(holds, many))) / len(many)


def test_contents_come_in_their_shares(many: list[Scene]):
    shares = Counter(
        (len(scene.things), sum(thing.count for thing in scene.things)) for scene in many
    )
    found = {key: shares[key] / len(many) for key in shares}
    assert found[1, 1] == pytest.approx(0.38, abs=0.04)
    assert found[2, 2] == pytest.approx(0.3, abs=0.04)
    assert found[3, 3] == pytest.approx(0.05, abs=0.02)
    assert found[0, 0] == pytest.approx(0.07, abs=0.02)
    assert all(0.04 < found[1, count] < 0.09 for count in (2, 3, 4))
    assert set(found) == {(0, 0), (1, 1), (1, 2), (1, 3), (1, 4), (2, 2), (3, 3)}


def test_relations_and_hats_come_often_enough(many: list[Scene]):
    relations = Counter(scene.relation for scene in many if len(scene.things) == 2)
    pairs = relations.total()
    assert relations["beside"] / pairs == pytest.approx(0.5, abs=0.06)
    assert all(relations[kind] / pairs > 0.1 for kind in ("above", "on", "in front"))
    worn = Counter(thing.hat for scene in many for thing in scene.things if thing.hat)
    assert set(worn) == set(HATS) & set(CORE)
    assert worn.total() / len(many) > 0.05
    coloured = Counter(
        thing.colour is not None
        for scene in many
        for thing in scene.things
        if KINDS[thing.name].colours
    )
    assert coloured[True] / coloured.total() == pytest.approx(0.5, abs=0.05)


def test_settings_come_in_their_shares(many: list[Scene]):
    assert share(many, lambda s: s.style == "storybook") == pytest.approx(0.58, abs=0.04)
    for style in STYLES[1:]:
        assert share(many, lambda s, style=style: s.style == style) == pytest.approx(
            0.06, abs=0.025
        )
    lit = [scene for scene in many if scene.place not in HOURLESS]
    assert share(lit, lambda s: s.hour == "day") == pytest.approx(0.36, abs=0.04)
    seasonal = [scene for scene in many if scene.place in SEASONAL]
    for season in SEASONS:
        expected = 0.4 if season == "summer" else 0.2
        assert share(seasonal, lambda s, k=season: s.season == k) == pytest.approx(
            expected, abs=0.05
        )
    outside = [scene for scene in many if scene.place in OUTDOORS]
    assert share(outside, lambda s: s.weather == "clear") == pytest.approx(0.76, abs=0.04)


def test_relations_are_such_as_the_kinds_allow(many: list[Scene]):
    for scene in many:
        if scene.relation == "on":
            assert KINDS[scene.things[1].name].top is not None
            assert KINDS[scene.things[0].name].habitat == "ground"
        elif scene.relation == "above" and scene.place not in ("plain", "sky", "space"):
            assert footing(scene.things[0].name, scene.place) == "floats"


def test_one_name_is_enough():
    scenes = [sample_scene(seed, names=("fox",)) for seed in range(60)]
    assert {thing.name for scene in scenes for thing in scene.things} == {"fox"}
    assert {len(scene.things) for scene in scenes} == {0, 1}


def test_bad_input_is_named():
    with pytest.raises(InputError, match="seed -1 is negative"):
        sample_scene(-1)
    with pytest.raises(InputError, match="unknown stage 'singel': did you mean 'single'"):
        sample_scene(0, "singel")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="unknown object 'foxx': did you mean 'fox'"):
        sample_scene(0, names=("foxx",))
    with pytest.raises(InputError, match="names is empty"):
        sample_scene(0, names=())
