"""IP-Adapters against diffusers' at equal random weights, and pictures against transformers'."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import randomised, relative_error
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from unets import CONFIGS, KEYS, PARAMS, SMALL, SMALL_CONFIGS

from mezzotint.adapters.base import attached
from mezzotint.adapters.ip_adapter import ip_adapter
from mezzotint.adapters.negatives import negative_rows
from mezzotint.adapters.pictures import for_clip
from mezzotint.families.base import Part
from mezzotint.families.keys.ip_adapter_keys import ip_adapter as keys_of
from mezzotint.models.ip_adapter import (
    IPAdapter,
    IPAdapterParams,
    ResamplerParams,
    cross_attentions,
)
from mezzotint.models.unet import UNet

CONTEXT, PROJECTION, WIDTH, SIDE = 24, 20, 32, 32
DTYPES = [(torch.float32, 1e-5), (torch.float64, 1e-10)]
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 57, 3), np.uint8))


@cache
def encoder() -> CLIPVisionModelWithProjection:
    torch.manual_seed(0)
    return randomised(
        CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=WIDTH,
                num_hidden_layers=3,
                num_attention_heads=4,
                intermediate_size=48,
                image_size=SIDE,
                patch_size=8,
                projection_dim=PROJECTION,
                hidden_act="gelu",
            )
        )
    )


@cache
def reference(name: str) -> UNet2DConditionModel:
    torch.manual_seed(0)
    return randomised(UNet2DConditionModel(**SMALL_CONFIGS[name]))


def params(name: str, plus: bool) -> IPAdapterParams:
    widths = tuple(each.query.out_features for each in cross_attentions(unet(name)))
    if not plus:
        return IPAdapterParams(PROJECTION, 4, CONTEXT, widths, None)
    return IPAdapterParams(WIDTH, 16, CONTEXT, widths, ResamplerParams(128, 4, 2, 512))


@cache
def unet(name: str) -> UNet:
    with torch.device("meta"):
        return UNet(SMALL[name])


def state(name: str, plus: bool) -> dict[str, Tensor]:
    """A file's tensors, of an adapter of ours with random weights."""
    torch.manual_seed(7)
    network = randomised(IPAdapter(params(name, plus)))
    return keys_of(len(network.params.widths)).to_theirs(network.state_dict())


def nested(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    tables: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        table, _, rest = name.partition(".")
        tables.setdefault(table, {})[rest] = tensor
    return tables


def outputs(
    name: str, plus: bool, dtype: torch.dtype, folder: Path, scale: float = 0.6, told: float = 0.6
) -> tuple[Tensor, Tensor]:
    """The U-Net's outputs of a negative row and another, which sees the picture: ours, theirs."""
    encoder().save_pretrained(folder / "image_encoder")
    tensors = state(name, plus)
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "ip.safetensors")
    adapter = ip_adapter(folder / "ip.safetensors", PICTURE, told)
    theirs = UNet2DConditionModel(**SMALL_CONFIGS[name])
    theirs.load_state_dict(reference(name).state_dict())
    network = UNet(SMALL[name])
    network.load_state_dict(KEYS[name].to_ours(theirs.state_dict(), network.state_dict(), "theirs"))
    theirs._load_ip_adapter_weights([nested(tensors)], low_cpu_mem_usage=False)
    for processor in theirs.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [scale]
    theirs, network = theirs.to(dtype).eval(), network.to(dtype).eval()

    generator = torch.Generator().manual_seed(1)
    x, context = (
        torch.randn(s, generator=generator, dtype=dtype) for s in ((2, 4, 6, 8), (2, 7, 24))
    )
    t, y, added = torch.tensor([500, 500]), None, {}
    if SMALL[name].y_width:
        y = torch.cat([torch.ones(2, 6, 4), torch.zeros(2, 6, 4)], dim=2).flatten(1).to(dtype)
        y = torch.cat([x[:, :, :2, :2].flatten(1), y], dim=1)
        added = {"text_embeds": y[:, :16], "time_ids": torch.zeros(2, 6)}
    eye = encoder().to(dtype)
    seen = torch.from_numpy(np.stack(processed(PICTURE, SIDE))).to(dtype)
    with torch.no_grad():
        if plus:
            blank, features = (
                eye(pixels, output_hidden_states=True).hidden_states[-2]
                for pixels in (torch.zeros_like(seen), seen)
            )
        else:
            features = eye(seen).image_embeds
            blank = torch.zeros_like(features)
        images = [torch.cat([blank, features])[:, None]]
        expected = theirs(x, t, context, added_cond_kwargs={**added, "image_embeds": images}).sample
        with attached({"network": Part(network, ())}, [adapter]):
            negative_rows(network, [True, False])
            drawn = network(x, t, context, y)
    eye.float()
    return drawn, expected


def processed(picture: Image.Image, side: int) -> list[np.ndarray]:
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    )
    return processor(picture)["pixel_values"]


@pytest.mark.parametrize(("dtype", "bound"), DTYPES)
@pytest.mark.parametrize("plus", [False, True])
@pytest.mark.parametrize("name", ["sd15", "sdxl"])
def test_equal_outputs(
    name: str, plus: bool, dtype: torch.dtype, bound: float, tmp_path: Path
) -> None:
    assert relative_error(*outputs(name, plus, dtype, tmp_path)) <= bound


@pytest.mark.parametrize("plus", [False, True])
def test_another_scale_shows(plus: bool, tmp_path: Path) -> None:
    drawn, expected = outputs("sd15", plus, torch.float64, tmp_path, told=0.5)
    assert relative_error(drawn[:1], expected[:1]) > 1e-5
    assert relative_error(drawn[1:], expected[1:]) > 1e-4


# as published: what each sees, the tokens it makes, and its resampler
PUBLISHED = {
    "sd15": ("sd15", 1024, 4, None),
    "sd15 plus": ("sd15", 1280, 16, ResamplerParams(768, 4, 12, 3072)),
    "sdxl": ("sdxl", 1280, 4, None),
    "sdxl plus": ("sdxl", 1280, 16, ResamplerParams(1280, 4, 20, 5120)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_full_size_is_read_and_loaded_by_diffusers(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    structure, width, tokens, resampler = PUBLISHED[name]
    with torch.device("meta"):
        theirs, network = UNet2DConditionModel(**CONFIGS[structure]), UNet(PARAMS[structure])
        widths = tuple(each.query.out_features for each in cross_attentions(network))
        context = PARAMS[structure].context_width
        ours = IPAdapter(IPAdapterParams(width, tokens, context, widths, resampler))
        written = keys_of(len(widths)).to_theirs(ours.state_dict())
        theirs._load_ip_adapter_weights([nested(written)], low_cpu_mem_usage=False)
    assert len(widths) == {"sd15": 16, "sdxl": 70}[structure]


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(["RGB", "L", "RGBA"]))
@settings(max_examples=20)
def test_pictures_as_transformers_prepares_them(width: int, height: int, mode: str) -> None:
    numbers = np.random.default_rng(width * height).integers(0, 256, (height, width, 4), np.uint8)
    picture = Image.fromarray(numbers).convert(mode)
    ours = for_clip(picture, 24)
    theirs = torch.from_numpy(np.stack(processed(picture, 24)))
    assert (ours - theirs).abs().max() <= 1e-5
