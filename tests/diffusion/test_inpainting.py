"""What is known stays, and the rest is what it would be given that: against Gaussians."""

import pytest
import torch
from torch import Tensor

from mezzotint.diffusion import Process, seeded, times
from mezzotint.diffusion.inpainting import held, renoised, resampled
from mezzotint.diffusion.oracle import GaussianMixture
from mezzotint.diffusion.samplers import SAMPLERS

PROCESSES = {
    "flow": Process.flow(),
    "scaled_linear": Process.scaled_linear(),
    "cosine": Process.cosine(),
    "edm": Process.edm(),
}
MASK = torch.tensor([1.0, 1.0, 0.0, 0.0]).view(1, 1, 2, 2)
KNOWN = torch.tensor([9.0, 9.0, 0.7, -1.2]).view(1, 1, 2, 2)  # what is masked is not to matter


def begun(process: Process, grid: Tensor, n: int) -> Tensor:
    noise = torch.randn(n, 1, 2, 2)
    alpha, sigma = process.alpha(grid[0]), process.sigma(grid[0])
    return torch.where(MASK == 1, torch.hypot(alpha, sigma) * noise, alpha * KNOWN + sigma * noise)


@pytest.mark.parametrize("name", PROCESSES)
def test_independent_parts_have_their_exact_posterior(name: str):
    """E[x₀ | x, known] of a Gaussian with a diagonal covariance, entry by entry."""
    process = PROCESSES[name]
    data = GaussianMixture(torch.full((1, 1, 2, 2), 0.4), torch.tensor([0.8]), torch.ones(1))
    grid = times(process, 8)
    denoise = held(data.denoiser(process), KNOWN, MASK, grid)
    for t in grid[:-1]:
        x = 2 * torch.randn(5, 1, 2, 2)
        alpha, sigma = process.alpha(t), process.sigma(t)
        gain = alpha * 0.8**2 / (alpha**2 * 0.8**2 + sigma**2)
        free = 0.4 + gain * (x - alpha * 0.4)
        expected = torch.where(MASK == 1, free, KNOWN).to(x)
        torch.testing.assert_close(denoise(x, t), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_every_sampler_comes_to_what_is_known_and_to_the_rest_as_if_alone(name: str, sampler: str):
    process = PROCESSES[name]
    data = GaussianMixture(torch.full((1, 1, 2, 2), 0.4), torch.tensor([0.8]), torch.ones(1))
    grid = times(process, 6)
    x = begun(process, grid, 3)
    plain = data.denoiser(process)

    def drawn(denoise) -> Tensor:
        *_, last = SAMPLERS[sampler](denoise, x, grid, process, seeded([1, 2, 3]))
        return last.x

    kept, free = drawn(held(plain, KNOWN, MASK, grid)), drawn(plain)
    places = MASK.expand_as(kept) == 0
    torch.testing.assert_close(kept[places], KNOWN.expand_as(kept)[places], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(kept[~places], free[~places], rtol=1e-4, atol=1e-4)
    assert (free[places] - KNOWN.expand_as(free)[places]).abs().max() > 0.1


def test_grey_is_let_go_when_as_much_of_the_grid_is_left():
    grid = times(Process.flow(), 10)
    grey = torch.tensor([0.0, 0.31, 0.75, 1.0]).view(1, 1, 2, 2)
    denoise = held(lambda x, t: torch.ones_like(x), torch.zeros(1, 1, 2, 2), grey, grid)
    free = torch.stack([denoise(torch.zeros(1, 1, 2, 2), t).flatten() for t in grid[:-1]])
    assert free.sum(0).tolist() == [0, 3, 7, 10]
    assert (free.diff(dim=0) >= 0).all()


def correlated(process: Process, rho: float):
    """The denoiser of four numbers of unit variance, each pair of which correlates by ρ."""
    covariance = rho * torch.ones(4, 4, dtype=torch.float64) + (1 - rho) * torch.eye(4).double()

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = process.alpha(t), process.sigma(t)
        of_x = alpha**2 * covariance + sigma**2 * torch.eye(4)
        gain = alpha * covariance @ torch.linalg.inv(of_x)
        return (x.flatten(1).double() @ gain.T).view_as(x).to(x)

    return denoise, covariance


def test_more_passes_bring_what_depends_on_the_known_nearer_to_its_posterior():
    """E[free | known] of correlated Gaussians, which one pass underestimates."""
    process = Process.flow()
    denoise, covariance = correlated(process, 0.8)
    grid, known = times(process, 20), torch.tensor([1.7, 0.8], dtype=torch.float64)
    expected = covariance[:2, 2:] @ torch.linalg.solve(covariance[2:, 2:], known)
    kept = held(denoise, torch.tensor([0, 0, *known.tolist()]).view(1, 1, 2, 2), MASK, grid)
    away: list[float] = []
    for passes in (1, 4):
        x = torch.randn(4000, 1, 2, 2)  # of which all is noise at t = 1
        *_, last = resampled(SAMPLERS["ddim"], kept, x, grid, process, torch.randn_like, passes)
        away.append((last.x.flatten(1)[:, :2].mean(0) - expected).abs().max().item())
    assert away[0] > 0.1
    assert away[1] < away[0] / 2


def test_one_pass_is_the_sampler_and_more_are_counted():
    process = Process.flow()
    data = GaussianMixture(torch.zeros(1, 1, 2, 2), torch.ones(1), torch.ones(1))
    grid, denoise = times(process, 25), data.denoiser(process)
    x = torch.randn(1, 1, 2, 2)

    def drawn(passes: int) -> list:
        rng = seeded([1])
        return list(resampled(SAMPLERS["dpmpp_2m"], denoise, x, grid, process, rng, passes))

    alone = list(SAMPLERS["dpmpp_2m"](denoise, x, grid, process, seeded([1])))
    assert torch.equal(drawn(1)[-1].x, alone[-1].x)
    thrice = drawn(3)
    assert [step.index for step in thrice] == list(range(75))
    assert {step.total for step in thrice} == {75}
    assert [step.t for step in thrice[:6]] == pytest.approx([*grid[1:3].tolist()] * 3)
    assert thrice[-1].t == process.t_clean


@pytest.mark.parametrize("name", PROCESSES)
def test_renoising_is_the_forward_process_from_there_on(name: str):
    """q(x_s | x₀) has the mean α_s·x₀ and the variance σ_s², by way of any x_t."""
    process = PROCESSES[name]
    grid = times(process, 10)
    s, t = grid[3], grid[6]
    x0 = torch.full((20_000, 1, 1, 1), 1.5)
    x = process.diffuse(x0, torch.randn_like(x0), t.float())
    found = renoised(process, x, t, s, torch.randn_like)
    alpha, sigma = float(process.alpha(s)), float(process.sigma(s))
    assert found.mean().item() == pytest.approx(1.5 * alpha, abs=0.03 * sigma)
    assert found.std().item() == pytest.approx(sigma, rel=0.02)
    clean = renoised(process, x0, grid[-1], s, torch.randn_like)
    assert clean.std().item() == pytest.approx(sigma, rel=0.02)
