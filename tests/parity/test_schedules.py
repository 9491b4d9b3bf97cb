"""Tables and time grids against diffusers'."""

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LCMScheduler,
)
from diffusers.schedulers import AysSchedules
from torch import Tensor

from mezzotint.diffusion import Process, times

SCALED_LINEAR = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
TABLES = {
    "linear": {"beta_schedule": "linear"},
    "scaled_linear": SCALED_LINEAR,
    "zero_terminal": {**SCALED_LINEAR, "rescale_betas_zero_snr": True},
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name: str) -> None:
    """To the float32 that diffusers multiplies its tables up in."""
    process = getattr(Process, name)()
    expected = DDIMScheduler(**TABLES[name]).alphas_cumprod.double()
    t = torch.arange(1000.0, dtype=torch.float64)
    assert torch.allclose(process.alpha_bar(t), expected, rtol=3e-5, atol=1e-9)
    assert not torch.allclose(process.alpha_bar(t + 0.1), expected, rtol=3e-5, atol=1e-9)


def test_cosine() -> None:
    """diffusers' step k is the time (k + 1)/1000, but for the last, whose β it clips."""
    expected = DDIMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod.double()
    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    t[-1] = Process.cosine().t_noise
    assert torch.allclose(Process.cosine().alpha_bar(t), expected, rtol=1e-3, atol=1e-9)
    assert not torch.allclose(Process.cosine(0.009).alpha_bar(t), expected, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("n", [1, 4, 7, 20, 30, 50, 1000])
@pytest.mark.parametrize("spacing", ["linspace", "leading", "trailing"])
def test_even_spacings(spacing: str, n: int) -> None:
    theirs = DDIMScheduler(**SCALED_LINEAR, timestep_spacing=spacing, steps_offset=1)
    theirs.set_timesteps(n)
    ours = times(Process.scaled_linear(), n, spacing)[:-1]
    if (spacing, n) == ("linspace", 1):  # diffusers' one step would start from clean data
        assert (theirs.timesteps.item(), ours.item()) == (0, 999)
    elif (spacing, n) == ("leading", 1000):  # and its offset runs off the table
        assert theirs.timesteps[0] == 1000
    else:
        assert ours.tolist() == theirs.timesteps.tolist()


@pytest.mark.parametrize("n", [2, 5, 20])
@pytest.mark.parametrize(
    ("spacing", "config"),
    [("karras", {"use_karras_sigmas": True}), ("exponential", {"use_exponential_sigmas": True})],
)
def test_spacings_of_levels(spacing: str, config: dict[str, bool], n: int) -> None:
    theirs = EulerDiscreteScheduler(**SCALED_LINEAR, **config)
    theirs.set_timesteps(n)
    grid = times(Process.scaled_linear(), n, spacing)
    assert torch.allclose(grid[:-1], theirs.timesteps.double(), atol=0.02)
    assert torch.allclose(levels(grid), theirs.sigmas.double(), rtol=1e-4, atol=1e-9)
    if n > 2:  # two levels are the ends of any spacing
        near = levels(times(Process.scaled_linear(), n, "karras", rho=7.1))
        assert not torch.allclose(near, theirs.sigmas.double(), rtol=1e-4, atol=1e-9)


def levels(grid: Tensor) -> Tensor:
    process = Process.scaled_linear()
    return process.sigma(grid) / process.alpha(grid)


@pytest.mark.parametrize(
    ("model", "other", "table"),
    [
        ("sd15", "sdxl", "StableDiffusionTimesteps"),
        ("sdxl", "sd15", "StableDiffusionXLTimesteps"),
    ],
)
def test_aligned_steps(model: str, other: str, table: str) -> None:
    grid = times(Process.scaled_linear(), 10, "align_your_steps", model=model)
    assert grid[:-1].tolist() == pytest.approx(AysSchedules[table], abs=1.0)
    grid = times(Process.scaled_linear(), 10, "align_your_steps", model=other)
    assert grid[:-1].tolist() != pytest.approx(AysSchedules[table], abs=1.0)


@pytest.mark.parametrize("n", [1, 4, 28])
def test_shifted_flow(n: int) -> None:
    theirs = FlowMatchEulerDiscreteScheduler(shift=3.0)
    theirs.set_timesteps(sigmas=np.linspace(1.0, 1 / n, n))
    shifted, plain = Process.flow(3.0), Process.flow()
    expected = theirs.sigmas.double()
    assert torch.allclose(shifted.sigma(times(shifted, n, "trailing")), expected, atol=1e-6)
    assert torch.allclose(
        plain.sigma(times(plain, n, "flow_shift", shift=3.0)), expected, atol=1e-6
    )
    if n > 1:
        near = Process.flow(3.01)
        assert not torch.allclose(near.sigma(times(near, n, "trailing")), expected, atol=1e-6)


@pytest.mark.parametrize("n", [1, 4, 10, 28])
def test_flow_down_to_the_shifted_thousandth(n: int) -> None:
    """What diffusers does for Stable Diffusion 3 when nobody gives it levels."""
    theirs = FlowMatchEulerDiscreteScheduler(shift=3.0)
    theirs.set_timesteps(n)
    process, expected = Process.flow(), theirs.sigmas.double()
    grid = times(process, n, "flow_linspace", shift=3.0)
    assert torch.allclose(process.sigma(grid), expected, atol=1e-6)
    if n > 1:
        near = times(process, n, "flow_linspace", shift=3.01)
        assert not torch.allclose(process.sigma(near), expected, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 4, 7, 8, 50])
def test_steps_of_consistency_models(n: int) -> None:
    theirs = LCMScheduler(**SCALED_LINEAR)
    theirs.set_timesteps(n, original_inference_steps=50)
    ours = times(Process.scaled_linear(), n, "lcm")[:-1].tolist()
    assert ours == theirs.timesteps.tolist()
    if 1 < n < 50 and 50 % n:
        assert ours != times(Process.scaled_linear(), n, "trailing")[:-1].tolist()
