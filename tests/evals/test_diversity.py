"""Diversity between seeds, against arithmetic and its two extremes."""

from itertools import combinations, product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.evals.diversity import diversity


@given(st.integers(2, 4), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_it_is_the_mean_over_pairs(p: int, k: int, seed: int):
    x = torch.randn(p, k, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    places = list(product(range(p), range(k)))
    apart = {(a, b): (x[a] - x[b]).norm().item() for a, b in combinations(places, 2)}
    within = [d for (a, b), d in apart.items() if a[0] == b[0]]
    between = [d for (a, b), d in apart.items() if a[0] != b[0]]
    found = diversity(x)
    assert found.seeds == pytest.approx(sum(within) / len(within))
    assert found.prompts == pytest.approx(sum(between) / len(between))
    assert found.ratio == pytest.approx(found.seeds / found.prompts)


def test_one_picture_a_prompt_has_none_and_deaf_pictures_have_all():
    prompts = torch.randn(40, 1, 6, dtype=torch.float64)
    noise = torch.randn(40, 4, 6, dtype=torch.float64)
    assert diversity(prompts.expand(-1, 4, -1)).ratio == pytest.approx(0, abs=1e-6)
    assert 0.1 < diversity(3 * prompts + noise).ratio < 0.6
    assert diversity(noise).ratio == pytest.approx(1, abs=0.1)
    assert diversity(torch.zeros(2, 2, 3)).ratio == 0


@pytest.mark.parametrize("shape", [(1, 3, 2), (3, 1, 2)])
def test_it_needs_something_to_compare(shape: tuple[int, ...]):
    with pytest.raises(InputError, match="two or more of both"):
        diversity(torch.zeros(shape))
