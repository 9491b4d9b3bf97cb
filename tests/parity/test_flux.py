"""FLUX.1 against diffusers' at equal random weights: dev, schnell and Fill."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from diffusers import FluxPipeline, FluxTransformer2DModel
from oracles import randomised, relative_error
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.families.keys.flux_keys import FLUX
from mezzotint.families.sizes.flux_presets import FLUX_DEV, FLUX_FILL, FLUX_SCHNELL
from mezzotint.models.flux import Flux, FluxParams

# what each published config.json says beside diffusers' defaults
CONFIGS = {
    "dev": {"guidance_embeds": True},
    "schnell": {"guidance_embeds": False},
    "fill": {"guidance_embeds": True, "in_channels": 384, "out_channels": 64},
}
PARAMS = {"dev": FLUX_DEV, "schnell": FLUX_SCHNELL, "fill": FLUX_FILL}

# the same structures, narrow
NARROW = {
    "num_layers": 2,
    "num_single_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 24,
    "pooled_projection_dim": 20,
    "axes_dims_rope": (4, 4, 8),
}
SMALL_CONFIGS = {name: config | NARROW for name, config in CONFIGS.items()}
SMALL = {
    name: replace(
        params,
        width=32,
        heads=2,
        joint_blocks=2,
        single_blocks=2,
        axes=(4, 4, 8),
        context_width=24,
        y_width=20,
    )
    for name, params in PARAMS.items()
}


def outputs(
    name: str, params: FluxParams, dtype: torch.dtype, guidance: float = 3.5
) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    reference = randomised(FluxTransformer2DModel(**SMALL_CONFIGS[name])).to(dtype)
    network = Flux(params).to(dtype)
    network.load_state_dict(FLUX.to_ours(reference.state_dict(), network.state_dict(), "reference"))
    x = torch.randn(2, params.channels_in, 8, 10, dtype=dtype)
    t = torch.tensor([125.0, 500.0], dtype=dtype)
    context, y = torch.randn(2, 7, 24, dtype=dtype), torch.randn(2, 20, dtype=dtype)
    theirs_scale, ours_scale = None, None
    if params.guided:
        theirs_scale = torch.tensor([3.5, 2.0], dtype=dtype)
        ours_scale = torch.tensor([guidance, 2.0])
    with torch.no_grad():
        packed = reference(
            FluxPipeline._pack_latents(x, *x.shape),
            context,
            y,
            t / 1000,
            FluxPipeline._prepare_latent_image_ids(2, 4, 5, x.device, dtype),
            torch.zeros(7, 3, dtype=dtype),
            theirs_scale,
        ).sample
        theirs = FluxPipeline._unpack_latents(packed, 64, 80, vae_scale_factor=8)
        return network(x, t, context, y, ours_scale), theirs


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("name", PARAMS)
def test_equal_outputs(name: str, dtype: torch.dtype, bound: float) -> None:
    assert relative_error(*outputs(name, SMALL[name], dtype)) <= bound


@pytest.mark.parametrize("name", PARAMS)
def test_other_axes_show(name: str) -> None:
    other = replace(SMALL[name], axes=(4, 8, 4))
    assert relative_error(*outputs(name, other, torch.float64)) > 1e-4


def test_another_guidance_scale_shows() -> None:
    ours, theirs = outputs("dev", SMALL["dev"], torch.float64, guidance=3.0)
    assert relative_error(ours[0], theirs[0]) > 1e-4
    assert relative_error(ours[1], theirs[1]) <= 1e-10


def test_fill_packs_latents_picture_and_mask_as_diffusers_does() -> None:
    """Packing all channels at once is packing each part and joining the parts."""
    parts = [torch.randn(1, c, 4, 6) for c in (16, 16, 64)]
    theirs = torch.cat([FluxPipeline._pack_latents(part, *part.shape) for part in parts], dim=2)
    ours = F.pixel_unshuffle(torch.cat(parts, dim=1), 2).flatten(2).transpose(1, 2)
    assert torch.equal(ours, theirs)


def test_guidance_is_given_exactly_where_it_is_known() -> None:
    inputs = torch.zeros(1, 16, 4, 4), torch.ones(1), torch.zeros(1, 7, 24), torch.zeros(1, 20)
    with pytest.raises(InputError, match="is missing"):
        Flux(SMALL["dev"])(*inputs)
    with pytest.raises(InputError, match="was given"):
        Flux(SMALL["schnell"])(*inputs, torch.ones(1))


def test_odd_sizes_are_refused() -> None:
    inputs = torch.zeros(1, 16, 4, 5), torch.ones(1), torch.zeros(1, 7, 24), torch.zeros(1, 20)
    with pytest.raises(InputError, match="latent size 5x4"):
        Flux(SMALL["schnell"])(*inputs)


def test_axes_that_do_not_fill_a_head_are_refused() -> None:
    with pytest.raises(InputError, match="add up to the width"):
        replace(FLUX_DEV, axes=(16, 56, 58))


@pytest.mark.parametrize("name", PARAMS)
def test_full_size_has_the_published_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        theirs = FluxTransformer2DModel(**CONFIGS[name]).state_dict()
        ours = Flux(PARAMS[name]).state_dict()
    assert FLUX.to_ours(theirs, ours, name).keys() == ours.keys()
    written = FLUX.to_theirs(ours)
    assert {k: v.shape for k, v in written.items()} == {k: v.shape for k, v in theirs.items()}
