import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mezzotint.evals.relations import POSITIONS, holds
from mezzotint.world.compose import Item, compose
from mezzotint.world.layout import box, hat_spot
from mezzotint.world.scene import SIZES
from mezzotint.world.things import CORE, HATS, KINDS

BASES = [name for name in CORE if KINDS[name].top]
HEADS = [name for name in CORE if KINDS[name].head]
GROUND = [name for name in CORE if KINDS[name].habitat == "ground"]

seeds, sizes = st.integers(0, 10**6), st.sampled_from(SIZES)
CHECKS = settings(max_examples=80, deadline=None)


def boxes(seed, one, other, relation, place):
    first, second = compose(seed, (one, other), relation=relation, place=place).things
    return box(first.name, first.spots[0]), box(second.name, second.spots[0])


@given(
    seeds,
    st.sampled_from(CORE),
    st.sampled_from(CORE),
    sizes,
    sizes,
    st.sampled_from(["meadow", "sky"]),
)
@CHECKS
def test_what_is_told_from_left_to_right_is_so(seed, one, other, size, other_size, place):
    a, b = boxes(seed, Item(one, size), Item(other, other_size), "beside", place)
    assert holds("left of", a, b)
    assert holds("right of", b, a)
    for position in ("right of", "on top of", "in front of", "wearing"):
        assert not holds(position, a, b)


@given(seeds, st.sampled_from(CORE), st.sampled_from(CORE), sizes, sizes)
@CHECKS
def test_what_is_above_is_not_on_top(seed, one, other, size, other_size):
    a, b = boxes(seed, Item(one, size), Item(other, other_size), "above", "sky")
    assert holds("above", a, b)
    assert not holds("above", b, a)
    assert not holds("on top of", a, b)
    assert not holds("in front of", a, b)


@given(seeds, st.sampled_from(GROUND), st.sampled_from(BASES), sizes, sizes)
@CHECKS
def test_what_stands_on_another_is_on_top(seed, one, other, size, other_size):
    a, b = boxes(seed, Item(one, size), Item(other, other_size), "on", "meadow")
    assert holds("on top of", a, b)
    assert not holds("on top of", b, a)
    assert not holds("in front of", a, b)


@given(seeds, st.sampled_from(GROUND), st.sampled_from(GROUND), sizes, sizes)
@CHECKS
def test_what_covers_another_is_in_front(seed, one, other, size, other_size):
    a, b = boxes(seed, Item(one, size), Item(other, other_size), "in front", "meadow")
    assert holds("in front of", a, b)
    assert not holds("in front of", b, a)
    assert not holds("on top of", a, b)
    assert not holds("wearing", b, a)


@given(seeds, st.sampled_from(HEADS), st.sampled_from(HATS), sizes)
@CHECKS
def test_hats_are_worn(seed, name, hat, size):
    thing = compose(seed, (Item(name, size, hat=hat),)).things[0]
    spot = thing.spots[0]
    a, b = box(name, spot), box(hat, hat_spot(thing, spot))
    assert holds("wearing", a, b)
    away = a[2] + 0.1 - b[0]
    beside = (b[0] + away, b[1], b[2] + away, b[3])
    below = (b[0], b[1] + 0.6, b[2], b[3] + 0.6)
    assert not holds("wearing", a, beside)
    assert not holds("wearing", a, below)


@pytest.mark.parametrize("position", POSITIONS)
def test_nothing_is_anything_to_itself(position):
    assert not holds(position, (0.3, 0.3, 0.6, 0.6), (0.3, 0.3, 0.6, 0.6))


def test_centres_a_little_apart_are_not_side_by_side():
    assert not holds("left of", (0.2, 0.3, 0.6, 0.6), (0.25, 0.3, 0.65, 0.6))
    assert holds("left of", (0.2, 0.3, 0.6, 0.6), (0.3, 0.3, 0.7, 0.6))
