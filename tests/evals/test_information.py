"""What is told of a sample, where it is known: of which of some bumps it came from."""

import math
from dataclasses import replace

import pytest
import torch

from mezzotint.diffusion import Process
from mezzotint.diffusion.noise import seeded
from mezzotint.diffusion.oracle import GaussianMixture
from mezzotint.evals.information import nats

N = 1500


def mixture(apart: float, weights: tuple[float, ...]) -> GaussianMixture:
    turn = torch.arange(len(weights), dtype=torch.float64) * (2 * math.pi / len(weights))
    means = apart * torch.stack([turn.cos(), turn.sin()], 1)
    share = torch.tensor(weights, dtype=torch.float64)
    return GaussianMixture(means, torch.full_like(share, 0.3), share)


def drawn(m: GaussianMixture) -> tuple[torch.Tensor, torch.Tensor]:
    """Which bump, (N,), and a sample of it, (N, 2)."""
    generator = torch.Generator().manual_seed(0)
    which = torch.multinomial(m.weights, N, replacement=True, generator=generator)
    noise = torch.randn(N, 2, generator=generator, dtype=torch.float64)
    return which, m.means[which] + m.stds[which, None] * noise


def told_of(m: GaussianMixture, which: torch.Tensor, process: Process):
    """The perfect denoiser of who knows the bump."""
    alone = [
        replace(m, means=m.means[[k]], stds=m.stds[[k]], weights=m.weights[[k]] / m.weights[k])
        for k in range(len(m.weights))
    ]

    def denoise(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(x)
        for k, bump in enumerate(alone):
            out[which == k] = bump.denoiser(process)(x[which == k], t)
        return out

    return denoise


def true_nats(m: GaussianMixture, which: torch.Tensor, x: torch.Tensor) -> float:
    """E ln p(x | c) − ln p(x), by the formula of the densities."""
    away = (x[:, None] - m.means).square().sum(2)
    log = -away / (2 * m.stds.square()) - 2 * m.stds.log()
    all_of_them = (log + m.weights.log()).logsumexp(1)
    return (log.gather(1, which[:, None])[:, 0] - all_of_them).mean().item()


@pytest.mark.parametrize("process", [Process.cosine(), Process.flow(), Process.scaled_linear()])
@pytest.mark.parametrize(
    ("apart", "weights"),
    [(2.0, (0.25, 0.25, 0.25, 0.25)), (2.0, (0.7, 0.2, 0.1)), (0.3, (0.5, 0.25, 0.25))],
)
def test_it_is_what_the_densities_say(process, apart, weights):
    m = mixture(apart, weights)
    which, x = drawn(m)
    found = nats(
        told_of(m, which, process), m.denoiser(process), x, process, seeded(range(N)), levels=48
    )
    error = found.std().item() / math.sqrt(N)
    assert found.shape == (N,)
    assert found.mean().item() == pytest.approx(true_nats(m, which, x), abs=0.02 + 2 * error)
    if apart == 2.0:  # then it is the entropy of the bumps
        entropy = -sum(w * math.log(w) for w in weights)
        assert found.mean().item() == pytest.approx(entropy, abs=0.05 + 2 * error)


def test_nothing_told_is_nothing_and_a_lie_is_less():
    process, m = Process.cosine(), mixture(2.0, (0.5, 0.5))
    which, x = drawn(m)
    plain = m.denoiser(process)
    assert nats(plain, plain, x, process, seeded(range(N))).abs().max() == 0
    lie = nats(told_of(m, 1 - which, process), plain, x, process, seeded(range(N)))
    assert lie.mean() < -1
