"""The autoencoder against diffusers' AutoencoderKL at equal random weights."""

from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderKL
from oracles import randomised, relative_error
from torch import Tensor

from mezzotint.families.keys.sd_keys import AUTOENCODER as KEYS
from mezzotint.families.sizes.sd_presets import AUTOENCODER as PARAMS
from mezzotint.models.autoencoder import Autoencoder

CONFIG = {  # as published with 1.x, 2.x and XL, beside diffusers' defaults
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
}
SMALL_CONFIG = CONFIG | {"block_out_channels": (32, 64, 96, 96)}
SMALL = replace(PARAMS, channels=(32, 64, 96, 96))


def pair(dtype: torch.dtype) -> tuple[Autoencoder, AutoencoderKL]:
    reference = randomised(AutoencoderKL(**SMALL_CONFIG)).to(dtype)
    autoencoder = Autoencoder(SMALL).to(dtype)
    wanted = autoencoder.state_dict()
    autoencoder.load_state_dict(KEYS.to_ours(reference.state_dict(), wanted, "reference"))
    return autoencoder, reference


@torch.no_grad()
def errors(autoencoder: Autoencoder, reference: AutoencoderKL) -> list[float]:
    generator = torch.Generator().manual_seed(1)
    dtype = reference.dtype
    images = torch.randn(2, 3, 32, 48, generator=generator, dtype=dtype)
    z = torch.randn(2, 4, 4, 6, generator=generator, dtype=dtype)
    theirs = reference.encode(images).latent_dist
    mean, logvar = autoencoder.encode(images)
    return [
        relative_error(mean, theirs.mean),
        relative_error(logvar, theirs.logvar),
        relative_error(autoencoder.decode(z), reference.decode(z).sample),
    ]


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_equal_outputs(dtype: torch.dtype, bound: float) -> None:
    assert max(errors(*pair(dtype))) <= bound


def test_padding_on_the_wrong_side_shows() -> None:
    autoencoder, reference = pair(torch.float64)
    for down in autoencoder.encoder.downs:
        down.conv.padding, down.centred = (1, 1), True
    mean_error, logvar_error, decoded_error = errors(autoencoder, reference)
    assert min(mean_error, logvar_error) > 1e-4
    assert decoded_error <= 1e-10


def test_full_size_has_the_published_names_and_shapes() -> None:
    with torch.device("meta"):
        theirs = AutoencoderKL(**CONFIG).state_dict()
        ours = Autoencoder(PARAMS).state_dict()
    assert KEYS.to_ours(theirs, ours, "reference").keys() == ours.keys()
    written = KEYS.to_theirs(ours)
    assert {k: v.shape for k, v in written.items()} == {k: v.shape for k, v in theirs.items()}


def test_attention_of_older_files_is_read() -> None:
    autoencoder, reference = pair(torch.float32)
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    older: dict[str, Tensor] = {}
    for key, tensor in reference.state_dict().items():
        for new, old in names.items():
            if f".{new}." in key:
                key = key.replace(new, old)
                tensor = tensor[:, :, None, None] if tensor.ndim == 2 else tensor
        older[key] = tensor
    read = KEYS.to_ours(older, autoencoder.state_dict(), "older file")
    for key, tensor in autoencoder.state_dict().items():
        assert torch.equal(read[key], tensor)
