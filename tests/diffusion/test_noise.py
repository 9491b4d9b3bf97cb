import pytest
import torch

from mezzotint.diffusion.noise import seeded
from mezzotint.errors import InputError


def test_an_image_draws_the_same_alone_and_in_a_batch() -> None:
    batch, alone = seeded([5, 6, 7]), seeded([6])
    for _ in range(3):
        assert torch.equal(batch(torch.zeros(3, 2, 4, 4))[1:2], alone(torch.zeros(1, 2, 4, 4)))


def test_draws_differ_between_seeds_and_calls() -> None:
    draw, x = seeded([1, 2]), torch.zeros(2, 8)
    first, second = draw(x), draw(x)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)


def test_dtype_does_not_change_the_numbers() -> None:
    single, double = (
        seeded([3])(torch.zeros(1, 9, dtype=d)) for d in (torch.float32, torch.float64)
    )
    assert double.dtype == torch.float64
    assert torch.equal(single.double(), double)


def test_is_standard_normal() -> None:
    z = seeded([0])(torch.zeros(1, 100_000))
    assert z.mean().abs() < 0.02
    assert (z.std() - 1).abs() < 0.02


def test_refuses_another_batch() -> None:
    with pytest.raises(InputError, match="2 seeds for a batch of 3"):
        seeded([1, 2])(torch.zeros(3, 1))
