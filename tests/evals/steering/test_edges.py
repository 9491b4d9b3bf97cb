import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from mezzotint.errors import InputError
from mezzotint.evals.steering.edges import Agreement, agreement, edges_in, on


def line(row: int, columns: slice = slice(None)) -> np.ndarray:
    edges = np.zeros((32, 32), bool)
    edges[row, columns] = True
    return edges


@pytest.mark.parametrize(("apart", "f1"), [(0, 1), (2, 1), (-2, 1), (3, 0), (9, 0)])
def test_an_edge_counts_within_two_pixels(apart: int, f1: int):
    assert agreement(line(12 + apart), line(12)).f1 == f1


def test_what_lacks_costs_recall_and_what_is_too_much_precision():
    half = line(12, slice(0, 16))
    # within the tolerance, two pixels of the other half are near as well
    assert agreement(half, line(12)) == Agreement(1.0, 18 / 32)
    assert agreement(line(12), half) == Agreement(18 / 32, 1.0)
    assert agreement(line(4) | line(20), line(20)).precision == 0.5
    assert Agreement(0.5, 1.0).f1 == pytest.approx(2 / 3)


def test_no_edges_are_all_right_where_none_are_asked_for():
    none = np.zeros((32, 32), bool)
    assert agreement(none, none).f1 == 1
    assert agreement(none, line(3)) == Agreement(1.0, 0.0)
    assert agreement(line(3), none) == Agreement(0.0, 1.0)
    with pytest.raises(InputError, match="maps of one size"):
        agreement(line(3), np.zeros((16, 16), bool))


@given(st.integers(0, 1000))
def test_agreement_is_symmetric(seed: int):
    one, other = np.random.default_rng(seed).random((2, 24, 24)) > 0.9
    there, back = agreement(one, other), agreement(other, one)
    assert (there.precision, there.recall) == (back.recall, back.precision)
    assert 0 <= there.f1 <= 1


def test_edges_are_where_a_picture_has_them():
    picture = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(picture).rectangle((16, 16, 47, 47), fill="black")
    found = edges_in(picture)
    ring = Image.new("L", (64, 64))
    ImageDraw.Draw(ring).rectangle((16, 16, 47, 47), outline="white")
    assert agreement(found, on(ring)).f1 == 1
    moved = np.roll(found, 8, axis=(0, 1))
    assert agreement(moved, on(ring)).f1 < 0.3
