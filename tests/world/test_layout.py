"""Drawings are where they belong, whatever is asked for; each property can be seen to fail."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.world import CORE, KINDS, Item, Scene, Spot, Thing, compose
from mezzotint.world.layout import (
    APART,
    COVERED,
    FREE,
    GROUND,
    GROUNDS,
    HEIGHTS,
    OVERHANG,
    WATERLINE,
    Box,
    box,
    figure,
    footing,
    hat_spot,
    least,
    size_of,
)
from mezzotint.world.scene import PLACES, SIZES
from mezzotint.world.sprites import aspect
from mezzotint.world.things import HATS

pytestmark = pytest.mark.usefixtures("tarball")

ROUNDED = 2e-4  # spots have four decimals
SEEDS = st.integers(0, 2**62)
PLACE = st.sampled_from(PLACES)
NAMES = st.sampled_from(CORE)
BASES = st.sampled_from([name for name in CORE if KINDS[name].top])
HEADS = st.sampled_from([name for name in CORE if KINDS[name].head])
COUNTABLE = st.sampled_from([name for name in CORE if KINDS[name].countable])


@st.composite
def single(draw: st.DrawFn, names: st.SearchStrategy[str] = NAMES, *, hats: bool = True) -> Item:
    """Any one thing, with a hat if it has a head."""
    name = draw(names)
    hat = draw(st.none() | st.sampled_from(HATS)) if hats and KINDS[name].head else None
    return Item(name, draw(st.sampled_from(SIZES)), hat=hat)


@st.composite
def several(draw: st.DrawFn) -> Item:
    """Two to four alike."""
    return replace(draw(single(COUNTABLE)), count=draw(st.integers(2, 4)))


ROWS = st.lists(single(), min_size=2, max_size=3)
MANY = several().map(lambda item: [item])
PAIRS = st.tuples(single(), single())
STACKS = st.tuples(single(), single(BASES, hats=False))
ANY = st.one_of(
    st.builds(compose, SEEDS, st.tuples(single()) | MANY | ROWS, place=PLACE),
    st.builds(compose, SEEDS, PAIRS, place=PLACE, relation=st.sampled_from(["above", "in front"])),
    st.builds(compose, SEEDS, STACKS, place=PLACE, relation=st.just("on")),
)


def whole(thing: Thing, spot: Spot) -> Box:
    """The box of a drawing and its hat."""
    boxes = [box(thing.name, spot)]
    if thing.hat is not None:
        boxes.append(box(thing.hat, hat_spot(thing, spot)))
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def boxes_of(scene: Scene) -> list[Box]:
    return [whole(thing, spot) for thing in scene.things for spot in thing.spots]


def touch(a: Box, b: Box) -> bool:
    return all(max(a[k], b[k]) < min(a[k + 2], b[k + 2]) + ROUNDED for k in (0, 1))


def area(a: Box) -> float:
    return max(0.0, a[2] - a[0]) * max(0.0, a[3] - a[1])


def covered(front: Box, back: Box) -> float:
    """How much of the box at the back the other covers."""
    shared = (*map(max, front[:2], back[:2]), *map(min, front[2:], back[2:]))
    return area(shared) / area(back)


def moved(scene: Scene, dx: float, dy: float) -> Scene:
    """The scene with its first drawing elsewhere."""
    first, *rest = scene.things
    spot, *others = first.spots
    spots = (Spot(spot.x + dx, spot.y + dy, spot.height), *others)
    return replace(scene, things=(replace(first, spots=spots), *rest))


def inside(scene: Scene) -> bool:
    return all(0 < a[0] < a[2] < 1 and 0 < a[1] < a[3] < 1 for a in boxes_of(scene))


def clear(scene: Scene) -> bool:
    return not any(touch(a, b) for a, b in itertools.combinations(boxes_of(scene), 2))


def named_by_size(scene: Scene, count: int) -> bool:
    """Whether every drawing is as high as its size says."""
    for thing in scene.things:
        shape = figure(thing.name, thing.size, thing.hat)
        low, high = 0.97 * least(shape, count, thing.size), HEIGHTS[count][thing.size][1]
        if not all(low <= spot.height <= high + ROUNDED for spot in thing.spots):
            return False
    return True


@given(ANY)
def test_everything_is_inside_the_picture_with_its_hat(scene: Scene):
    assert inside(scene)
    assert not inside(moved(scene, 1, 0))
    assert not inside(moved(scene, 0, -0.95))


@given(st.builds(compose, SEEDS, st.tuples(single()) | MANY | ROWS, place=PLACE))
def test_things_apart_touch_nothing_and_have_their_sizes(scene: Scene):
    count = sum(thing.count for thing in scene.things)
    assert clear(scene)
    assert named_by_size(scene, count)
    if count > 1:
        a, b, *_ = [spot for thing in scene.things for spot in thing.spots]
        assert not clear(moved(scene, b.x - a.x, b.y - a.y))


@given(st.builds(compose, SEEDS, ROWS, place=PLACE))
def test_things_beside_one_another_are_told_from_left_to_right(scene: Scene):
    xs = [thing.spots[0].x for thing in scene.things]
    assert all(right - left >= APART for left, right in itertools.pairwise(xs))
    told: Sequence[Box] = boxes_of(scene)
    assert all(left[2] < right[0] for left, right in itertools.pairwise(told))


@given(st.builds(compose, SEEDS, MANY, place=PLACE))
def test_alike_ones_are_told_from_left_to_right_and_the_lower_are_no_smaller(scene: Scene):
    (thing,) = scene.things
    assert list(thing.spots) == sorted(thing.spots, key=lambda spot: spot.x)
    if scene.place not in FREE and footing(thing.name, scene.place) == "stands":
        by_depth = sorted(thing.spots, key=lambda spot: spot.y)
        heights = [spot.height for spot in by_depth]
        assert all(far <= near + ROUNDED for far, near in itertools.pairwise(heights))


@given(st.builds(compose, SEEDS, PAIRS, place=PLACE, relation=st.just("above")))
def test_the_first_is_above_the_second_with_a_gap(scene: Scene):
    upper, lower = boxes_of(scene)
    assert 0.03 <= lower[1] - upper[3] <= 0.11
    assert abs(scene.things[0].spots[0].x - scene.things[1].spots[0].x) <= 0.08


@given(st.builds(compose, SEEDS, STACKS, place=PLACE, relation=st.just("on")))
def test_the_first_stands_on_the_second_s_top(scene: Scene):
    upper, lower = (box(thing.name, thing.spots[0]) for thing in scene.things)
    top = KINDS[scene.things[1].name].top
    assert top is not None
    wide, high = lower[2] - lower[0], lower[3] - lower[1]
    assert upper[3] == pytest.approx(lower[1] + top[1] * high, abs=2 * ROUNDED)
    assert scene.things[0].spots[0].x == pytest.approx(lower[0] + top[0] * wide, abs=2 * ROUNDED)
    assert upper[2] - upper[0] <= OVERHANG * top[2] * wide + 2 * ROUNDED
    for thing in scene.things:  # each is called by the largest size that its height reaches
        shape, height = figure(thing.name, thing.size, thing.hat), thing.spots[0].height
        larger = SIZES[SIZES.index(thing.size) + 1 :]
        assert thing.size == "small" or height >= 0.97 * least(shape, 2, thing.size)
        assert all(height < least(shape, 2, size) for size in larger)


@given(st.builds(compose, SEEDS, PAIRS, place=PLACE, relation=st.just("in front")))
def test_the_first_is_nearer_and_covers_some_of_the_second(scene: Scene):
    front, back = (box(thing.name, thing.spots[0]) for thing in scene.things)
    assert front[3] > back[3]
    ratio = aspect(scene.things[0].name) / aspect(scene.things[1].name)
    if 0.4 < ratio < 1.8:
        least_share, most = COVERED
        assert least_share <= covered(front, back) <= most
        assert area(front) < area(back)
    aside = boxes_of(moved(scene, 0.9, 0))
    assert covered(aside[0], aside[1]) == 0


@given(st.builds(compose, SEEDS, st.tuples(single()), place=PLACE))
def test_things_stand_float_and_swim_where_they_belong(scene: Scene):
    (thing,) = scene.things
    (spot,), place = thing.spots, scene.place
    how = footing(thing.name, place)
    if how == "afloat":
        assert spot.y - spot.height < WATERLINE[place] < spot.y <= WATERLINE[place] + 0.14
    elif how == "stands" and place not in FREE:
        back, front = GROUNDS.get(place, GROUND)
        assert back - ROUNDED <= spot.y <= front + ROUNDED
    elif place not in FREE:
        assert spot.y - spot.height / 2 < 0.66


@pytest.mark.parametrize(
    ("name", "place", "how"),
    [
        ("fox", "forest", "stands"),
        ("fox", "underwater", "stands"),
        ("fox", "space", "floats"),
        ("butterfly", "room", "floats"),
        ("whale", "underwater", "floats"),
        ("whale", "lake", "afloat"),
        ("whale", "desert", "stands"),
        ("sailboat", "lake", "afloat"),
        ("fox", "lake", "stands"),
        ("fox", "sea", "afloat"),
        ("sailboat", "sky", "floats"),
    ],
)
def test_footing(name: str, place, how: str):
    assert footing(name, place) == how


@given(NAMES, st.sampled_from(SIZES), st.integers(1, 4))
def test_a_height_is_called_what_it_was_drawn_for(name: str, size, count: int):
    shape = figure(name, size)
    assert size_of(shape, count, least(shape, count, size)) == size
    assert size_of(shape, count, 0.9 * least(shape, count, size)) != size or size == "small"


@given(HEADS, st.sampled_from(HATS))
def test_a_hat_sits_on_the_head(name: str, hat: str):
    head = KINDS[name].head
    assert head is not None
    spot = Spot(0.4, 0.9, 0.5)
    left, top, right, _ = box(name, spot)
    worn = box(hat, hat_spot(Thing(name, "large", None, hat, (spot,)), spot))
    assert (worn[0] + worn[2]) / 2 == pytest.approx(left + head[0] * (right - left))
    assert worn[3] == pytest.approx(top + head[1] * 0.5)
    assert worn[2] - worn[0] == pytest.approx(head[2] * (right - left))


def test_what_wears_no_hat_has_no_seat_for_one():
    spot = Spot(0.5, 0.9, 0.5)
    with pytest.raises(InputError, match="fox wears no hat"):
        hat_spot(Thing("fox", "large", None, None, (spot,)), spot)
    with pytest.raises(InputError, match="box wears no hat"):
        hat_spot(Thing("box", "large", None, "crown", (spot,)), spot)
