"""A seed is a scene, and the scenes cover the world."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.world import KINDS, sample_scene
from mezzotint.world.scene import HOURLESS, OUTDOORS, PLACES, STAGES, STYLES
from mezzotint.world.sprites import aspect

pytestmark = pytest.mark.usefixtures("tarball")

SEEDS = st.integers(0, 2**63)


@given(SEEDS, st.sampled_from(STAGES))
def test_a_scene_is_consistent(seed: int, stage):
    scene = sample_scene(seed, stage)
    assert scene == sample_scene(seed, stage)
    assert (scene.background is not None) == (scene.place == "plain")
    assert scene.hour == "day" or scene.place not in HOURLESS
    assert scene.weather == "clear" or scene.place in OUTDOORS
    names = [thing.name for thing in scene.things]
    assert 1 <= len(names) == len(set(names)) <= 3
    for thing in scene.things:
        assert thing.colour is None or thing.colour in KINDS[thing.name].colours


@given(SEEDS)
def test_things_stand_apart_from_left_to_right_inside_the_picture(seed: int):
    things = sample_scene(seed).things
    spans = [
        (t.x - t.height * aspect(t.name) / 2, t.x + t.height * aspect(t.name) / 2) for t in things
    ]
    assert all(right <= left + 0.01 for (_, right), (left, _) in itertools.pairwise(spans))
    assert all(0 <= left < right <= 1 for left, right in spans)
    assert all(t.height - 0.01 <= t.y <= 1.01 for t in things)


@given(SEEDS)
def test_stage_single_is_one_large_object_near_the_middle(seed: int):
    (thing,) = sample_scene(seed, "single").things
    assert thing.size == "large"
    assert 1 / 3 <= thing.x <= 2 / 3
    assert thing.height <= 0.75


def test_every_object_meets_every_place():
    scenes = [sample_scene(seed) for seed in range(20_000)]
    met = {(thing.name, scene.place) for scene in scenes for thing in scene.things}
    assert met == set(itertools.product(KINDS, PLACES))
    counts = Counter(len(scene.things) for scene in scenes)
    assert [round(counts[k] / len(scenes), 1) for k in (1, 2, 3)] == [0.6, 0.3, 0.1]
    styles = Counter(scene.style for scene in scenes)
    assert 0.6 < styles["modern"] / len(scenes) < 0.7
    assert set(styles) == set(STYLES)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="seed -1 is negative"):
        sample_scene(-1)
    with pytest.raises(InputError, match="unknown stage 'singel': did you mean 'single'"):
        sample_scene(0, "singel")  # pyright: ignore[reportArgumentType]
