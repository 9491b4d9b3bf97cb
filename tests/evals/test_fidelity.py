"""Distances between sets: closed forms, brute force, and what must move them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.evals.fidelity import (
    distances,
    fidelity,
    frechet,
    kernel,
    nearest,
    precision_recall,
)

seeds = st.integers(0, 2**32 - 1)


def vectors(n: int, d: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, dtype=torch.float64, generator=generator)


def with_moments(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Vectors whose sample mean is ``mean`` and whose sample covariance is diag(std²), exactly."""
    x = x - x.mean(0)
    root = torch.linalg.cholesky(torch.cov(x.T).reshape(x.shape[1], -1))
    return torch.linalg.solve_triangular(root, x.T, upper=False).T * std + mean


@given(seeds, st.integers(1, 6))
def test_the_frechet_distance_of_gaussians_is_the_closed_form(seed: int, d: int):
    mean, other = vectors(2, d, seed)
    std, wide = vectors(2, d, seed + 1).abs() + 0.1
    x = with_moments(vectors(20, d, seed + 2), mean, std)
    y = with_moments(vectors(30, d, seed + 3), other, wide)
    expected = (mean - other).square().sum() + (std - wide).square().sum()
    assert frechet(x, y) == pytest.approx(expected.item(), rel=1e-6, abs=1e-8)


def test_the_frechet_distance_of_any_covariances_takes_scipys_square_root():
    x, y = vectors(40, 5, 0) @ vectors(5, 5, 1) + 1, vectors(50, 5, 2) @ vectors(5, 5, 3)
    a, b = np.cov(x.numpy().T), np.cov(y.numpy().T)
    trace = np.trace(a + b - 2 * sqrtm(a @ b).real)
    expected = (x.mean(0) - y.mean(0)).square().sum().item() + trace
    assert frechet(x, y) == pytest.approx(expected, rel=1e-6)
    diagonal = np.diag(a).sum() + np.diag(b).sum() - 2 * np.sqrt(np.diag(a) * np.diag(b)).sum()
    assert abs(trace - diagonal) > 1e-2 * trace  # correlations count


def test_the_kernel_distance_is_the_unbiased_one():
    x, y = vectors(12, 4, 0), vectors(12, 4, 1) + 0.5

    def k(a: Tensor, b: Tensor) -> float:
        return (float(a @ b) / 4 + 1) ** 3

    pairs = [(i, j) for i in range(12) for j in range(12)]
    own = [k(x[i], x[j]) + k(y[i], y[j]) for i, j in pairs if i != j]
    expected = sum(own) / (12 * 11) - 2 * sum(k(x[i], y[j]) for i, j in pairs) / 12**2
    assert kernel(x, y) == pytest.approx(expected, rel=1e-9)
    biased = (sum(own) + sum(k(z, z) for z in (*x, *y))) / 12**2
    assert abs(biased - sum(own) / (12 * 11)) > 1e-2


def test_a_kernel_distance_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(())
    torch.manual_seed(5)
    first = kernel(vectors(40, 3, 0), vectors(9, 3, 1))
    assert torch.rand(()) == expected
    assert kernel(vectors(40, 3, 0), vectors(9, 3, 1)) == first


@given(seeds, st.integers(1, 4), st.integers(1, 3))
def test_precision_and_recall_are_what_brute_force_finds(seed: int, d: int, k: int):
    true, drawn = vectors(9, d, seed).numpy(), 1.5 * vectors(7, d, seed + 1).numpy()

    def share(inside: np.ndarray, points: np.ndarray) -> float:
        found = 0
        for point in points:
            reaches = (
                sorted(math.dist(one, other) for other in inside)[k] for one in inside
            )  # itself at 0
            pairs = zip(inside, reaches, strict=True)
            found += any(math.dist(point, one) <= reach for one, reach in pairs)
        return found / len(points)

    found = precision_recall(torch.from_numpy(true), torch.from_numpy(drawn), k)
    assert found == (share(true, drawn), share(drawn, true))


@given(seeds)
def test_the_nearest_is_what_brute_force_finds(seed: int):
    some, among = vectors(5, 3, seed), vectors(8, 3, seed + 1)
    indices, apart = nearest(some, among)
    for one, index, distance in zip(some, indices, apart, strict=True):
        all_of_them = [(one - other).norm().item() for other in among]
        assert distance.item() == pytest.approx(min(all_of_them))
        assert all_of_them[index] == pytest.approx(min(all_of_them))


def test_a_set_beside_itself_is_as_near_as_can_be():
    x = vectors(50, 4, 0)
    same = distances(x, x)
    assert (same.precision, same.recall) == (1, 1)
    assert abs(same.frechet) < 1e-9
    assert same.kernel < distances(x, vectors(50, 4, 1)).kernel
    assert fidelity(x, x, vectors(50, 4, 1)).copied == 1


def test_what_is_lost_is_seen_by_the_figure_that_is_meant_for_it():
    training, held_out = vectors(400, 4, 0), vectors(200, 4, 1)
    whole = fidelity(training, vectors(200, 4, 2), held_out)
    narrow = fidelity(training, 0.3 * vectors(200, 4, 2), held_out)
    away = fidelity(training, vectors(200, 4, 2) + 9, held_out)
    taken = fidelity(training, training[:200] + 1e-3, held_out)
    assert whole.drawn.frechet < 2 * whole.held_out.frechet < narrow.drawn.frechet
    assert narrow.drawn.frechet < away.drawn.frechet
    assert abs(whole.drawn.kernel) < 0.2 < narrow.drawn.kernel < away.drawn.kernel
    assert narrow.drawn.precision > whole.drawn.precision > 0.8 > away.drawn.precision
    assert whole.drawn.recall > 0.8 > 0.5 > narrow.drawn.recall > away.drawn.recall == 0
    assert whole.copied < 0.05 < 0.99 < taken.copied


def test_few_pictures_are_farther_so_the_floor_has_as_many():
    training, many = vectors(500, 8, 0), vectors(400, 8, 1)
    assert frechet(training, many[:50]) > 3 * frechet(training, many)
    with pytest.raises(InputError, match="50 pictures and 400 held-out"):
        fidelity(training, many[:50], many)


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (vectors(1, 3, 0), vectors(5, 3, 0), "1 and 5 pictures: give 2 or more"),
        (vectors(5, 3, 0), vectors(5, 4, 0), "width 3 and 4"),
        (vectors(5, 3, 0), vectors(5, 3, 0) / 0, "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(x: Tensor, y: Tensor, says: str):
    for measure in (frechet, kernel):
        with pytest.raises(InputError, match=says) as refused:
            measure(x, y)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="give 4 or more"):
        precision_recall(vectors(3, 2, 0), vectors(9, 2, 0))
