import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mixture import PROCESSES
from scipy.stats import beta as beta_distribution

from mezzotint.diffusion import SPACINGS, Process, times
from mezzotint.errors import InputError


@pytest.mark.parametrize("name", sorted(PROCESSES))
@pytest.mark.parametrize("spacing", sorted(SPACINGS))
@settings(max_examples=15)
@given(n=st.integers(1, 300))
def test_falls_from_noise_to_clean_data(spacing: str, name: str, n: int) -> None:
    process = PROCESSES[name]
    grid = times(process, n, spacing)
    assert (grid.shape, grid.dtype) == ((n + 1,), torch.float64)
    assert (grid.diff() < 0).all()
    assert grid[-1].item() == process.t_clean
    if spacing != "leading":
        assert grid[0].item() == process.t_noise


@pytest.mark.parametrize("spacing", ["linspace", "leading", "trailing"])
@pytest.mark.parametrize("n", [1, 7, 30, 1000])
def test_a_table_is_visited_at_whole_steps(spacing: str, n: int) -> None:
    grid = times(Process.scaled_linear(), n, spacing)
    assert torch.equal(grid, grid.round())


def test_more_steps_than_a_table_has() -> None:
    assert len(times(Process.scaled_linear(), 10_000, "linspace").unique()) == 10_001


def test_karras_is_even_in_the_seventh_root() -> None:
    grid = times(Process.edm(), 10, "karras")
    assert grid[-2].item() == pytest.approx(0.002)
    root = grid[:-1] ** (1 / 7)
    assert torch.allclose(root.diff(), root.diff()[0].expand(9))
    assert not torch.allclose(times(Process.edm(), 10, "karras", rho=3.0), grid)


def test_exponential_is_even_in_lambda() -> None:
    process = Process.linear()
    steps = process.lam(times(process, 10, "exponential")[:-1]).diff()
    assert torch.allclose(steps, steps[0].expand(9), rtol=1e-12)


@pytest.mark.parametrize(("a", "b"), [(0.6, 0.6), (1.0, 1.0), (0.5, 2.0)])
def test_beta_quantiles(a: float, b: float) -> None:
    grid = times(Process.flow(), 12, "beta", a=a, b=b)[:-1]
    expected = beta_distribution.ppf(1 - torch.arange(12).numpy() / 12, a, b)
    assert torch.allclose(grid, 0.001 + 0.999 * torch.from_numpy(expected), atol=1e-6)


@given(shift=st.floats(0.2, 20), n=st.integers(1, 50))
def test_flow_shift_is_a_shifted_flow(shift: float, n: int) -> None:
    """Shifting the grid of a flow is gridding the shifted flow."""
    plain, shifted = Process.flow(), Process.flow(shift)
    grid = times(plain, n, "flow_shift", shift=shift)
    assert torch.allclose(
        plain.sigma(grid), shifted.sigma(times(shifted, n, "trailing")), atol=1e-12
    )


def test_aligned_levels_are_the_published_ones() -> None:
    process = Process.edm(0.002, 700.0)
    levels = times(process, 10, "align_your_steps", model="svd")[:3].tolist()
    assert levels == pytest.approx([700.0, 54.5, 15.886])
    # between two published levels, half-way in the logarithm
    twenty = times(process, 20, "align_your_steps", model="svd")
    assert twenty[1].item() == pytest.approx(math.sqrt(700 * 54.5))


@pytest.mark.parametrize("n", [0, -3])
def test_refuses_no_steps(n: int) -> None:
    with pytest.raises(InputError, match=f"{n} steps"):
        times(Process.flow(), n)


def test_suggests_a_spacing() -> None:
    with pytest.raises(InputError, match="did you mean 'karras'"):
        times(Process.flow(), 5, "karas")
    with pytest.raises(InputError, match="did you mean 'sdxl'"):
        times(Process.flow(), 5, "align_your_steps", model="sdx")


@pytest.mark.parametrize("name", sorted(PROCESSES))
@pytest.mark.parametrize("n", [999, 1000, 1001, 2500])
def test_leading_times_do_not_run_off_the_noisy_end(n: int, name: str) -> None:
    process = PROCESSES[name]
    grid = times(process, n, "leading", offset=3.0)
    assert grid[0].item() <= process.t_noise * (1 + 1e-12)
    assert (grid.diff() < 0).all()


def test_all_the_steps_of_a_table() -> None:
    for spacing in ("linspace", "leading", "trailing"):
        grid = times(Process.linear(), 1000, spacing)
        assert torch.equal(grid, torch.arange(999, -2, -1).double())


@pytest.mark.parametrize(
    ("spacing", "options"),
    [
        ("karras", {"rho": math.nan}),
        ("karras", {"rho": 0.0}),
        ("beta", {"a": 0.3}),
        ("beta", {"b": math.nan}),
        ("flow_shift", {"shift": math.nan}),
        ("flow_shift", {"shift": -2.0}),
        ("flow_shift", {"shift": 0.0}),
        ("leading", {"offset": math.nan}),
    ],
)
def test_refuses_options_that_make_no_grid(spacing: str, options: dict[str, float]) -> None:
    ((option, value),) = options.items()
    for process in (Process.flow(), Process.scaled_linear()):
        with pytest.raises(InputError, match=f"{option} {value}"):
            times(process, 8, spacing, **options)


def test_refuses_levels_that_a_table_does_not_have() -> None:
    with pytest.raises(InputError, match="repeat"):
        times(Process.scaled_linear(), 10, "align_your_steps", model="svd")
