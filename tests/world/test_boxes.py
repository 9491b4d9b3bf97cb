"""Boxes are where the painters lay things, and their map tells them apart."""

import numpy as np
import pytest

from mezzotint.errors import InputError
from mezzotint.world import Item, Scene, box_map, boxes, compose, sample_scene
from mezzotint.world.layout import Box
from mezzotint.world.render import painted

pytestmark = pytest.mark.usefixtures("tarball")

SIZE = 128


def painted_box(scene: Scene) -> Box:
    rows, columns = np.nonzero(painted(scene, SIZE).cover > 0.3)
    left, right = columns.min() / SIZE, (columns.max() + 1) / SIZE
    return left, rows.min() / SIZE, right, (rows.max() + 1) / SIZE


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(wide, 0) * max(high, 0)
    return both / (sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (a, b)) - both)


def test_a_box_holds_its_drawing_and_no_more():
    """But for what is under water, and art with faint edges."""
    seen = 0
    for seed in range(60):
        scene = sample_scene(seed, "single")
        if scene.place in ("sea", "lake"):
            continue
        ((name, box),) = boxes(scene)
        assert name == scene.things[0].name
        assert overlap(painted_box(scene), box) > 0.8
        left, top, right, bottom = box
        assert overlap(painted_box(scene), (left + 0.1, top, right + 0.1, bottom)) < 0.8
        seen += 1
    assert seen > 40


def test_every_drawing_has_its_box_and_no_hat_has():
    scene = compose(3, [Item("fox", hat="crown"), Item("apple"), Item("car")])
    assert sorted(name for name, _ in boxes(scene)) == ["apple", "car", "fox"]
    four = boxes(compose(0, [Item("apple", count=4)]))
    assert [name for name, _ in four] == ["apple"] * 4
    assert len({box for _, box in four}) == 4
    assert boxes(compose(0, [])) == ()


def test_the_nearest_comes_last():
    scene = compose(0, [Item("cat"), Item("house")], relation="in front")
    assert [name for name, _ in boxes(scene)] == ["house", "cat"]


def test_a_map_has_outlines_and_grey_inside():
    drawn = box_map([(0.25, 0.5, 0.75, 1.0)], 64)
    assert drawn.shape == (64, 64, 3)
    assert drawn.dtype == np.uint8
    assert (drawn[:32] == 0).all()
    assert (drawn[32, 16:48] == 255).all()
    assert (drawn[32:, 47] == 255).all()
    inside = drawn[33:63, 17:47]
    assert (inside == inside[0, 0]).all()
    assert 0 < inside[0, 0, 0] < 255


def test_overlapping_boxes_stay_tellable():
    one, two = (0.1, 0.1, 0.6, 0.6), (0.3, 0.3, 0.9, 0.9)
    both = box_map([one, two], 100)
    assert (both == box_map([two, one], 100)).all()
    alone, shared = both[20, 20, 0], both[45, 45, 0]
    assert 0 < alone < shared < 255
    for box in (one, two):
        edges = box_map([box], 100) == 255
        assert (both[edges] == 255).all()


def test_a_tiny_box_is_a_dot_and_one_over_the_edge_is_cut():
    assert box_map([(0.5, 0.5, 0.501, 0.501)], 64).sum() == 3 * 255
    cut = box_map([(-0.5, -0.5, 0.5, 0.5)], 64)
    assert cut[:32, :32].all()
    assert not cut[32:].any()
    assert not box_map([], 64).any()


@pytest.mark.parametrize(
    "box", [(0.5, 0.1, 0.4, 0.2), (0.1, 0.2, 0.4, 0.2), (1.0, 0, 1.5, 1), (float("nan"), 0, 1, 1)]
)
def test_what_is_no_box_is_named(box: Box):
    with pytest.raises(InputError, match="left, top, right, bottom"):
        box_map([box])


def test_sizes_out_of_range_are_named():
    with pytest.raises(InputError, match="size 8"):
        box_map([], 8)
