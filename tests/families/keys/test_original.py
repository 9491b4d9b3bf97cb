"""Whole files with the original names: what parts they have, of what sizes, and back."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.families.keys.flux_keys import FLUX
from mezzotint.families.keys.original import RELEASES, Params, Place, parts, places
from mezzotint.families.keys.sd3_keys import MMDIT
from mezzotint.families.keys.sd_keys import AUTOENCODER as AUTOENCODER_KEYS
from mezzotint.families.keys.sd_keys import CLIP_TEXT, UNET, UNET_POINTWISE
from mezzotint.families.keys.t5_keys import T5
from mezzotint.families.keys.taesd_keys import TAESD as TAESD_KEYS
from mezzotint.families.keys.taesd_original import TAESD as TAESD_ORIGINAL
from mezzotint.families.sizes import sizes_by_shape
from mezzotint.families.sizes.flux_presets import FLUX_DEV, FLUX_FILL, FLUX_SCHNELL
from mezzotint.families.sizes.sd3_presets import (
    AUTOENCODER as AUTOENCODER_16,
)
from mezzotint.families.sizes.sd3_presets import SD3_MEDIUM, SD35_LARGE, SD35_MEDIUM, T5_XXL
from mezzotint.families.sizes.sd_presets import (
    AUTOENCODER,
    SD15_UNET,
    SD21_UNET,
    SDXL_UNET,
    VIT_BIGG_TEXT,
    VIT_H_TEXT,
    VIT_L_TEXT,
)
from mezzotint.families.sizes.sizes_by_shape import Shapes
from mezzotint.families.sizes.taesd_presets import TAESD, TAESD3
from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams
from mezzotint.models.clip import CLIPText, CLIPTextParams
from mezzotint.models.flux import Flux, FluxParams
from mezzotint.models.mmdit import MMDiT, MMDiTParams
from mezzotint.models.t5 import T5Encoder, T5Params
from mezzotint.models.tiny_autoencoder import TinyAutoencoder
from mezzotint.models.unet import UNet, UNetParams

REFINER_UNET = replace(
    SDXL_UNET,
    channels=(384, 768, 1536, 1536),
    depths=(0, 4, 4, 0),
    mid_depth=4,
    heads=(6, 12, 24, 24),
    context_width=1280,
    y_width=2560,
)
LDM = {"autoencoder": AUTOENCODER}
THREE = {"text": replace(VIT_L_TEXT, projection=768), "text_2": VIT_BIGG_TEXT, "text_3": T5_XXL}
SD3 = {"autoencoder": AUTOENCODER_16, **THREE}
PUBLISHED: dict[str, tuple[str, dict[str, Params]]] = {
    "sd15": ("sd1", {"network": SD15_UNET, **LDM, "text": VIT_L_TEXT}),
    "inpainting": ("sd1", {"network": replace(SD15_UNET, channels_in=9)}),
    "sd21": ("sd2", {"network": SD21_UNET, **LDM, "text": VIT_H_TEXT}),
    "sdxl": ("xl", {"network": SDXL_UNET, **LDM, "text": VIT_L_TEXT, "text_2": VIT_BIGG_TEXT}),
    "refiner": ("refiner", {"network": REFINER_UNET, **LDM, "text": VIT_BIGG_TEXT}),
    "sd3": ("sd3", {"network": SD3_MEDIUM, **SD3}),
    "sd35 medium": ("sd3", {"network": SD35_MEDIUM}),
    "sd35 large": ("sd3", {"network": SD35_LARGE}),
    "dev": ("flux", {"network": FLUX_DEV, "autoencoder": AUTOENCODER_16, "text": VIT_L_TEXT}),
    "schnell": ("flux", {"network": FLUX_SCHNELL, "text": VIT_L_TEXT, "text_2": T5_XXL}),
    "fill": ("flux", {"network": FLUX_FILL}),
}


def module(params: Params) -> nn.Module:
    match params:
        case UNetParams():
            return UNet(params)
        case MMDiTParams():
            return MMDiT(params)
        case FluxParams():
            return Flux(params)
        case AutoencoderParams():
            return Autoencoder(params)
        case CLIPTextParams():
            return CLIPText(params)
        case T5Params():
            return T5Encoder(params)


@cache
def on_meta(params: Params) -> dict[str, Tensor]:
    with torch.device("meta"):
        return module(params).state_dict()


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def sizes(place: Place, shapes: Mapping[str, tuple[int, ...]]) -> Params:
    return getattr(sizes_by_shape, place.kind)(Shapes(place.keys.shapes(place.of(shapes)), "file"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_file_at_published_sizes_there_and_back(name: str) -> None:
    release, params = PUBLISHED[name]
    written = places(release, params)
    file: dict[str, Tensor] = {}
    for part, place in written.items():
        held = place.file(on_meta(params[part]))
        assert not file.keys() & held.keys()
        file |= held
    read = parts(shapes_of(file), "file")
    assert {part: place.prefix for part, place in read.items()} == {
        part: RELEASES[release][part] for part in params
    }
    assert read == written
    for part, place in read.items():
        assert sizes(place, shapes_of(file)) == params[part]
        ours = on_meta(params[part])
        back = place.keys.to_ours(place.of(file), ours, "file")
        assert shapes_of(back) == shapes_of(ours)


DIFFUSERS = {
    SD15_UNET: (UNET_POINTWISE, "network"),
    SDXL_UNET: (UNET, "network"),
    SD3_MEDIUM: (MMDIT, "network"),
    FLUX_DEV: (FLUX, "network"),
    AUTOENCODER: (AUTOENCODER_KEYS, "autoencoder"),
    VIT_L_TEXT: (CLIP_TEXT, "text"),
    T5_XXL: (T5, "text"),
}


@pytest.mark.parametrize("params", DIFFUSERS, ids=lambda p: type(p).__name__)
def test_a_file_of_one_network(params: Params) -> None:
    keys, part = DIFFUSERS[params]
    theirs = shapes_of(keys.to_theirs(on_meta(params)))
    assert parts(theirs, "file") == {part: Place(parts(theirs, "file")[part].kind, "", keys)}
    assert sizes(parts(theirs, "file")[part], theirs) == params


@pytest.mark.parametrize("params", DIFFUSERS, ids=lambda p: type(p).__name__)
def test_sizes_of_a_network_of_ours(params: Params) -> None:
    (place,) = parts(shapes_of(DIFFUSERS[params][0].to_theirs(on_meta(params))), "file").values()
    assert getattr(sizes_by_shape, place.kind)(Shapes(shapes_of(on_meta(params)), "")) == params


@pytest.mark.parametrize("params", [TAESD, TAESD3])
def test_tiny_autoencoders(params) -> None:
    with torch.device("meta"):
        ours = TinyAutoencoder(params).state_dict()
    for keys in (TAESD_KEYS, TAESD_ORIGINAL):
        theirs = keys.to_theirs(ours)
        assert len(theirs) == len(ours)
        assert shapes_of(keys.to_ours(theirs, ours, "file")) == shapes_of(ours)
        place = parts(shapes_of(theirs), "file")["autoencoder"]
        assert place.keys == keys
        assert sizes(place, shapes_of(theirs)) == params


@pytest.mark.parametrize("name", ["shared.weight", "encoder.embed_tokens.weight", "both"])
def test_a_t5_with_either_name_of_its_tokens(name: str) -> None:
    params = replace(T5_XXL, vocabulary=5, width=4, layers=1, heads=1, head_width=2, hidden=3)
    ours = T5Encoder(params).state_dict()
    theirs = T5.to_theirs(ours)
    tokens = theirs.pop("shared.weight")
    both = ["shared.weight", "encoder.embed_tokens.weight"]
    theirs |= dict.fromkeys(both if name == "both" else [name], tokens)
    assert torch.equal(T5.to_ours(theirs, ours, "file")["tokens.weight"], tokens)
    assert sizes(parts(shapes_of(theirs), "file")["text"], shapes_of(theirs)) == params


@pytest.mark.parametrize("start", ["text_model.", ""])
def test_a_clip_with_and_without_a_module_around_it(start: str) -> None:
    prefix = "cond_stage_model.transformer."
    theirs = CLIP_TEXT.to_theirs(on_meta(VIT_L_TEXT))
    file = {prefix + name.replace("text_model.", start): t for name, t in theirs.items()}
    file[f"{prefix}{start}embeddings.position_ids"] = torch.empty(1, 77, device="meta")
    place = parts(shapes_of(file), "file")["text"]
    back = place.keys.to_ours(place.of(file), on_meta(VIT_L_TEXT), "file")
    assert back.keys() == on_meta(VIT_L_TEXT).keys()
    assert sizes(place, shapes_of(file)) == VIT_L_TEXT


def small_file() -> dict[str, tuple[int, ...]]:
    params = {"network": replace(SD21_UNET, channels=(64, 128), depths=(1, 0), heads=(1, 2))}
    return shapes_of(places("sd2", params)["network"].file(on_meta(params["network"])))


EXTRAS = (
    "alphas_cumprod",
    "betas",
    "sqrt_one_minus_alphas_cumprod",
    "posterior_mean_coef1",
    "log_one_minus_alphas_cumprod",
    "denoiser.sigmas",
    "model_ema.decay",
    "model_ema.diffusion_modeltime_embed0weight",
    "text_encoders.clip_l.logit_scale",
    "v_pred",
)


def test_a_schedule_and_averaged_weights_are_left_and_nothing_else() -> None:
    file = small_file() | dict.fromkeys(EXTRAS, (1,))
    assert parts(file, "file") == parts(small_file(), "file")
    with pytest.raises(InputError, match="x: 2 unexpected: adapter, control_model"):
        parts(file | {"adapter": (1,), "control_model": (1,)}, "x")
    assert parts({"adapter": (1,)}, "x") == {}


def test_two_networks_for_one_part_are_refused() -> None:
    first = shapes_of(
        places("sd1", {"autoencoder": AUTOENCODER})["autoencoder"].file(on_meta(AUTOENCODER))
    )
    second = {name.replace("first_stage_model.", "vae."): shape for name, shape in first.items()}
    with pytest.raises(InputError, match=r"unexpected: vae\."):
        parts(first | second, "file")


@given(st.data())
def test_a_damaged_header_is_refused_or_read(data: st.DataObject) -> None:
    file = small_file()
    names = data.draw(st.lists(st.sampled_from(sorted(file)), min_size=1, max_size=3))
    for name in names:
        shape = file.pop(name, ())
        number = data.draw(st.integers(0, 99999))
        change = data.draw(st.sampled_from(["drop", "reshape", "renumber"]))
        if change == "reshape":
            file[name] = data.draw(st.lists(st.integers(0, 2**40), max_size=4).map(tuple))
        if change == "renumber":
            file[name.replace("blocks.", f"blocks.{number}", 1)] = shape
    with suppress(InputError):  # and nothing else
        for place in parts(file, "file").values():
            sizes(place, file)


def test_shapes_that_no_network_has() -> None:
    with pytest.raises(
        InputError, match=r"file: conv_in\.weight, which would tell its sizes, is missing"
    ):
        sizes_by_shape.unet(
            Shapes({"mid.0.attention.blocks.0.attend_cross.key.weight": (1, 1)}, "file")
        )
    with pytest.raises(InputError, match="a width of 100 has no whole heads of 64"):
        sizes_by_shape.clip_text(Shapes({"tokens.weight": (9, 100)}, "file"))
