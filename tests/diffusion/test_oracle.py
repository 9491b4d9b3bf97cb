import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mixture import MIXTURE, double, noise
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from mezzotint.diffusion.oracle import GaussianMixture


@given(alpha=st.floats(0.05, 1), sigma=st.floats(0.05, 1), seed=st.integers(0, 100))
def test_is_tweedies_formula(alpha: float, sigma: float, seed: int) -> None:
    """E[x₀ | x] = (x + σ²·∇log p(x))/α, with p from torch.distributions."""
    x = noise(5, 2, seed=seed).requires_grad_()
    spread = ((alpha * MIXTURE.stds) ** 2 + sigma**2).sqrt()
    parts = Independent(Normal(alpha * MIXTURE.means, spread[:, None].expand(-1, 2)), 1)
    density = MixtureSameFamily(Categorical(MIXTURE.weights), parts)
    (score,) = torch.autograd.grad(density.log_prob(x).sum(), x)
    expected = (x + sigma**2 * score) / alpha
    assert torch.allclose(MIXTURE.denoise(x.detach(), alpha, sigma), expected, atol=1e-9)


def test_pure_noise_gives_the_mean() -> None:
    mean = (MIXTURE.weights[:, None] * MIXTURE.means).sum(0)
    assert torch.allclose(MIXTURE.denoise(noise(4, 2), 0.0, 1.0), mean.expand(4, 2))


def test_points_are_found_again() -> None:
    points = GaussianMixture(double(-1, 2)[:, None], double(0, 0), double(0.5, 0.5))
    x0 = double(-1, 2)[:, None]
    assert torch.allclose(points.denoise(x0 + 0.01, 1.0, 0.1), x0, atol=1e-9)


def test_samples_have_its_moments() -> None:
    drawn = MIXTURE.sample(50_000, torch.Generator().manual_seed(0))
    mean = (MIXTURE.weights[:, None] * MIXTURE.means).sum(0)
    variance = (MIXTURE.weights * (MIXTURE.stds.square() * 2 + MIXTURE.means.square().sum(1))).sum()
    assert drawn.mean(0) == pytest.approx(mean, abs=0.02)
    assert drawn.square().sum(1).mean().item() == pytest.approx(variance.item(), rel=0.02)
