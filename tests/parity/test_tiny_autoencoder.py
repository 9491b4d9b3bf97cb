"""The tiny autoencoder against diffusers' AutoencoderTiny at equal random weights."""

from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderTiny
from oracles import randomised, relative_error

from mezzotint.errors import InputError
from mezzotint.families.keys.taesd_keys import TAESD as KEYS
from mezzotint.families.sizes.taesd_presets import TAEF1, TAESD, TAESD3
from mezzotint.models.tiny_autoencoder import TinyAutoencoder, TinyAutoencoderParams

SMALL = replace(TAESD, width=16, blocks=(1, 2, 3))


def reference(params: TinyAutoencoderParams) -> AutoencoderTiny:
    widths = (params.width,) * len(params.blocks)
    return AutoencoderTiny(
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        latent_channels=params.latent_channels,
        num_encoder_blocks=params.blocks,
        num_decoder_blocks=params.blocks[::-1],
    )


def pair(dtype: torch.dtype) -> tuple[TinyAutoencoder, AutoencoderTiny]:
    theirs = randomised(reference(SMALL)).to(dtype)
    ours = TinyAutoencoder(SMALL).to(dtype)
    ours.load_state_dict(KEYS.to_ours(theirs.state_dict(), ours.state_dict(), "reference"))
    return ours, theirs


@torch.no_grad()
def errors(ours: TinyAutoencoder, theirs: AutoencoderTiny) -> tuple[float, float]:
    torch.manual_seed(1)
    images = torch.randn(2, 3, 16, 24, dtype=theirs.dtype)
    z = 3 * torch.randn(2, 4, 4, 6, dtype=theirs.dtype)
    return (
        relative_error(ours.encode(images), theirs.encode(images).latents),
        relative_error(ours.decode(z), theirs.decode(z).sample),
    )


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_equal_outputs(dtype: torch.dtype, bound: float) -> None:
    assert max(errors(*pair(dtype))) <= bound


def test_a_missing_relu_shows() -> None:
    ours, theirs = pair(torch.float64)
    ours.encoder[1].convs[1] = torch.nn.Identity()
    ours.decoder[1] = torch.nn.Identity()
    assert min(errors(ours, theirs)) > 1e-4


def test_a_size_that_no_latent_has_is_refused() -> None:
    with pytest.raises(InputError, match="image size 18x16: both must be multiples of 4"):
        TinyAutoencoder(SMALL).encode(torch.zeros(1, 3, 16, 18))


@pytest.mark.parametrize("params", [TAESD, TAESD3, TAEF1])
def test_full_size_has_the_published_names_and_shapes(params: TinyAutoencoderParams) -> None:
    with torch.device("meta"):
        theirs = reference(params).state_dict()
        ours = TinyAutoencoder(params).state_dict()
    assert KEYS.to_ours(theirs, ours, "reference").keys() == ours.keys()
    written = KEYS.to_theirs(ours)
    assert {k: v.shape for k, v in written.items()} == {k: v.shape for k, v in theirs.items()}
