"""Samplers against diffusers', step for step in float64, on the same grid with the same noise.

diffusers writes float32 into its tables and casts samples to it; here its modules see float64 under
that name, and nothing else of them is changed. Each comparison is followed by a near relative of
the sampler that must not pass for it.
"""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mezzotint.diffusion import Process, times
from mezzotint.diffusion.oracle import GaussianMixture
from mezzotint.diffusion.prediction import Prediction, from_x0
from mezzotint.diffusion.samplers import SAMPLERS

TOLERANCE = 1e-9
SHAPE = (3, 1, 2, 2)
DRAWS = torch.randn(64, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
MIXTURE = GaussianMixture(
    means=torch.randn(
        4, *SHAPE[1:], dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    ),
    stds=torch.tensor([0.2, 0.5, 0.3, 0.1], dtype=torch.float64),
    weights=torch.tensor([0.1, 0.4, 0.3, 0.2], dtype=torch.float64),
)
PROCESS = Process.scaled_linear()
SCALED_LINEAR = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@dataclass(frozen=True)
class Case:
    """A sampler there and here, and a relative of it."""

    module: str
    scheduler: str
    sampler: str
    relative: tuple[str, dict[str, Any]]
    config: dict[str, Any] = field(default_factory=dict)
    step: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    steps: int = 10

    def load(self, patch: pytest.MonkeyPatch, **config: Any) -> Any:
        """diffusers' scheduler, in float64 and with our noise."""
        module = importlib.import_module(f"diffusers.schedulers.scheduling_{self.module}")
        patch.setattr(module, "torch", SimpleNamespace(**{**vars(torch), "float32": torch.float64}))
        patch.setattr(module, "np", SimpleNamespace(**{**vars(np), "float32": np.float64}))
        if hasattr(module, "randn_tensor"):
            draws = iter(DRAWS)
            patch.setattr(module, "randn_tensor", lambda *_, **__: next(draws))
        return getattr(module, self.scheduler)(**{**self.config, **config})


def ours(sampler: str, grid: Tensor, process: Process, **options: Any) -> list[Tensor]:
    draws = iter(DRAWS)
    x, denoise = start(process, grid), MIXTURE.denoiser(process)
    run = SAMPLERS[sampler](denoise, x, grid, process, lambda _: next(draws), **options)
    return [step.x for step in run]


def start(process: Process, grid: Tensor) -> Tensor:
    return process.sigma(grid[0]) * DRAWS[-1]


def network(prediction: Prediction, x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """A perfect network."""
    return from_x0(prediction, MIXTURE.denoise(x, alpha, sigma), x, alpha, sigma)


def run(theirs: Any, case: Case, prediction: Prediction, grid: Tensor) -> list[Tensor]:
    """All samples of diffusers' run on x itself."""
    x, outputs = start(PROCESS, grid), []
    for t in theirs.timesteps:
        time = t.double()
        out = network(prediction, x, PROCESS.alpha(time), PROCESS.sigma(time))
        x = theirs.step(out, t, x, **case.step).prev_sample
        outputs.append(x)
    return outputs


def check(case: Case, expected: list[Tensor], grid: Tensor, process: Process = PROCESS) -> None:
    relative, options = case.relative
    assert apart(ours(case.sampler, grid, process, **case.options), expected) < TOLERANCE
    assert apart(ours(relative, grid, process, **options), expected) > 1e-5


def apart(a: list[Tensor], b: list[Tensor]) -> float:
    """The largest difference at any step."""
    return max((p - q).abs().max().item() for p, q in zip(a, b, strict=True))


def brownian() -> Callable[[Tensor, Tensor], Tensor]:
    """A Brownian motion in σ/α for both stages of DPM-Solver++ (SDE), from the draws ours uses."""
    calls = iter(range(len(DRAWS)))
    middle = torch.tensor(0.0)

    def draw(level: Tensor, after: Tensor) -> Tensor:
        nonlocal middle
        k = next(calls)
        if k % 2 == 0:
            middle = after
            return DRAWS[k]
        first, second = (level - middle).sqrt() * DRAWS[k - 1], (middle - after).sqrt() * DRAWS[k]
        return (first + second) / (level - after).sqrt()

    return draw


EXPLODING = [
    Case("euler_discrete", "EulerDiscreteScheduler", "euler", ("ddim", {"eta": 0.01})),
    Case("lms_discrete", "LMSDiscreteScheduler", "lms", ("lms", {"order": 3})),
    Case("heun_discrete", "HeunDiscreteScheduler", "heun", ("dpm2", {})),
    Case("k_dpm_2_discrete", "KDPM2DiscreteScheduler", "dpm2", ("heun", {})),
    Case(
        "k_dpm_2_ancestral_discrete",
        "KDPM2AncestralDiscreteScheduler",
        "dpm2_ancestral",
        ("dpm2_ancestral", {"eta": 0.99}),
    ),
    Case("dpmsolver_sde", "DPMSolverSDEScheduler", "dpmpp_sde", ("dpmpp_sde", {"eta": 0.99})),
    Case(
        "euler_ancestral_discrete",
        "EulerAncestralDiscreteScheduler",
        "euler_ancestral",
        ("ddim", {"eta": 0.99}),
    ),
]


@pytest.mark.parametrize("spacing", ["trailing", "karras"])
@pytest.mark.parametrize("case", EXPLODING, ids=lambda case: case.sampler)
def test_on_exploding_samples(case: Case, spacing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What diffusers runs on x/α, with noise levels σ/α."""
    if (case.sampler, spacing) == ("euler_ancestral", "karras"):
        pytest.skip("diffusers' Euler ancestral has no Karras levels")
    config = {"use_karras_sigmas": True} if spacing == "karras" else {"timestep_spacing": spacing}
    theirs = case.load(monkeypatch, **SCALED_LINEAR, **config)
    theirs.set_timesteps(case.steps)
    theirs.noise_sampler = brownian()
    grid = times(PROCESS, case.steps, spacing)
    levels = PROCESS.sigma(grid) / PROCESS.alpha(grid)
    assert torch.allclose(theirs.sigmas.unique_consecutive(), levels, rtol=1e-12, atol=0)

    x = start(PROCESS, grid) / PROCESS.alpha(grid[0])
    outputs = []
    for t in theirs.timesteps:
        # at the level that diffusers steps at, which is not always that of the t it shows
        alpha = theirs.scale_model_input(torch.ones((), dtype=torch.float64), t)
        sigma = (1 - alpha.square()).sqrt()
        out = network("eps", theirs.scale_model_input(x, t), alpha, sigma)
        x = theirs.step(out, t, x).prev_sample
        outputs.append(x)
    if len(outputs) > case.steps:  # two stages a step, but for the last
        outputs = [*outputs[1::2], outputs[-1]]
    expected = [PROCESS.alpha(t) * x for t, x in zip(grid[1:], outputs, strict=True)]
    check(case, expected, grid)


DPMPP = ("dpmsolver_multistep", "DPMSolverMultistepScheduler")
PRESERVING = [
    Case("ddpm", "DDPMScheduler", "ddpm", ("ddim", {"eta": 0.99}), {"clip_sample": False}),
    Case("ddim", "DDIMScheduler", "ddim", ("ddim", {"eta": 0.01}), {"clip_sample": False}),
    Case(
        "ddim",
        "DDIMScheduler",
        "ddim",
        ("ddim", {"eta": 0.69}),
        {"clip_sample": False},
        {"eta": 0.7},
        {"eta": 0.7},
    ),
    Case(
        "pndm",
        "PNDMScheduler",
        "pndm",
        ("ipndm", {}),
        {"skip_prk_steps": True, "set_alpha_to_one": True},
    ),
    Case(*DPMPP, "dpmpp_2m", ("unipc", {})),
    Case(
        *DPMPP,
        "dpmpp_2m_sde",
        ("dpmpp_2m_sde", {"eta": 0.99}),
        {"algorithm_type": "sde-dpmsolver++"},
    ),
    # the third-order term of diffusers' SDE version has the other sign than k-diffusion's, so the
    # ODE is compared; from 15 steps on diffusers keeps the order until the last step
    Case(
        *DPMPP,
        "dpmpp_3m_sde",
        ("dpmpp_2m", {}),
        {"solver_order": 3, "solver_type": "heun"},
        options={"eta": 0.0},
        steps=20,
    ),
    Case("unipc_multistep", "UniPCMultistepScheduler", "unipc", ("dpmpp_2m", {})),
    Case(
        "unipc_multistep",
        "UniPCMultistepScheduler",
        "unipc",
        ("unipc", {}),
        {"solver_order": 3},
        options={"order": 3},
    ),
    # diffusers lowers DEIS's order at the end of shorter runs
    Case(
        "deis_multistep",
        "DEISMultistepScheduler",
        "deis",
        ("deis", {"order": 3}),
        options={"order": 2},
        steps=20,
    ),
    Case(
        "deis_multistep",
        "DEISMultistepScheduler",
        "deis",
        ("deis", {"order": 2}),
        {"solver_order": 3},
        steps=20,
    ),
]


@pytest.mark.parametrize("case", PRESERVING, ids=lambda case: f"{case.sampler}-{case.options}")
def test_on_preserving_samples(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """What diffusers runs on x itself."""
    theirs = case.load(monkeypatch, **SCALED_LINEAR, timestep_spacing="trailing")
    theirs.set_timesteps(case.steps)
    grid = times(PROCESS, case.steps, "trailing")
    if case.sampler == "deis":  # diffusers' ends at step 0
        grid[-1] = 0
    outputs = run(theirs, case, "eps", grid)
    if case.sampler == "pndm":  # diffusers shows the trial of its first step
        outputs = outputs[1:]
    check(case, outputs, grid)


def test_singlestep(monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers' DPM-Solver++(2S) takes its middle points from the grid: here they lie half-way in
    λ, where ours are."""
    case = Case(
        "dpmsolver_singlestep",
        "DPMSolverSinglestepScheduler",
        "dpmpp_2s_ancestral",
        ("dpmpp_2m", {}),
        options={"eta": 0.0},
    )
    theirs = case.load(monkeypatch, **SCALED_LINEAR, lower_order_final=False)
    theirs.set_timesteps(20)
    levels = torch.linspace(math.log(14.0), math.log(0.03), 21, dtype=torch.float64).exp()
    fine = PROCESS.time_of(levels)
    theirs.timesteps, theirs.sigmas = fine[:-1], levels
    theirs.order_list = [1, 2] * 10
    check(case, run(theirs, case, "eps", fine)[1::2], fine[::2])


def test_ipndm(monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers' has a schedule of its own: it is given ours, and v."""
    case = Case("ipndm", "IPNDMScheduler", "ipndm", ("pndm", {}))
    theirs = case.load(monkeypatch)
    theirs.set_timesteps(10)
    grid = times(PROCESS, 10, "trailing")
    theirs.timesteps = grid[:-1]
    theirs.alphas, theirs.betas = PROCESS.alpha(grid), PROCESS.sigma(grid)
    check(case, run(theirs, case, "v", grid), grid)


def test_lcm(monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers mixes some x into x̂₀ near clean data, which is the network's part here; so much
    time scaling leaves none of it."""
    case = Case("lcm", "LCMScheduler", "lcm", ("ddim", {"eta": 1.0}), {"timestep_scaling": 1e12})
    theirs = case.load(monkeypatch, **SCALED_LINEAR)
    theirs.set_timesteps(timesteps=[999, 759, 499, 259])
    grid = torch.tensor([999.0, 759.0, 499.0, 259.0, -1.0], dtype=torch.float64)
    check(case, run(theirs, case, "eps", grid), grid)


FLOW = [
    Case(
        "flow_match_euler_discrete",
        "FlowMatchEulerDiscreteScheduler",
        "euler",
        ("ddim", {"eta": 0.01}),
    ),
    Case("flow_match_heun_discrete", "FlowMatchHeunDiscreteScheduler", "heun", ("dpm2", {})),
    Case(*DPMPP, "dpmpp_2m", ("unipc", {}), {"use_flow_sigmas": True}),
    Case(
        "unipc_multistep",
        "UniPCMultistepScheduler",
        "unipc",
        ("dpmpp_2m", {}),
        {"use_flow_sigmas": True},
    ),
]


@pytest.mark.parametrize("case", FLOW, ids=lambda case: case.sampler)
def test_on_rectified_flow(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shifted flow; diffusers' levels are its σ, from which our grid is taken."""
    solver = "use_flow_sigmas" in case.config
    config = {"prediction_type": "flow_prediction", "flow_shift": 3.0} if solver else {"shift": 3.0}
    theirs = case.load(monkeypatch, **config)
    theirs.set_timesteps(case.steps)
    process = Process.flow(shift=3.0)
    sigmas = theirs.sigmas.unique_consecutive().double()
    grid = process.time_of(sigmas / (1 - sigmas))
    x, outputs = start(process, grid), []
    for k, t in enumerate(theirs.timesteps):
        sigma = theirs.sigmas[k]
        x = theirs.step(network("flow", x, 1 - sigma, sigma), t, x).prev_sample
        outputs.append(x)
    if len(outputs) > case.steps:
        outputs = [*outputs[1::2], outputs[-1]]
    check(case, outputs, grid, process)


def test_every_sampler_is_compared() -> None:
    compared = {case.sampler for case in [*EXPLODING, *PRESERVING, *FLOW]}
    assert compared | {"dpmpp_2s_ancestral", "ipndm", "lcm"} == set(SAMPLERS)
