"""ControlNets against diffusers' at equal random weights: alone, and steering the U-Net."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, MultiControlNetModel, UNet2DConditionModel
from diffusers.image_processor import VaeImageProcessor
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
from oracles import randomised, relative_error
from PIL import Image
from torch import Tensor, nn
from unets import CONFIGS, KEYS, PARAMS, SMALL, SMALL_CONFIGS

from mezzotint.adapters.base import attached
from mezzotint.adapters.controlnet import Control
from mezzotint.families.base import Part
from mezzotint.families.keys import controlnet_keys, sd_original
from mezzotint.models.controlnet import ONE, ControlNet, published
from mezzotint.models.unet import UNet, UNetParams

STRUCTURES = ("sd15", "sd21", "sdxl")
DTYPES = [(torch.float32, 1e-5), (torch.float64, 1e-10)]
SIZE = 6, 10  # of the latents


@cache
def reference(name: str) -> tuple[UNet2DConditionModel, tuple[ControlNetModel, ControlNetModel]]:
    torch.manual_seed(0)
    unet = randomised(UNet2DConditionModel(**SMALL_CONFIGS[name]))
    first = randomised(ControlNetModel.from_unet(unet))
    second = randomised(randomised(ControlNetModel.from_unet(unet)))
    return unet, (first, second)


def pictures() -> list[Image.Image]:
    shape = 2, 61, 101, 3  # to be resized
    return [*map(Image.fromarray, np.random.default_rng(0).integers(0, 256, shape, np.uint8))]


def seen(picture: Image.Image, dtype: torch.dtype) -> Tensor:
    """As diffusers' pipelines prepare it."""
    processor = VaeImageProcessor(do_convert_rgb=True, do_normalize=False)
    height, width = (8 * side for side in SIZE)
    return processor.preprocess(picture, height=height, width=width).to(dtype)


@dataclass(frozen=True)
class Inputs:
    x: Tensor
    t: Tensor
    context: Tensor
    y: Tensor | None
    added: dict[str, Tensor] | None


def inputs(name: str, dtype: torch.dtype) -> Inputs:
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype)

    x, t, context = draw(2, 4, *SIZE), torch.tensor([3, 987]), draw(2, 7, 24)
    if not SMALL[name].y_width:
        return Inputs(x, t, context, None, None)
    pooled, ids = draw(2, 16), torch.zeros(2, 6)
    zeros = torch.cat([torch.ones(2, 6, 4), torch.zeros(2, 6, 4)], dim=2).flatten(1)
    y = torch.cat([pooled, zeros.to(dtype)], dim=1)
    return Inputs(x, t, context, y, {"text_embeds": pooled, "time_ids": ids})


def ours(name: str, theirs: ControlNetModel, params: UNetParams, dtype: torch.dtype) -> ControlNet:
    network = ControlNet(published(params)).to(dtype)
    keys = controlnet_keys.diffusers(KEYS[name])
    network.load_state_dict(keys.to_ours(theirs.state_dict(), network.state_dict(), "reference"))
    return network


def residual_errors(name: str, params: UNetParams, dtype: torch.dtype) -> list[float]:
    theirs = reference(name)[1][0].to(dtype)
    network = ours(name, theirs, params, dtype)
    given, image = inputs(name, dtype), seen(pictures()[0], dtype)
    with torch.no_grad():
        *down, mid = network(given.x, given.t, given.context, network.hints[ONE](image), given.y)
        expected = theirs(
            given.x,
            given.t,
            given.context,
            image.expand(2, -1, -1, -1),
            added_cond_kwargs=given.added,
        )
    pairs = zip(
        [*down, mid], [*expected.down_block_res_samples, expected.mid_block_res_sample], strict=True
    )
    return [relative_error(*pair) for pair in pairs]


@pytest.mark.parametrize(("dtype", "bound"), DTYPES)
@pytest.mark.parametrize("name", STRUCTURES)
def test_equal_residuals(name: str, dtype: torch.dtype, bound: float) -> None:
    errors = residual_errors(name, SMALL[name], dtype)
    assert len(errors) == len(SMALL[name].skips) + 1
    assert max(errors) <= bound


