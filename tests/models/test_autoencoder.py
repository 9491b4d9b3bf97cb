from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import randomised
from torch import nn
from torch.distributions import Normal, kl_divergence

from mezzotint.errors import InputError
from mezzotint.models.autoencoder import (
    Autoencoder,
    AutoencoderParams,
    kl_to_normal,
    sample_latents,
)

PARAMS = AutoencoderParams(
    image_channels=3,
    latent_channels=4,
    patch=4,
    channels=(16, 32),
    blocks=1,
    mid_attention=True,
    latent_convs=False,
    groups=4,
)


@given(
    patch=st.sampled_from([1, 2, 4]),
    levels=st.integers(1, 3),
    h=st.integers(1, 3),
    w=st.integers(1, 3),
    mid_attention=st.booleans(),
    latent_convs=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_sizes_there_and_back(
    patch: int, levels: int, h: int, w: int, mid_attention: bool, latent_convs: bool
) -> None:
    params = replace(
        PARAMS,
        patch=patch,
        channels=(16, 16, 32)[:levels],
        mid_attention=mid_attention,
        latent_convs=latent_convs,
    )
    factor = patch * 2 ** (levels - 1)
    assert params.factor == factor
    autoencoder = Autoencoder(params)
    images = torch.rand(2, 3, h * factor, w * factor) * 2 - 1
    mean, logvar = autoencoder.encode(images)
    assert mean.shape == logvar.shape == (2, 4, h, w)
    assert autoencoder.decode(mean).shape == images.shape


def difference_in_the_middle(groups: int) -> float:
    """Between a window's reconstruction and the same pixels of the whole picture's."""
    torch.manual_seed(0)
    params = replace(PARAMS, channels=(16,), mid_attention=False, groups=groups)
    autoencoder = randomised(Autoencoder(params)).double()
    whole = torch.rand(1, 3, 224, 224, dtype=torch.float64) * 2 - 1
    whole[..., 192:, :] *= 5  # unlike the window
    with torch.no_grad():
        there, here = (
            autoencoder.decode(autoencoder.encode(x)[0]) for x in (whole, whole[..., :192, :192])
        )
    return (there[..., 92:100, 92:100] - here[..., 92:100, 92:100]).abs().max().item()


def test_without_normalisation_a_window_is_treated_as_the_whole() -> None:
    assert difference_in_the_middle(groups=0) < 1e-12
    assert difference_in_the_middle(groups=4) > 1e-3


def test_attention_without_normalisation_is_refused() -> None:
    with pytest.raises(InputError, match="needs groups"):
        replace(PARAMS, groups=0)


@pytest.mark.parametrize("size", [(20, 16), (16, 4), (0, 8)])
def test_other_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"{size[1]}x{size[0]}: both must be multiples of 8"):
        Autoencoder(PARAMS).encode(torch.zeros(1, 3, *size))


def test_every_weight_matters() -> None:
    autoencoder = randomised(Autoencoder(replace(PARAMS, latent_convs=True)))
    mean, logvar = autoencoder.encode(torch.randn(2, 3, 16, 16))
    (autoencoder.decode(mean).square().sum() + logvar.sum()).backward()
    for name, weight in autoencoder.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


@pytest.mark.parametrize("latent_convs", [True, False])
def test_a_fresh_encoder_is_nearly_certain(latent_convs: bool) -> None:
    autoencoder = Autoencoder(replace(PARAMS, latent_convs=latent_convs))
    mean, logvar = autoencoder.encode(torch.randn(2, 3, 16, 16))
    assert (logvar == -6).all()
    assert mean.std() > 3 * (0.5 * logvar).exp().mean()


@given(mean=st.floats(-5, 5), logvar=st.floats(-8, 4))
def test_gaussian_is_torchs(mean: float, logvar: float) -> None:
    mu, lv = torch.tensor(mean).double(), torch.tensor(logvar).double()
    normal = Normal(mu, (0.5 * lv).exp())
    torch.testing.assert_close(kl_to_normal(mu, lv), kl_divergence(normal, Normal(0.0, 1.0)))
    noise = torch.linspace(-2, 2, 5).double()
    quantiles = normal.icdf(Normal(0.0, 1.0).cdf(noise))
    torch.testing.assert_close(sample_latents(mu, lv, noise), quantiles, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_behind_the_entry_all_maps_are_channels_last() -> None:
    autoencoder = randomised(Autoencoder(PARAMS))
    told: list[bool] = []
    for module in autoencoder.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.register_forward_pre_hook(
                lambda _, given: told.append(
                    given[0].is_contiguous(memory_format=torch.channels_last)
                )
            )
    autoencoder.decode(autoencoder.encode(torch.randn(1, 3, 64, 64))[0])
    assert told.count(False) == 2  # the entries of encoder and decoder
    assert len(told) > 10
