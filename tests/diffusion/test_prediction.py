from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mixture import MIXTURE, PROCESSES, double, noise

from mezzotint.diffusion import Prediction, Process, denoiser
from mezzotint.diffusion.prediction import PREDICTIONS, from_x0, target, to_eps, to_x0
from mezzotint.errors import InputError

levels = st.floats(1e-3, 1)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@given(alpha=levels, sigma=levels, seed=st.integers(0, 1000))
def test_a_perfect_output_gives_the_data(
    prediction: Prediction, alpha: float, sigma: float, seed: int
) -> None:
    x0, eps = noise(2, 3, 4, seed=seed), noise(2, 3, 4, seed=seed + 1)
    x = alpha * x0 + sigma * eps
    out = target(prediction, x0, eps, alpha, sigma)
    assert torch.allclose(to_x0(prediction, out, x, alpha, sigma), x0, atol=1e-9)
    assert torch.allclose(to_eps(x0, x, alpha, sigma), eps, atol=1e-9)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@given(alpha=levels, sigma=levels, seed=st.integers(0, 1000))
def test_any_output_comes_back(
    prediction: Prediction, alpha: float, sigma: float, seed: int
) -> None:
    """Also what no clean x₀ explains, as networks say."""
    x, out = noise(2, 3, 4, seed=seed), noise(2, 3, 4, seed=seed + 1)
    x0 = to_x0(prediction, out, x, alpha, sigma)
    assert torch.allclose(from_x0(prediction, x0, x, alpha, sigma), out, atol=1e-8)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize(("alpha", "sigma"), [(0.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("tensors", [False, True])
def test_finite_at_the_ends(
    prediction: Prediction, alpha: float, sigma: float, tensors: bool
) -> None:
    x, out = noise(2, 3), noise(2, 3, seed=1)
    a, s = double(alpha, sigma) if tensors else (alpha, sigma)
    assert to_x0(prediction, out, x, a, s).isfinite().all()
    assert from_x0(prediction, out, x, a, s).isfinite().all()


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a_level_for_each_sample(prediction: Prediction) -> None:
    x, out, alpha, sigma = (
        noise(3, 2, 2),
        noise(3, 2, 2, seed=1),
        double(0.1, 0.5, 1),
        double(1, 0.5, 0.1),
    )
    together = to_x0(prediction, out, x, alpha, sigma)
    for k in range(3):
        alone = to_x0(prediction, out[k : k + 1], x[k : k + 1], alpha[k], sigma[k])
        assert torch.equal(together[k : k + 1], alone)


def test_single_precision_stays() -> None:
    x = noise(2, 3).float()
    for level in (double(0.6)[0], double(0.6, 0.6)):
        for prediction in get_args(Prediction):
            assert to_x0(prediction, x, x, level, level).dtype == torch.float32


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_denoiser_of_a_perfect_network(prediction: Prediction, name: str) -> None:
    process = PROCESSES[name]

    def network(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha, sigma = process.alpha(t), process.sigma(t)
        return from_x0(prediction, MIXTURE.denoise(x, alpha, sigma), x, alpha, sigma)

    x, t = noise(4, 2), double(0.4 * process.t_noise)[0]
    found = denoiser(network, process, prediction)(x, t)
    assert torch.allclose(found, MIXTURE.denoiser(process)(x, t), atol=1e-9)


def test_no_network_sees_a_time_before_step_zero() -> None:
    seen = []
    denoise = denoiser(lambda x, t: seen.append(t.item()) or x, Process.linear(), "x0")
    denoise(noise(1, 2), double(-0.4)[0])
    denoise(noise(1, 2), double(12.5)[0])
    assert seen == [0.0, 12.5]


def test_unknown_predictions_are_named() -> None:
    for call in (
        lambda: denoiser(lambda x, _: x, Process.flow(), "epsilon"),  # type: ignore[arg-type]
        lambda: target("epsilon", noise(1), noise(1), 1.0, 1.0),  # type: ignore[arg-type]
        lambda: to_x0("epsilon", noise(1), noise(1), 1.0, 1.0),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError, match="did you mean 'eps'"):
            call()