def test_a_wrong_number_of_heads_shows() -> None:
    broken = replace(SMALL["sd21"], heads=(2, 4, 6, 3))
    errors = residual_errors("sd21", broken, torch.float64)
    assert errors[-1] > 1e-4


def steered(name: str, scales: list[float], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The U-Net's outputs with a ControlNet for each scale, ours and theirs."""
    theirs, nets = reference(name)
    theirs, images, given = theirs.to(dtype), pictures(), inputs(name, dtype)
    nets = [net.to(dtype) for net in nets[: len(scales)]]
    unet = UNet(SMALL[name]).to(dtype)
    unet.load_state_dict(KEYS[name].to_ours(theirs.state_dict(), unet.state_dict(), "reference"))
    controls = [
        Control(
            name=str(k),
            network=ours(name, net, SMALL[name], dtype),
            kind=ONE,
            image=images[k],
            scale=scale,
            start=0.0,
            end=1.0,
            pooled=False,
            guided=False,
        )
        for k, (net, scale) in enumerate(zip(nets, scales, strict=True))
    ]
    hints = [seen(image, dtype).expand(2, -1, -1, -1) for image in images[: len(scales)]]
    told = given.x, given.t, given.context
    with torch.no_grad():
        with attached({"network": Part(unet, ())}, controls):
            drawn = unet(*told, given.y)
        together = MultiControlNetModel(nets)
        down, mid = together(
            *told, hints, list(scales), added_cond_kwargs=given.added, return_dict=False
        )
        expected = theirs(
            *told,
            added_cond_kwargs=given.added,
            down_block_additional_residuals=down,
            mid_block_additional_residual=mid,
        ).sample
    return drawn, expected


@pytest.mark.parametrize("name", STRUCTURES)
def test_one_steers_as_theirs(name: str) -> None:
    assert relative_error(*steered(name, [0.7], torch.float64)) <= 1e-10


def test_two_steer_as_theirs() -> None:
    assert relative_error(*steered("sd15", [0.7, 1.3], torch.float32)) <= 1e-5
    both, expected = steered("sd15", [0.7, 1.3], torch.float64)
    assert relative_error(both, expected) <= 1e-10
    assert relative_error(both, steered("sd15", [0.7, 1.2], torch.float64)[0]) > 1e-4


@pytest.mark.parametrize("name", STRUCTURES)
def test_full_size_has_the_published_names_and_shapes(name: str) -> None:
    told = {k: v for k, v in CONFIGS[name].items() if k != "up_block_types"}
    with torch.device("meta"):
        theirs: nn.Module = ControlNetModel(**told)
        network = ControlNet(published(PARAMS[name]))
    keys, state = controlnet_keys.diffusers(KEYS[name]), network.state_dict()
    assert keys.to_ours(theirs.state_dict(), state, name).keys() == state.keys()
    assert {k: v.shape for k, v in keys.to_theirs(state).items()} == {
        k: v.shape for k, v in theirs.state_dict().items()
    }


@pytest.mark.parametrize("name", ["sd15", "sd21"])
def test_the_original_names_are_what_they_convert(name: str) -> None:
    _, (theirs, _) = reference(name)
    params = SMALL[name]
    network = ours(name, theirs.float(), params, torch.float32)
    attends = [depth > 0 for depth in params.depths]
    unet = sd_original.unet(params.blocks, attends, pointwise=name == "sd15")
    written = controlnet_keys.original(unet).to_theirs(network.state_dict())
    file = {f"{controlnet_keys.PREFIX}{key}": tensor for key, tensor in written.items()}
    converted = convert_controlnet_checkpoint(file, theirs.config)
    expected = theirs.state_dict()
    assert converted.keys() == expected.keys()
    assert all(torch.equal(converted[key], expected[key]) for key in expected)
