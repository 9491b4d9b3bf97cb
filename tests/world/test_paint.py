"""The brushes against the areas that geometry says they cover."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.world import paint

WHITE = np.ones((3, 1, 1), np.float32)
SIDE = st.floats(0.3, 0.7)
REACH = st.floats(0.05, 0.25)


def blank(size: int = 96) -> np.ndarray:
    return np.zeros((3, size, size), np.float32)


@given(SIDE, SIDE, REACH, st.floats(0.4, 1.6))
def test_an_ellipse_covers_its_area(x, y, radius, squash):
    canvas = blank()
    squash = min(squash, 0.29 / radius)
    paint.disc(canvas, x, y, radius, WHITE, squash=squash)
    assert canvas[0].mean() == pytest.approx(np.pi * radius**2 * squash, rel=0.06)


@given(SIDE, SIDE, REACH, st.floats(0, 2 * np.pi), st.booleans())
def test_a_polygon_covers_its_area_however_its_corners_turn(x, y, radius, turn, back):
    angles = turn + np.array((0.0, 1.7, 3.9))
    points = [(x + radius * float(np.cos(a)), y + radius * float(np.sin(a))) for a in angles]
    canvas = blank()
    paint.polygon(canvas, points[::-1] if back else points, WHITE)
    (ax, ay), (bx, by), (cx, cy) = points
    area = abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2
    assert canvas[0].mean() == pytest.approx(area, abs=0.0015)


@given(SIDE, SIDE, REACH)
def test_a_cluster_of_one_circle_is_a_disc(x, y, radius):
    one, other = blank(), blank()
    paint.cluster(one, [(x, y, radius)], WHITE, WHITE)
    paint.disc(other, x, y, radius, WHITE)
    assert np.allclose(one, other, atol=1e-3)
    paint.cluster(other, [(x + radius, y, radius)], WHITE, WHITE)
    assert other.mean() > one.mean() + 0.001


def test_the_floor_cuts_a_cluster():
    canvas = blank()
    paint.cluster(canvas, [(0.5, 0.5, 0.25)], WHITE, WHITE, floor=0.5)
    assert canvas[0].mean() == pytest.approx(np.pi * 0.25**2 / 2, rel=0.03)
    assert canvas[:, 49:].max() == 0


@given(st.lists(st.floats(0.1, 0.9), min_size=2, max_size=6))
def test_below_fills_what_is_under_the_profile(heights):
    canvas = blank()
    edge = np.interp(paint.axis(96), np.linspace(0, 1, len(heights)), heights).astype(np.float32)
    paint.below(canvas, edge, WHITE)
    assert canvas[0].mean() == pytest.approx(1 - float(edge.mean()), abs=0.002)
    assert np.all(np.diff(canvas[0], axis=0) >= -1e-6)


def test_below_shades_down():
    canvas = blank()
    paint.below(canvas, np.full(96, 0.25, np.float32), WHITE, WHITE * np.float32(0.5))
    line = canvas[0, 26:, 0]
    assert line[0] == pytest.approx(1, abs=0.03)
    assert line[-1] == pytest.approx(0.5, abs=0.01)
    assert np.all(np.diff(line) < 0)


@given(REACH, REACH)
def test_a_rectangle_covers_its_area(half, tall):
    canvas = blank()
    paint.rect(canvas, 0.5 - half, 0.5 - tall, 0.5 + half, 0.5 + tall, WHITE)
    assert canvas[0].mean() == pytest.approx(4 * half * tall, rel=0.08)


@pytest.mark.parametrize("x", [-2.0, 3.0])
def test_what_lies_outside_changes_nothing(x):
    canvas = blank()
    paint.disc(canvas, x, 0.5, 0.2, WHITE)
    paint.cluster(canvas, [(x, 0.5, 0.2)], WHITE, WHITE)
    paint.rect(canvas, x, 0.1, x + 0.2, 0.9, WHITE)
    paint.polygon(canvas, [(x, 0.1), (x + 0.2, 0.1), (x, 0.5)], WHITE)
    assert canvas.max() == 0


def test_dots_that_meet_do_not_wrap_round():
    canvas = blank()
    at, radius = np.array((0.001, 0.5), np.float32), np.full(2, 0.05, np.float32)
    paint.dots(canvas, at, at, radius, 1.0, WHITE)
    assert canvas[0, 48, 48] == 1
    assert canvas[0, :10, 86:].max() == 0


def test_domes_are_circles_seen_from_outside():
    x = paint.axis(64)
    outline = paint.domes(x, [(0.5, 0.1, 0.3)])
    inside = np.abs(x - 0.5) < 0.3
    assert np.allclose((outline[inside] - 0.1) ** 2 + (x[inside] - 0.5) ** 2, 0.09, atol=1e-4)
    assert np.all(outline[~inside] == -1)
