import numpy as np
import pytest

from mezzotint.errors import InputError
from mezzotint.evals.accuracy import wilson
from mezzotint.evals.steering.estimate import gap, mean, ratio, share


def test_a_share_is_wilsons():
    known = wilson(3, 4)
    found = share([True, True, False, True])
    assert (found.value, found.low, found.high) == (known.share, known.low, known.high)


def test_an_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = []
    for values in rng.exponential(1.0, (120, 60)):
        found = mean(values.tolist())
        assert found.value == pytest.approx(values.mean())
        held.append(found.low <= 1 <= found.high)
    assert 0.88 < np.mean(held) < 0.99


def test_what_two_measurements_share_is_not_in_their_gap():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 5, 80)
    one, other = hard + 0.5, hard + rng.normal(0, 0.1, 80)
    found = gap(one.tolist(), other.tolist())
    assert 0.4 < found.low < found.high < 0.6
    mixed = gap(one.tolist(), np.roll(other, 1).tolist())  # not the same cases any more
    assert mixed.high - mixed.low > 5 * (found.high - found.low)


def test_a_ratio_is_of_means():
    found = ratio([1.0, 3.0], [2.0, 6.0])
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)
    assert ratio([1.0, 2.0, 6.0], [2.0, 2.0, 2.0]).value == pytest.approx(1.5)


def test_nothing_has_no_figure():
    for nothing in (lambda: share([]), lambda: mean([]), lambda: gap([], [])):
        with pytest.raises(InputError, match="no cases"):
            nothing()
    with pytest.raises(InputError, match="must be above 0"):
        ratio([1.0], [0.0])
