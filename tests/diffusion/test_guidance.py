import math
from collections.abc import Callable

import pytest
import torch
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance
from diffusers.guiders.classifier_free_guidance import rescale_noise_cfg
from hypothesis import given
from hypothesis import strategies as st
from mixture import double, noise
from torch import Tensor

from mezzotint.diffusion import Denoiser, Process
from mezzotint.diffusion.guidance import apg, autoguidance, cfg, interval, pair, rescaled_cfg
from mezzotint.diffusion.prediction import PREDICTIONS, Prediction, from_x0
from mezzotint.errors import InputError

SHAPE = (3, 2, 4, 4)
X, T = noise(*SHAPE), double(0.5)[0]


def constant(seed: int):
    return lambda x, t: noise(*SHAPE, seed=seed)


COND, UNCOND = constant(1)(X, T), constant(2)(X, T)
BOTH = pair(constant(1), constant(2))


def test_guidance_of_none_and_one() -> None:
    assert torch.equal(cfg(BOTH, 0.0)(X, T), UNCOND)
    assert torch.allclose(cfg(BOTH, 1.0)(X, T), COND)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@given(scale=st.floats(-2, 20))
def test_guiding_the_data_is_guiding_any_prediction(prediction: Prediction, scale: float) -> None:
    alpha, sigma = 0.6, 0.7
    outs = [from_x0(prediction, x0, X, alpha, sigma) for x0 in (COND, UNCOND)]
    guided_out = outs[1] + scale * (outs[0] - outs[1])
    guided = cfg(BOTH, scale)(X, T)
    assert torch.allclose(from_x0(prediction, guided, X, alpha, sigma), guided_out)


@pytest.mark.parametrize("scale", [math.nan, math.inf])
@pytest.mark.parametrize("guide", [cfg, rescaled_cfg, apg])
def test_refuses_scales(guide: Callable[..., Denoiser], scale: float) -> None:
    with pytest.raises(InputError, match=f"guidance scale {scale}"):
        guide(BOTH, scale)


@pytest.mark.parametrize("phi", [0.0, 0.3, 1.0])
def test_rescaling_is_that_of_diffusers(phi: float) -> None:
    found = rescaled_cfg(BOTH, 6.0, phi)(X, T)
    assert torch.allclose(found, rescale_noise_cfg(cfg(BOTH, 6.0)(X, T), COND, phi))
    assert not torch.allclose(found, rescale_noise_cfg(cfg(BOTH, 6.0)(X, T), COND, phi + 0.01))
    contrast = COND.flatten(1).std(1)
    assert torch.allclose(found.flatten(1).std(1), contrast) == (phi == 1.0)


def test_rescaling_leaves_flat_pictures_alone() -> None:
    """Such as the mean of the data, which is what pure noise says of x₀ where ε is predicted."""
    flat = pair(lambda x, t: torch.full_like(x, 0.5), lambda x, t: torch.zeros_like(x))
    assert torch.equal(rescaled_cfg(flat, 3.0)(X, T), torch.full_like(X, 1.5))


@pytest.mark.parametrize("eta", [0.0, 0.4])
def test_apg_is_that_of_diffusers(eta: float) -> None:
    """Over three steps, for the momentum; what the network says changes from step to step."""

    def cond(x: Tensor, t: Tensor) -> Tensor:
        return noise(*SHAPE, seed=10 + int(t))

    def uncond(x: Tensor, t: Tensor) -> Tensor:
        return noise(*SHAPE, seed=20 + int(t))

    def ours(**options: float) -> Tensor:
        guided = apg(pair(cond, uncond), 5.0, **options)
        return torch.stack([guided(X, t) for t in double(0, 1, 2)])

    buffer = MomentumBuffer(-0.5)
    theirs = torch.stack(
        [
            normalized_guidance(cond(X, t), uncond(X, t), 4.0, buffer, eta, 7.0, True)
            for t in double(0, 1, 2)
        ]
    )
    same = {"eta": eta, "radius": 7.0, "momentum": -0.5}
    assert torch.allclose(ours(**same), theirs)
    for option in same:
        near = {**same, option: same[option] + 0.01}
        assert not torch.allclose(ours(**near), theirs, rtol=1e-4, atol=1e-5)


def test_apg_adds_nothing_along_the_prediction() -> None:
    added = apg(BOTH, 5.0)(X, T) - COND
    assert torch.allclose((added * COND).flatten(1).sum(1), double(0, 0, 0), atol=1e-12)
    assert torch.allclose(apg(BOTH, 5.0, eta=1.0)(X, T), cfg(BOTH, 5.0)(X, T))
    assert apg(BOTH, 5.0, radius=0.1)(X, T).sub(COND).flatten(1).norm(dim=1).max() <= 0.4


def test_apg_without_momentum_remembers_nothing() -> None:
    guided = apg(pair(lambda x, t: 2 * x, lambda x, t: x + 1), 5.0, eta=0.5, radius=1.0)
    fresh = apg(pair(lambda x, t: 2 * x, lambda x, t: x + 1), 5.0, eta=0.5, radius=1.0)
    guided(X, T)
    assert torch.equal(guided(X[:1], T), fresh(X[:1], T))


def test_apg_in_half_precision() -> None:
    """The squares of a large difference add up to more than float16 can hold; its norm does not."""
    x = torch.ones(1, 4, 64, 64, dtype=torch.float16)
    guided = apg(pair(lambda x, t: 4 * x, lambda x, t: x), 2.0, eta=1.0, radius=8.0)(x, T)
    added = (guided - 4 * x).double().norm().item()
    assert added == pytest.approx(8.0, rel=0.05)


def test_autoguidance_leads_away_from_the_weak_model() -> None:
    found = autoguidance(constant(1), constant(2), 2.0)(X, T)
    assert torch.allclose(found, COND + (COND - UNCOND))


def test_an_interval_guides_within_and_asks_once_without() -> None:
    process, asked = Process.edm(), []

    def spy(name: str):
        def denoise(x: Tensor, t: Tensor) -> Tensor:
            asked.append(name)
            return x

        return denoise

    denoise = interval(spy("guided"), spy("plain"), process, 0.3, 2.0)
    for t in (5.0, 2.0, 1.0, 0.3, 0.1):
        denoise(X, double(t)[0])
    assert asked == ["plain", "guided", "guided", "plain", "plain"]
    interval(spy("guided"), spy("noise"), Process.flow(), 0.3, 2.0)(X, double(1.0)[0])
    assert asked[-1] == "noise"
