"""The U-Net against diffusers' at equal random weights: SD 1.5, 2.1, XL and an LCM."""

from dataclasses import replace

import pytest
import torch
from diffusers import LatentConsistencyModelPipeline, UNet2DConditionModel
from oracles import randomised, relative_error
from torch import Tensor
from unets import CONFIGS, KEYS, PARAMS, SMALL, SMALL_CONFIGS

from mezzotint.models.unet import UNet, UNetParams
from mezzotint.nn.embedding import sinusoidal

BROKEN = {
    "sd15": replace(SMALL["sd15"], heads=(8, 8, 4, 8)),
    "sd21": replace(SMALL["sd21"], heads=(2, 4, 6, 3)),
    "sdxl": replace(SMALL["sdxl"], heads=(1, 2, 1)),
    "lcm": replace(SMALL["lcm"], heads=(8, 8, 4, 8)),
}


def outputs(
    name: str, params: UNetParams, dtype: torch.dtype, size: tuple[int, int], told: float = 8.5
) -> tuple[Tensor, Tensor]:
    """Ours and theirs, which is guided by 8.5."""
    torch.manual_seed(1)
    reference = randomised(UNet2DConditionModel(**SMALL_CONFIGS[name])).to(dtype)
    network = UNet(params).to(dtype)
    network.load_state_dict(
        KEYS[name].to_ours(reference.state_dict(), network.state_dict(), "reference")
    )
    x = torch.randn(2, 4, *size, dtype=dtype)
    t = torch.tensor([3, 987])
    context = torch.randn(2, 7, 24, dtype=dtype)
    y, added = None, None
    if params.y_width:
        pooled = torch.randn(2, 16, dtype=dtype)
        sizes = torch.tensor([[512.0, 768, 0, 64, 1024, 1024], [1024, 1024, 8, 0, 640, 512]])
        y = torch.cat([pooled, sinusoidal(sizes, 8).flatten(1).to(dtype)], dim=1)
        added = {"text_embeds": pooled, "time_ids": sizes}
    guidance, embedded = None, None
    if params.guided:  # they give it the paper's scale, and embed it in the pipeline
        embed = LatentConsistencyModelPipeline.get_guidance_scale_embedding
        embedded = embed(None, torch.tensor([8.5, 8.5]) - 1, embedding_dim=256).to(dtype)
        guidance = torch.tensor([told, told])
    with torch.no_grad():
        theirs = reference(x, t, context, timestep_cond=embedded, added_cond_kwargs=added).sample
        return network(x, t, context, y, guidance), theirs


@pytest.mark.parametrize("name", PARAMS)
def test_equal_outputs(name: str) -> None:
    assert relative_error(*outputs(name, SMALL[name], torch.float32, (16, 16))) <= 1e-5
    assert relative_error(*outputs(name, SMALL[name], torch.float64, (16, 16))) <= 1e-10


def test_equal_outputs_at_sizes_that_no_level_divides() -> None:
    assert relative_error(*outputs("sd15", SMALL["sd15"], torch.float64, (13, 18))) <= 1e-10


@pytest.mark.parametrize("name", PARAMS)
def test_a_wrong_number_of_heads_shows(name: str) -> None:
    assert relative_error(*outputs(name, BROKEN[name], torch.float64, (16, 16))) > 1e-4


def test_another_guidance_scale_shows() -> None:
    ours, theirs = outputs("lcm", SMALL["lcm"], torch.float64, (16, 16), told=7.5)
    assert relative_error(ours, theirs) > 1e-4


@pytest.mark.parametrize("name", PARAMS)
def test_full_size_has_the_published_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        theirs = UNet2DConditionModel(**CONFIGS[name]).state_dict()
        ours = UNet(PARAMS[name]).state_dict()
    loaded = KEYS[name].to_ours(theirs, ours, name)
    assert loaded.keys() == ours.keys()
    written = KEYS[name].to_theirs(ours)
    assert {k: v.shape for k, v in written.items()} == {k: v.shape for k, v in theirs.items()}
