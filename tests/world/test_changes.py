"""A pair differs by one change, and what it doesn't change stays, to the pixel."""

import itertools
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.world import (
    CHANGES,
    KINDS,
    Change,
    Scene,
    caption,
    change_mask,
    render,
    sample_change,
    sample_scene,
)
from mezzotint.world.layout import Box, meet, reach
from mezzotint.world.scene import HOURLESS, OUTDOORS, SEASONAL
from mezzotint.world.withheld import kept_back, withheld

pytestmark = pytest.mark.usefixtures("tarball")

SEEDS = st.integers(0, 2**63)
LOCAL = ("colour", "hat", "add", "remove", "replace")
TOUCHED = {
    "place": {"place", "background"},
    "add": {"things", "relation"},
    "remove": {"things", "relation"},
    **{kind: {"things"} for kind in ("colour", "hat", "replace")},
}


def differing(one: object, other: object) -> set[str]:
    """The names of the fields in which two of a dataclass differ."""
    names = [field.name for field in fields(one)]  # pyright: ignore[reportArgumentType]
    return {name for name in names if getattr(one, name) != getattr(other, name)}


def sizeless(scene: Scene) -> set[object]:
    return {replace(thing, size="large") for thing in scene.things}


@given(SEEDS, st.sampled_from(CHANGES))
@settings(max_examples=150)
def test_two_scenes_differ_by_the_one_change(seed: int, kind):
    change = sample_change(seed, (kind,))
    assert change == sample_change(seed, (kind,))
    assert change.kind == kind
    before, after = change.before, change.after
    assert differing(before, after) - TOUCHED.get(kind, {kind}) == set()
    gone, come = sizeless(before) - sizeless(after), sizeless(after) - sizeless(before)
    expected = {"add": (0, 1), "remove": (1, 0)}.get(kind, (1, 1) if kind in LOCAL else (0, 0))
    assert (len(gone), len(come)) == expected
    if kind in ("colour", "hat"):
        assert differing(gone.pop(), come.pop()) == {kind}


@given(SEEDS, st.sampled_from(CHANGES))
@settings(max_examples=150)
def test_both_scenes_are_ones_that_a_seed_could_give(seed: int, kind):
    change = sample_change(seed, (kind,))
    for scene in (change.before, change.after):
        assert not kept_back(scene)
        assert (scene.background is not None) == (scene.place == "plain")
        assert scene.hour == "day" or scene.place not in HOURLESS
        assert scene.season == "summer" or scene.place in SEASONAL
        assert scene.weather == "clear" or scene.place in OUTDOORS
        cold = scene.place == "snow" or scene.season == "winter"
        assert scene.weather != ("rain" if cold else "snowfall")
        assert (scene.relation is None) == (len(scene.things) < 2)
        assert scene.place != "plain" or scene.things
        assert caption(scene, 0)


def test_what_is_kept_back_is_known_of_a_whole_scene():
    scenes = (replace(sample_scene(seed), place="meadow", style="ink") for seed in range(150))
    told = 0
    for scene in scenes:
        names = [name for thing in scene.things for name in (thing.name, thing.hat) if name]
        expected = any(withheld("place", n, "meadow") or withheld("style", n, "ink") for n in names)
        expected |= any(withheld("pair", *two) for two in itertools.combinations(names, 2))
        assert kept_back(scene) == expected
        told += expected
    assert 5 < told < 145


@given(SEEDS)
@settings(max_examples=60)
def test_what_replaces_a_thing_stands_where_it_stood(seed: int):
    change = sample_change(seed, ("replace",))
    was, now = change.was, change.now
    assert was is not None
    assert now is not None
    assert (was.size, was.colour, was.hat, was.count) == (now.size, now.colour, now.hat, now.count)
    for old, new in zip(was.spots, now.spots, strict=True):
        assert old.x == new.x
        assert old.y == pytest.approx(
            new.y, abs=0.08 if change.before.place in ("sea", "lake") else 0
        )
        assert 0.79 * old.height <= new.height <= old.height


