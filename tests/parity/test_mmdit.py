"""MM-DiT against diffusers' at equal random weights: the structures of SD 3 and 3.5."""

from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderKL, SD3Transformer2DModel
from diffusers.models.normalization import RMSNorm
from oracles import exact_norms, randomised, relative_error
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.families.keys import sd_keys
from mezzotint.families.keys.sd3_keys import MMDIT
from mezzotint.families.sizes import sd3_presets
from mezzotint.families.sizes.sd3_presets import SD3_MEDIUM, SD35_LARGE, SD35_MEDIUM
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.mmdit import MMDiT, MMDiTParams

# what each published config.json says beside diffusers' defaults
CONFIGS = {
    "sd3": {
        "num_layers": 24,
        "num_attention_heads": 24,
        "caption_projection_dim": 1536,
        "pos_embed_max_size": 192,
    },
    "sd35-medium": {
        "num_layers": 24,
        "num_attention_heads": 24,
        "caption_projection_dim": 1536,
        "pos_embed_max_size": 384,
        "dual_attention_layers": tuple(range(13)),
        "qk_norm": "rms_norm",
    },
    "sd35-large": {
        "num_layers": 38,
        "num_attention_heads": 38,
        "caption_projection_dim": 2432,
        "pos_embed_max_size": 192,
        "qk_norm": "rms_norm",
    },
}
PARAMS = {"sd3": SD3_MEDIUM, "sd35-medium": SD35_MEDIUM, "sd35-large": SD35_LARGE}

# the same structures, narrow
NARROW = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "num_layers": 3,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 24,
    "caption_projection_dim": 32,
    "pooled_projection_dim": 20,
    "pos_embed_max_size": 7,
}
SMALL_CONFIGS = {name: config | NARROW for name, config in CONFIGS.items()}
SMALL_CONFIGS["sd35-medium"] |= {"dual_attention_layers": (0, 1)}
SMALL = {
    name: replace(
        params,
        channels=4,
        width=32,
        heads=2,
        blocks=3,
        context_width=24,
        y_width=20,
        side=7,
        span=4,
        dual_blocks=min(params.dual_blocks, 2),
    )
    for name, params in PARAMS.items()
}


def pair(name: str, dtype: torch.dtype) -> tuple[MMDiT, SD3Transformer2DModel]:
    torch.manual_seed(1)
    reference = randomised(SD3Transformer2DModel(**SMALL_CONFIGS[name])).to(dtype)
    reference.pos_embed.pos_embed *= 1.1  # not what anybody begins with
    network = MMDiT(SMALL[name]).to(dtype)
    network.load_state_dict(
        MMDIT.to_ours(reference.state_dict(), network.state_dict(), "reference")
    )
    if dtype == torch.float64:
        exact_norms(reference, RMSNorm)
    return network, reference


@torch.no_grad()
def outputs(network: MMDiT, reference: SD3Transformer2DModel) -> tuple[Tensor, Tensor]:
    dtype = reference.dtype
    x = torch.randn(2, 4, 8, 10, dtype=dtype)
    t = torch.tensor([3.0, 987.5])
    context, y = torch.randn(2, 7, 24, dtype=dtype), torch.randn(2, 20, dtype=dtype)
    return network(x, t, context, y), reference(x, context, y, t).sample


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("name", PARAMS)
def test_equal_outputs(name: str, dtype: torch.dtype, bound: float) -> None:
    assert relative_error(*outputs(*pair(name, dtype))) <= bound


@pytest.mark.parametrize("name", PARAMS)
def test_a_table_cropped_elsewhere_shows(name: str) -> None:
    network, reference = pair(name, torch.float64)
    network.positions.copy_(network.positions.roll(1, dims=1))
    assert relative_error(*outputs(network, reference)) > 1e-4


def test_without_attention_of_its_own_shows() -> None:
    network, reference = pair("sd35-medium", torch.float64)
    network.blocks[1].dual = None
    assert relative_error(*outputs(network, reference)) > 1e-4


def test_begins_with_the_published_table_of_positions() -> None:
    theirs = SD3Transformer2DModel(**SMALL_CONFIGS["sd3"]).pos_embed.pos_embed
    assert relative_error(MMDiT(SMALL["sd3"]).positions, theirs) <= 1e-6


@pytest.mark.parametrize("size", [(7, 8), (8, 16)])
def test_a_size_that_has_no_places_is_refused(size: tuple[int, int]) -> None:
    network = MMDiT(SMALL["sd3"])
    inputs = torch.zeros(1, 4, *size), torch.ones(1), torch.zeros(1, 7, 24), torch.zeros(1, 20)
    with pytest.raises(InputError, match="multiples of 2 up to 14"):
        network(*inputs)


@pytest.mark.parametrize("name", PARAMS)
def test_full_size_has_the_published_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        theirs = SD3Transformer2DModel(**CONFIGS[name]).state_dict()
        ours = MMDiT(PARAMS[name]).state_dict()
    assert MMDIT.to_ours(theirs, ours, name).keys() == ours.keys()
    written = MMDIT.to_theirs(ours)
    assert {k: v.shape for k, v in written.items()} == {k: v.shape for k, v in theirs.items()}


def test_the_autoencoder_has_the_published_names_and_shapes() -> None:
    config = {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "latent_channels": 16,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
    }
    with torch.device("meta"):
        theirs = AutoencoderKL(**config).state_dict()
        ours = Autoencoder(sd3_presets.AUTOENCODER).state_dict()
    assert sd_keys.AUTOENCODER.to_ours(theirs, ours, "reference").keys() == ours.keys()


def test_dual_blocks_are_the_first() -> None:
    params: MMDiTParams = SMALL["sd35-medium"]
    with torch.device("meta"):
        assert [b.dual is not None for b in MMDiT(params).blocks] == [True, True, False]
