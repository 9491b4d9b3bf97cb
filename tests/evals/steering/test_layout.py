import pytest

from mezzotint.evals.judge import Seen, Sighting
from mezzotint.evals.steering.layout import box_overlaps, mean_overlap

A, B, FAR = (0.0, 0.0, 0.4, 0.4), (0.2, 0.0, 0.6, 0.4), (0.6, 0.6, 1.0, 1.0)


def seen(*those: tuple[str, tuple[float, float, float, float], float]) -> Seen:
    found = tuple(Sighting(kind, None, box, score) for kind, box, score in those)
    return Seen(found, "meadow", "day", "summer", "clear", "storybook")


def test_boxes_are_compared_with_their_own_kind():
    asked = [("fox", A), ("cat", FAR)]
    assert box_overlaps(asked, seen(("fox", A, 0.9), ("cat", FAR, 0.9))) == pytest.approx([1, 1])
    assert box_overlaps(asked, seen(("cat", A, 0.9), ("fox", FAR, 0.9))) == pytest.approx([0, 0])
    # half of each box is the other's: a third of both together
    assert box_overlaps([("fox", A)], seen(("fox", B, 0.9))) == pytest.approx([1 / 3])


def test_no_sighting_counts_twice():
    asked = [("fox", A), ("fox", A)]
    assert sorted(box_overlaps(asked, seen(("fox", A, 0.9)))) == pytest.approx([0, 1])
    assert mean_overlap(asked, seen(("fox", A, 0.9), ("fox", A, 0.8))) == pytest.approx(1)


def test_the_assignment_is_the_best_and_not_the_first():
    # the first box has most in common with the second sighting, which the second box needs more
    first, second = (0.0, 0.0, 0.5, 1.0), (0.2, 0.0, 0.7, 1.0)
    near, other = (0.12, 0.0, 0.62, 1.0), (0.0, 0.0, 0.3, 1.0)
    both = seen(("fox", near, 0.9), ("fox", other, 0.9))
    found = box_overlaps([("fox", first), ("fox", second)], both)
    assert found[0] == pytest.approx(0.3 / 0.5)
    assert found[1] == pytest.approx(0.42 / 0.58)
    alone = box_overlaps([("fox", first)], both)
    assert alone[0] == pytest.approx(0.38 / 0.62)  # which it would rather have


def test_what_is_hardly_seen_is_not_seen():
    assert mean_overlap([("fox", A)], seen(("fox", A, 0.2))) == 0
    assert mean_overlap([("fox", A)], seen()) == 0
    assert mean_overlap([], seen(("fox", A, 0.9))) == 1
