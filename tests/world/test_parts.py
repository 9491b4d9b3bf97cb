"""What each place of a scene shows, against where its drawings are."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.world import sample_scene
from mezzotint.world.boxes import boxes
from mezzotint.world.parts import parts

SIDE = 16


@settings(max_examples=60, deadline=None)
@example(seed=476, stage="single")
@given(seed=st.integers(0, 10**6), stage=st.sampled_from(["single", "mixed"]))
def test_places_are_where_their_drawings_are(seed, stage):
    scene = sample_scene(seed, stage)
    drawing, across, down = parts(scene, SIDE)
    found = boxes(scene)
    assert drawing.max(initial=-1) < len(found)
    for row, column in np.argwhere(drawing >= 0):
        left, top, right, bottom = found[drawing[row, column]][1]
        x, y = (column + 0.5) / SIDE, (row + 0.5) / SIDE
        near = 1 / SIDE  # sides and edges are whole pixels, in the one and in the other
        assert across[row, column] * (right - left) + left == pytest.approx(x, abs=near)
        assert down[row, column] * (bottom - top) + top == pytest.approx(y, abs=near)
    nowhere = drawing < 0
    assert not across[nowhere].any()
    assert not down[nowhere].any()


def test_a_large_thing_is_seen_and_none_of_it_is_beside_it():
    scene = next(s for s in map(sample_scene, range(99)) if s.things and not s.relation)
    drawing, *_ = parts(scene, SIDE)
    assert (drawing == 0).any()
    assert (drawing == -1).any()
    assert not np.array_equal(drawing, parts(sample_scene(12345), SIDE).drawing)


def test_the_nearer_of_two_is_seen():
    scene = next(
        s
        for s in map(sample_scene, range(10**4))
        if s.relation == "in front" and len(s.things) == 2
    )
    drawing, *_ = parts(scene, 64)
    (_, behind), (_, before) = boxes(scene)[0], boxes(scene)[-1]
    inside = np.zeros((64, 64), bool)
    edges = [max(behind[0], before[0]), max(behind[1], before[1])]
    edges += [min(behind[2], before[2]), min(behind[3], before[3])]
    left, top, right, bottom = (int(np.clip(edge, 0, 1) * 64) for edge in edges)
    inside[top:bottom, left:right] = True
    assert (drawing[inside] == len(boxes(scene)) - 1).mean() > 0.3


def test_a_size_out_of_range_is_refused():
    with pytest.raises(InputError):
        parts(sample_scene(0), 1000)
