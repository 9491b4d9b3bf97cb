"""Samplers against the solution of the ODE: how fast they come near, and that they get there."""

import math
from functools import cache

import pytest
import torch
from mixture import MIXTURE, ODE, PROCESSES, double, noise, silence, solve
from scipy.integrate import quad
from torch import Tensor

from mezzotint.diffusion import Process, times
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.diffusion.samplers.grid import lagrange

# The order of a step's rule: 3M's published weights have half of the quadratic term, and PNDM and
# iPNDM weigh uneven steps as if they were even, which leaves all three with two. UniPC's corrector
# adds one to its predictor's.
ORDERS = [
    ("euler", {}, 1),
    ("ddim", {}, 1),
    ("euler_ancestral", {"eta": 0.0}, 1),
    ("heun", {}, 2),
    ("dpm2", {}, 2),
    ("dpm2_ancestral", {"eta": 0.0}, 2),
    ("dpmpp_2s_ancestral", {"eta": 0.0}, 2),
    ("dpmpp_sde", {"eta": 0.0}, 2),
    ("dpmpp_2m", {}, 2),
    ("dpmpp_2m_sde", {"eta": 0.0}, 2),
    ("dpmpp_3m_sde", {"eta": 0.0}, 2),
    ("pndm", {}, 2),
    ("ipndm", {}, 2),
    ("lms", {"order": 2}, 2),
    ("lms", {"order": 3}, 3),
    ("lms", {}, 4),
    ("deis", {"order": 2}, 2),
    ("deis", {}, 3),
    ("unipc", {"order": 1}, 2),
    ("unipc", {}, 3),
    ("unipc", {"order": 3}, 4),
]


def smooth_grid(process: Process, n: int) -> Tensor:
    """Times from σ/α = 8 to 0.2, dense at both ends in λ.

    A multistep method begins with a step of first order. Its error would hide the method's own if
    that step were as long as the others.
    """
    u = torch.linspace(0, 1, n + 1, dtype=torch.float64)
    u = u * u * (3 - 2 * u)
    return process.time_of(torch.lerp(double(8.0).log(), double(0.2).log(), u).exp())


def sample(name: str, process: Process, grid: Tensor, **options: float) -> Tensor:
    x = process.sigma(grid[0]) * noise(16, 2)
    for step in SAMPLERS[name](MIXTURE.denoiser(process), x, grid, process, silence, **options):
        x = step.x
    return x


@pytest.fixture(scope="module")
def truth() -> dict[str, Tensor]:
    found = {}
    for name in ("scaled_linear", "flow"):
        process = PROCESSES[name]
        start, end = smooth_grid(process, 1)
        found[name] = solve(process, process.sigma(start) * noise(16, 2), start, end)
    return found


def test_ten_thousand_steps_meet_the_truth(truth: dict[str, Tensor]) -> None:
    process = PROCESSES["flow"]
    fine = sample("dpmpp_2m", process, smooth_grid(process, 10_000))
    assert (fine - truth["flow"]).abs().max() < 1e-6


@pytest.mark.parametrize("name", ["scaled_linear", "flow"])
@pytest.mark.parametrize(("sampler", "options", "order"), ORDERS)
def test_order(
    sampler: str, options: dict[str, float], order: int, name: str, truth: dict[str, Tensor]
) -> None:
    process = PROCESSES[name]
    errors = [
        (sample(sampler, process, smooth_grid(process, n), **options) - truth[name]).norm().item()
        for n in (40, 160)
    ]
    measured = math.log(errors[0] / errors[1]) / math.log(4)
    assert order - 0.25 < measured < order + 0.75


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("sampler", sorted(set(SAMPLERS) - {"ddpm", "lcm"}))
def test_enough_steps_come_near(sampler: str, name: str) -> None:
    """From the noisiest time of every process down to clean data."""
    process = PROCESSES[name]
    grid = times(process, 100, "exponential")
    found = sample(sampler, process, grid, **ODE.get(sampler, {}))
    first_order = sampler in {"euler", "ddim", "euler_ancestral"}
    assert (found - clean_truth(name)).abs().mean() < (0.03 if first_order else 0.003)


@cache
def clean_truth(name: str) -> Tensor:
    process = PROCESSES[name]
    start, last, _ = times(process, 2, "exponential")
    near = solve(process, process.sigma(start) * noise(16, 2), start, last)
    return MIXTURE.denoise(near, process.alpha(last), process.sigma(last))


def test_weights_are_integrals() -> None:
    nodes, kernel = [0.4, 1.0, 1.3], math.exp
    for j, weight in enumerate(lagrange(nodes, 0.4, -1.1, kernel)):
        others = [node for k, node in enumerate(nodes) if k != j]

        def basis(u: float, j: int = j, others: list[float] = others) -> float:
            return math.exp(u) * math.prod((u - node) / (nodes[j] - node) for node in others)

        assert weight == pytest.approx(quad(basis, 0.4, -1.1)[0], rel=1e-12)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_a_line_is_followed_exactly_by_3m_sde(eta: float) -> None:
    """For x̂₀ = 2 + 3λ the mean of the reverse SDE is known; all steps but the first take it."""
    process, rate = Process.scaled_linear(), 1 + eta
    grid = smooth_grid(process, 8)
    lam, alpha, sigma = process.lam(grid), process.alpha(grid), process.sigma(grid)

    def line(x: Tensor, t: Tensor) -> Tensor:
        return (2 + 3 * process.lam(t)).expand_as(x)

    steps = SAMPLERS["dpmpp_3m_sde"](line, noise(1, 2), grid, process, torch.zeros_like, eta=eta)
    xs = [step.x for step in steps]
    for i in range(1, 8):
        decay = (-eta * (lam[i + 1] - lam[i])).exp()
        forgotten = (-rate * (lam[i + 1] - lam[i])).exp()
        followed = 2 + 3 * (lam[i + 1] - 1 / rate) - forgotten * (2 + 3 * (lam[i] - 1 / rate))
        expected = sigma[i + 1] / sigma[i] * decay * xs[i - 1] + alpha[i + 1] * followed
        assert torch.allclose(xs[i], expected, atol=1e-10)