@given(SEEDS)
@settings(max_examples=60)
def test_what_is_added_has_free_room(seed: int):
    change = sample_change(seed, ("add",))
    now, relation = change.now, change.after.relation
    assert now is not None
    assert relation != "in front"
    own = [reach(now, spot) for spot in now.spots]
    assert all(
        left >= 0 and top >= 0 and right <= 1 and foot <= 1 for left, top, right, foot in own
    )
    others = [reach(t, s) for t in change.after.things if t is not now for s in t.spots]
    if relation != "on":
        assert not any(meet(a, b) for a in own for b in others)
    if relation == "beside":
        xs = [thing.spots[0].x for thing in change.after.things]
        assert all(b - a > 0.249 for a, b in itertools.pairwise(xs))


def around(box: Box, size: int) -> tuple[slice, slice]:
    """The pixels of a box and of what shadow, halo and reflection it can have."""
    left, top, right, bottom = box
    more = 0.75 * max(right - left, bottom - top) + 0.06
    y0, y1, x0, x1 = (
        min(size, max(0, round(at * size)))
        for at in (top - more, bottom + more, left - more, right + more)
    )
    return slice(y0, y1), slice(x0, x1)


def strays(change: Change, size: int = 96) -> tuple[int, int]:
    """How many pixels differ away from the changed thing, and how many are away from it."""
    far = np.ones((size, size), np.bool_)
    for thing in (change.was, change.now):
        for spot in thing.spots if thing else ():
            far[around(reach(thing, spot), size)] = False
    return int(change_mask(change, size)[far].sum()), int(far.sum())


def test_a_change_of_one_thing_leaves_the_other_pixels_alone():
    total = 0
    for seed in range(50):
        change = sample_change(seed, LOCAL)
        stray, away = strays(change)
        assert stray == 0, change
        total += away
    assert total > 50 * 96 * 96 / 10, "nothing was compared"


def test_and_one_of_everything_does_not():
    change = sample_change(3, ("remove",))
    assert strays(replace(change, after=replace(change.after, variant=7)))[0] > 0


def test_the_mask_is_where_the_pictures_differ():
    change = sample_change(5, ("colour",))
    mask = change_mask(change, 64)
    before, after = render(change.before, 64), render(change.after, 64)
    assert 0 < mask.sum() < mask.size
    assert (before[~mask].astype(int) - after[~mask]).max(initial=0) <= 1
    assert (before[mask] != after[mask]).any(axis=-1).all()
    assert not change_mask(replace(change, after=change.before), 64).any()


def test_kinds_are_as_many_and_names_are_kept_to():
    few = ("fox", "cat", "car", "house", "apple", "crown", "cap", "tree")
    changes = [sample_change(seed, names=few) for seed in range(300)]
    counts = Counter(change.kind for change in changes)
    assert set(counts) == set(CHANGES)
    assert 12 <= min(counts.values()) <= max(counts.values()) <= 52
    for change in changes:
        for scene in (change.before, change.after):
            shown = {name for thing in scene.things for name in (thing.name, thing.hat) if name}
            assert shown <= set(few)


def test_hats_are_put_on_and_taken_off():
    changes = [sample_change(seed, ("hat",)) for seed in range(60)]
    hats = Counter((c.was.hat is None, c.now.hat is None) for c in changes if c.was and c.now)
    assert hats[True, False] > 15
    assert hats[False, True] > 8
    assert not hats[True, True]
    assert all(KINDS[change.was.name].head for change in changes if change.was)


@pytest.mark.parametrize(
    ("seed", "kinds", "names", "said"),
    [
        (-1, CHANGES, ("fox",), "seed -1 is negative"),
        (0, (), ("fox",), "kinds is empty"),
        (0, ("hour", "mood"), ("fox",), "change 'mood'"),
        (0, ("hour",), ("foxx",), "foxx"),
        (0, ("hat",), ("rock",), "no hat"),
    ],
)
def test_bad_input_is_named(seed: int, kinds, names, said: str):
    with pytest.raises(InputError, match=said) as caught:
        sample_change(seed, kinds, names)
    assert "\n" not in str(caught.value)
