import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mixture import PROCESSES, double, noise
from scipy.stats import kstest, norm

from mezzotint.diffusion import Process, denoising_loss, sample_times
from mezzotint.diffusion.losses import min_snr
from mezzotint.diffusion.prediction import PREDICTIONS, Prediction, from_x0, target
from mezzotint.errors import InputError

X0, EPS = noise(4, 3, 2, 2), noise(4, 3, 2, 2, seed=1)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a_perfect_output_costs_nothing(prediction: Prediction) -> None:
    alpha, sigma = double(0.0, 0.5, 0.9, 1.0), double(1.0, 0.5, 0.3, 0.0)
    out = target(prediction, X0, EPS, alpha, sigma)
    loss = denoising_loss(out, X0, EPS, alpha, sigma, prediction, "min_snr")
    assert loss.shape == (4,)
    assert torch.equal(loss, torch.zeros(4))
    loss = denoising_loss(out + 2, X0, EPS, alpha, sigma, prediction)
    assert torch.allclose(loss, torch.full((4,), 4.0))


@given(alpha=st.floats(0.05, 1), sigma=st.floats(0.05, 1))
def test_min_snr_weighs_all_predictions_alike(alpha: float, sigma: float) -> None:
    """The same x̂₀ costs min(SNR, γ)·|x̂₀ − x₀|², whatever the network calls it."""
    x = alpha * X0 + sigma * EPS
    wrong = X0 + noise(4, 3, 2, 2, seed=2)
    expected = min((alpha / sigma) ** 2, 5.0) * (wrong - X0).square().flatten(1).mean(1)
    for prediction in PREDICTIONS:
        out = from_x0(prediction, wrong, x, alpha, sigma)
        loss = denoising_loss(out, X0, EPS, alpha, sigma, prediction, "min_snr")
        assert torch.allclose(loss.double(), expected, rtol=1e-4)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_min_snr_is_finite_at_the_ends(prediction: Prediction) -> None:
    weights = min_snr(prediction, double(0.0, 1.0), double(1.0, 0.0))
    assert weights.isfinite().all()


def test_direction_sees_the_angle_alone() -> None:
    goal = target("flow", X0, EPS, 0.5, 0.5)
    for out, angle in ((3 * goal, 0.0), (-goal, math.pi)):
        plain = denoising_loss(out, X0, EPS, 0.5, 0.5, "flow")
        both = denoising_loss(out, X0, EPS, 0.5, 0.5, "flow", direction=0.5)
        assert torch.allclose(
            both - plain, torch.full((4,), 0.5 * (1 - math.cos(angle))), atol=1e-5
        )


def test_direction_is_that_of_each_pixels_channels() -> None:
    out, goal = noise(4, 3, 2, 2, seed=3), target("v", X0, EPS, 0.8, 0.6)
    plain = denoising_loss(out, X0, EPS, 0.8, 0.6, "v")
    both = denoising_loss(out, X0, EPS, 0.8, 0.6, "v", direction=1.0)
    for k in range(4):
        pixels = zip(out[k].flatten(1).T, goal[k].flatten(1).T, strict=True)
        turned = [1 - a @ b / (a.norm() * b.norm()) for a, b in pixels]
        assert (both - plain)[k].item() == pytest.approx(sum(turned).item() / 4, rel=1e-5)


@pytest.mark.parametrize("direction", [0.0, 0.5])
def test_places_count_as_they_are_weighed(direction: float) -> None:
    out, where = noise(4, 3, 2, 2, seed=3), noise(4, 1, 2, 2, seed=4).square()

    def loss(k: int, row: int, column: int) -> float:
        said, x0, eps = (each[k : k + 1, :, row, column] for each in (out, X0, EPS))
        return denoising_loss(said, x0, eps, 0.8, 0.6, "v", direction=direction).item()

    found = denoising_loss(out, X0, EPS, 0.8, 0.6, "v", direction=direction, where=where)
    for k in range(4):
        places = [(row, column) for row in range(2) for column in range(2)]
        each = [where[k, 0, row, column].item() * loss(k, row, column) for row, column in places]
        assert found[k].item() == pytest.approx(sum(each) / 4, rel=1e-5)


def test_half_precision_outputs_are_summed_in_single() -> None:
    out = torch.zeros(4, 3, 2, 2, dtype=torch.bfloat16)
    assert denoising_loss(out, X0.float(), EPS.float(), 0.5, 0.5, "v").dtype == torch.float32


@pytest.mark.parametrize("name", sorted(PROCESSES))
@pytest.mark.parametrize("distribution", ["uniform", "logit_normal"])
def test_times_are_the_networks(name: str, distribution: str) -> None:
    process = PROCESSES[name]
    u = torch.cat([torch.zeros(500), torch.full((500,), 1 - 2**-24)])
    t = sample_times(process, u, distribution)
    assert t.min() >= process.t_least - 1e-9
    assert t.max() <= process.t_noise + 1e-4
    assert process.steps is None or torch.equal(t, t.round())


def test_a_batch_covers_its_distribution_evenly() -> None:
    t = sample_times(Process.flow(), noise(64).mul(0).add(torch.rand(64)))
    assert torch.equal((t * 64).floor(), torch.arange(64.0).double())
    steps = sample_times(Process.linear(), torch.rand(1000))
    assert torch.equal(steps, torch.arange(1000.0))


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (-1.2, 1.2)])
def test_logit_normal(mean: float, std: float) -> None:
    """On a flow the logit of t is normal; on EDM the logarithm of σ is."""
    u = torch.rand(5000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    flow = sample_times(Process.flow(), u, "logit_normal", mean, std)
    edm = sample_times(Process.edm(), u, "logit_normal", mean, std)
    for found in (flow.logit(), edm.log()):
        assert kstest(found.numpy(), norm(mean, std).cdf).statistic < 0.01
        assert kstest(found.numpy(), norm(mean + 0.2, std).cdf).statistic > 0.05


def test_names_what_is_wrong() -> None:
    with pytest.raises(InputError, match="did you mean 'logit_normal'"):
        sample_times(Process.flow(), torch.rand(2), "lognormal")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="did you mean 'min_snr'"):
        denoising_loss(X0, X0, EPS, 0.5, 0.5, "eps", "minsnr")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="direction"):
        denoising_loss(X0, X0, EPS, 0.5, 0.5, "eps", direction=0.5)
