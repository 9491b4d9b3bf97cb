"""What answers in a module's place, and what is left when it no longer does."""

from itertools import permutations

import pytest
import torch
from torch import nn

from mezzotint.adapters.savings.around import around
from mezzotint.engines.base import hooked


def plus(number: float):
    return lambda forward, x: forward(x) + number


def times(number: float):
    return lambda forward, x: number * forward(x)


def test_the_latest_is_outermost_and_hooks_see_it() -> None:
    module, seen = nn.Identity(), []
    module.register_forward_hook(lambda _, inputs, output: seen.append((*inputs, output)))
    around(module, plus(1))
    around(module, times(10))
    assert module(2) == 30
    assert seen == [(2, 30)]


@pytest.mark.parametrize("order", permutations(range(3)))
def test_ends_come_in_any_order_and_twice(order: tuple[int, ...]) -> None:
    module = nn.Linear(3, 3)
    before, names = dict(vars(module)), list(module.state_dict())
    x = torch.randn(2, 3)
    plain = module(x)
    ends = [around(module, plus(number)) for number in (1.0, 10.0, 100.0)]
    left = 111.0
    for k in order:
        torch.testing.assert_close(module(x), plain + left)
        assert hooked(module)
        assert list(module.state_dict()) == names
        ends[k]()
        ends[k]()
        left -= 10.0**k
    assert torch.equal(module(x), plain)
    assert not hooked(module)
    assert vars(module).keys() == before.keys()
