import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.diffusion.noise import (
    NOISES,
    Noise,
    a1111,
    alone,
    check,
    comfyui,
    seeded,
    source,
    weaker,
)
from mezzotint.diffusion.philox import normal
from mezzotint.errors import InputError

X = torch.zeros(1, 4, 4, 8)


def draws(noise: Noise, n: int = 3, x: torch.Tensor = X) -> torch.Tensor:
    return torch.cat([noise(x) for _ in range(n)])


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
    with pytest.raises(InputError, match="batch of 2"):
        source("comfyui", 1)(torch.zeros(2, 1))
    with pytest.raises(InputError, match="image 2 of a batch of 2"):
        source("diffusers", 1, place=2, batch=2)


@given(
    st.sampled_from([*NOISES, "a1111+31337"]),
    st.integers(0, 2**32 - 8),
    st.integers(0, 3),
    st.integers(4, 5),
)
def test_an_image_is_remembered_by_a_seed_a_place_and_a_batch(name, seed, place, batch):
    there, again = (
        source(name, seed, place, batch),
        source(name, *alone(name, seed, place, batch)),
    )
    assert torch.equal(draws(there), draws(again))


@pytest.mark.parametrize("name", NOISES)
def test_images_of_a_batch_and_calls_all_differ(name: str):
    every = torch.cat([draws(source(name, 7, place, 3)) for place in range(3)]).flatten(1)
    assert torch.cdist(every, every).fill_diagonal_(1e9).min() > 1


def test_a1111_goes_on_with_its_own_generator_an_image():
    expected = torch.stack([normal(12, call, X.shape[1:]) for call in range(3)])
    assert torch.equal(draws(source("a1111", 10, place=2, batch=4)), expected)
    later = torch.stack([normal(12 + 31337, call, X.shape[1:]) for call in range(2)])
    assert torch.equal(draws(source("a1111+31337", 12)), torch.cat([expected[:1], later]))


def test_comfyui_draws_a_batch_at_once():
    """Its initial noise is the CPU's for the whole batch; the steps' is CUDA's, or seed + 1's."""
    whole = torch.Size((2, *X.shape[1:]))
    initial = torch.randn(whole, generator=torch.Generator().manual_seed(9))
    fresh = torch.Generator().manual_seed(10)
    steps = {
        "comfyui": [normal(9, 0, whole), normal(9, 1, whole)],
        "comfyui_cpu": [torch.randn(whole, generator=fresh) for _ in range(2)],
    }
    for name, later in steps.items():
        for place in range(2):
            expected = torch.stack([drawn[place] for drawn in [initial, *later]])
            assert torch.equal(draws(source(name, 9, place, 2)), expected)


def test_a_picture_of_a_batch_index_needs_no_later_ones():
    """`batch_index` draws image by image, which for whole blocks of 16 is the batch's noise."""
    torch.testing.assert_close(comfyui(3, 1, 2)(X), comfyui(3, 1, 9)(X), rtol=0, atol=0)


def test_a_variation_lies_between_its_seeds():
    start, end = normal(4, 0, X.shape[1:]), normal(5, 0, X.shape[1:])
    for strength, expected in [(0.0, start), (1.0, end)]:
        first = a1111(4, variation=(5, strength))(X)[0]
        torch.testing.assert_close(first, expected, rtol=0, atol=1e-5)
    middle = a1111(4, variation=(5, 0.5))(X)[0]
    half = torch.cosine_similarity(start, end, dim=1).acos() / 2  # of each column's arc
    torch.testing.assert_close(middle, (start + end) / (2 * half.cos())[:, None])
    # the seed stays and the variation seed counts up; later noise is the seed's own
    later = draws(a1111(4, place=1, batch=2, variation=(4, 0.5)))
    assert torch.equal(later[0], middle)
    assert torch.equal(later[1], normal(4, 1, X.shape[1:]))
    torch.testing.assert_close(a1111(4, variation=(4, 0.3))(X)[0], start)


def test_noise_that_cannot_be_had_is_refused():
    for name in ("a1111", "a1111+31337", "comfyui_cpu"):
        with pytest.raises(InputError, match=r"dpmpp_2m_sde.*Brownian"):
            check(name, "dpmpp_2m_sde")
        check(name, "euler_ancestral")
    with pytest.raises(InputError, match="twice"):
        check("diffusers", "dpm2_ancestral")
    check("mezzotint", "dpmpp_sde")
    for refuse in (lambda: source("a1111x", 1), lambda: check("comfy", "euler")):
        with pytest.raises(InputError, match="did you mean"):
            refuse()


@pytest.mark.parametrize(
    ("name", "sampler", "spacing", "expected"),
    [
        ("mezzotint", "euler", "trailing", False),
        ("comfyui", "euler", "trailing", False),
        ("a1111", "dpmpp_2m", "karras", True),
        ("a1111+31337", "euler", "leading", True),
        ("a1111_cpu", "ddim", "leading", False),
        ("diffusers", "euler", "leading", False),
        ("diffusers", "euler", "trailing", True),
        ("diffusers", "dpmpp_2m", "karras", False),
    ],
)
def test_whose_first_noise_is_weaker(name: str, sampler: str, spacing: str, expected: bool):
    assert weaker(name, sampler, spacing) is expected
