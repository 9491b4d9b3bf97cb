"""The original names against diffusers' converters of single files, which go one way: to theirs.

A network of diffusers or transformers at random weights → our names → the original names →
diffusers' converter gives what it had.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)
from diffusers.loaders import single_file_utils as reference
from oracles import randomised, relative_error
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from mezzotint.checkpoints.keymap import Held, KeyMap
from mezzotint.errors import InputError
from mezzotint.families.keys import (
    flux_keys,
    flux_original,
    sd3_keys,
    sd_keys,
    taesd_keys,
)
from mezzotint.families.keys.original import Params, places
from mezzotint.families.keys.sd3_original import mmdit
from mezzotint.families.keys.sd_original import OPEN_CLIP, OPEN_CLIP_2, autoencoder, unet
from mezzotint.families.keys.taesd_original import TAESD
from mezzotint.families.sizes.flux_presets import FLUX_DEV, FLUX_FILL, FLUX_SCHNELL
from mezzotint.families.sizes.sd3_presets import SD3_MEDIUM, SD35_LARGE, SD35_MEDIUM
from mezzotint.families.sizes.sd_presets import (
    AUTOENCODER,
    SD15_UNET,
    SD21_UNET,
    SDXL_UNET,
    VIT_BIGG_TEXT,
    VIT_H_TEXT,
)
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText
from mezzotint.models.flux import Flux
from mezzotint.models.mmdit import MMDiT
from mezzotint.models.unet import UNet

NETWORK = "model.diffusion_model."
U_NETS = {
    "sd1": {"attention_head_dim": 8},
    "sd2": {"attention_head_dim": (2, 4), "use_linear_projection": True},
    "xl": {
        "attention_head_dim": (2, 4),
        "use_linear_projection": True,
        "transformer_layers_per_block": (1, 2),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 64,
    },
    "refiner": {
        "attention_head_dim": (2, 4, 4),
        "use_linear_projection": True,
        "block_out_channels": (32, 64, 64),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    },
}
ATTENDS = {
    "sd1": (True, False),
    "sd2": (True, False),
    "xl": (False, True),
    "refiner": (False, True, False),
}


@dataclass(frozen=True)
class Case:
    """A network of the reference's, the maps of both kinds of names, and the converter."""

    network: Callable[[], nn.Module]
    keys: KeyMap
    original: KeyMap
    prefix: str
    convert: Callable[[dict[str, Tensor], nn.Module], dict[str, Tensor]]


def u_net(name: str) -> Case:
    config = {
        "block_out_channels": (32, 64),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": 24,
    } | U_NETS[name]
    return Case(
        lambda: UNet2DConditionModel(**config),
        sd_keys.UNET_POINTWISE if name == "sd1" else sd_keys.UNET,
        unet(2, ATTENDS[name], pointwise=name == "sd1"),
        NETWORK,
        lambda file, network: reference.convert_ldm_unet_checkpoint(file, network.config),
    )


def vae(prefix: str, latent_convs: bool) -> Case:
    config = {
        "block_out_channels": (32, 32, 64),
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
        "layers_per_block": 2,
        "use_quant_conv": latent_convs,
        "use_post_quant_conv": latent_convs,
    }
    return Case(
        lambda: AutoencoderKL(**config),
        sd_keys.AUTOENCODER,
        autoencoder(3),
        prefix,
        lambda file, network: reference.convert_ldm_vae_checkpoint(file, network.config),
    )


def clip(tower: type[nn.Module], original: KeyMap, prefix: str) -> Case:
    config = CLIPTextConfig(
        vocab_size=50,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=1,
        projection_dim=48,
        max_position_embeddings=9,
    )

    def convert(file: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
        found = reference.convert_open_clip_checkpoint(network, file, prefix)
        bare = not hasattr(network, "text_model")
        return {name.removeprefix("text_model.") if bare else name: t for name, t in found.items()}

    return Case(lambda: tower(config), sd_keys.CLIP_TEXT, original, prefix, convert)


def sd3(prefix: str, **config: object) -> Case:
    small = {
        "num_layers": 3,
        "attention_head_dim": 8,
        "num_attention_heads": 2,
        "joint_attention_dim": 24,
        "caption_projection_dim": 16,
        "pooled_projection_dim": 20,
        "pos_embed_max_size": 6,
        "sample_size": 8,
    }
    return Case(
        lambda: SD3Transformer2DModel(**small, **config),
        sd3_keys.MMDIT,
        mmdit(3),
        prefix,
        lambda file, _: reference.convert_sd3_transformer_checkpoint_to_diffusers(file),
    )


def flux(prefix: str, guided: bool) -> Case:
    small = {
        "num_layers": 2,
        "num_single_layers": 2,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 24,
        "pooled_projection_dim": 20,
        "axes_dims_rope": (4, 4, 8),
        "guidance_embeds": guided,
    }

    def convert(file: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
        whole = torch.split

        def scaled(tensor: Tensor, sizes: tuple[int, ...], dim: int) -> tuple[Tensor, ...]:
            return whole(tensor, [size * 32 // 3072 for size in sizes], dim)  # it knows one width

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "split", scaled)
            return reference.convert_flux_transformer_checkpoint_to_diffusers(file)

    return Case(
        lambda: FluxTransformer2DModel(**small), flux_keys.FLUX, flux_original.FLUX, prefix, convert
    )


CASES = {
    **{f"{name} unet": u_net(name) for name in U_NETS},
    "vae": vae("first_stage_model.", latent_convs=True),
    "16-channel vae": vae("vae.", latent_convs=False),
    "2.x text": clip(CLIPTextModel, OPEN_CLIP_2, "cond_stage_model.model."),
    "xl text": clip(CLIPTextModelWithProjection, OPEN_CLIP, "conditioner.embedders.1.model."),
    "sd3": sd3(NETWORK),
    "sd3 bare": sd3(""),
    "sd3.5 medium": sd3(NETWORK, dual_attention_layers=(0, 1), qk_norm="rms_norm"),
    "dev": flux(NETWORK, guided=True),
    "schnell": flux("", guided=False),
}


def differences(case: Case, original: KeyMap) -> set[str]:
    """Names of the reference's tensors that don't come back as they were."""
    network = randomised(case.network())
    theirs = network.state_dict()
    shapes = case.keys.shapes({name: tuple(tensor.shape) for name, tensor in theirs.items()})
    wanted = {
        name: torch.empty(shape[:2] if ".project_" in name else shape, device="meta")
        for name, shape in shapes.items()
    }
    ours = case.keys.to_ours(theirs, wanted, "reference")
    file = {case.prefix + name: tensor for name, tensor in original.to_theirs(ours).items()}
    again = original.to_ours(original.to_theirs(ours), wanted, "file")
    assert all(torch.equal(again[name], ours[name]) for name in wanted)
    back = case.convert(file, network)
    assert back.keys() == theirs.keys()
    return {name for name in theirs if not torch.equal(back[name], theirs[name])}


@pytest.mark.parametrize("name", CASES)
def test_the_converter_gives_back_what_was_there(name: str) -> None:
    assert differences(CASES[name], CASES[name].original) == set()


def exchanged(held: str | Held) -> str | Held:
    """The same with queries for keys and keys for queries."""
    if isinstance(held, Held):
        return replace(held, names=tuple(str(exchanged(name)) for name in held.names))
    return held.replace("query", "?").replace("key", "query").replace("?", "key")


@pytest.mark.parametrize("name", CASES)
def test_exchanged_names_show(name: str) -> None:
    original = CASES[name].original
    wrong = replace(original, pairs=tuple((a, exchanged(b)) for a, b in original.pairs))
    changed = differences(CASES[name], wrong)
    assert changed
    assert all(re.search("q_proj|k_proj|to_q|to_k|norm_(added_)?[qk]", n) for n in changed)


@pytest.mark.parametrize("name", ["sd3", "dev"])
def test_halves_that_are_not_swapped_show(name: str) -> None:
    original = CASES[name].original
    straight = tuple(
        (a, Held(b.names, shares=b.shares) if isinstance(b, Held) else b) for a, b in original.pairs
    )
    changed = differences(CASES[name], replace(original, pairs=straight))
    expected = {"norm_out.linear.weight", "norm_out.linear.bias"}
    last = {f"transformer_blocks.2.norm1_context.linear.{kind}" for kind in ("weight", "bias")}
    assert changed == expected | (last if name == "sd3" else set())


FOUR = {"down_block_types": range(4), "up_block_types": range(4)}
WHOLE_TOWER = replace(VIT_H_TEXT, tower=replace(VIT_H_TEXT.tower, layers=24), projection=1024)


def convert_unet(file: dict[str, Tensor]) -> dict[str, Tensor]:
    added = any("label_emb" in name for name in file)
    config = {"layers_per_block": 2, "addition_embed_type": "text_time" if added else None}
    return reference.convert_ldm_unet_checkpoint(file, config)


def convert_vae(file: dict[str, Tensor]) -> dict[str, Tensor]:
    return reference.convert_ldm_vae_checkpoint(file, FOUR)


def convert_clip(file: dict[str, Tensor]) -> dict[str, Tensor]:
    (prefix,) = {name[: name.index(".model.") + 7] for name in file}
    hidden = SimpleNamespace(config=SimpleNamespace(hidden_size=1024))
    return reference.convert_open_clip_checkpoint(hidden, file, prefix)


Full = tuple[str, str, Callable[..., nn.Module], Params, KeyMap, Callable[..., dict[str, Tensor]]]
convert_sd3 = reference.convert_sd3_transformer_checkpoint_to_diffusers
convert_flux = reference.convert_flux_transformer_checkpoint_to_diffusers
FULL: dict[str, Full] = {
    "sd1": ("sd1", "network", UNet, SD15_UNET, sd_keys.UNET_POINTWISE, convert_unet),
    "sd2": ("sd2", "network", UNet, SD21_UNET, sd_keys.UNET, convert_unet),
    "xl": ("xl", "network", UNet, SDXL_UNET, sd_keys.UNET, convert_unet),
    "vae": ("xl", "autoencoder", Autoencoder, AUTOENCODER, sd_keys.AUTOENCODER, convert_vae),
    "sd2 text": ("sd2", "text", CLIPText, VIT_H_TEXT, sd_keys.CLIP_TEXT, convert_clip),
    "xl text": ("xl", "text_2", CLIPText, VIT_BIGG_TEXT, sd_keys.CLIP_TEXT, convert_clip),
    "sd3": ("sd3", "network", MMDiT, SD3_MEDIUM, sd3_keys.MMDIT, convert_sd3),
    "sd3.5 medium": ("sd3", "network", MMDiT, SD35_MEDIUM, sd3_keys.MMDIT, convert_sd3),
    "sd3.5 large": ("sd3", "network", MMDiT, SD35_LARGE, sd3_keys.MMDIT, convert_sd3),
    "dev": ("flux", "network", Flux, FLUX_DEV, flux_keys.FLUX, convert_flux),
    "schnell": ("flux", "network", Flux, FLUX_SCHNELL, flux_keys.FLUX, convert_flux),
    "fill": ("flux", "network", Flux, FLUX_FILL, flux_keys.FLUX, convert_flux),
}


@pytest.mark.parametrize("name", FULL)
def test_full_size_has_the_published_names_and_shapes(name: str) -> None:
    release, part, make, params, keys, convert = FULL[name]
    with torch.device("meta"):
        ours = make(params).state_dict()
    expected = {k: v.shape for k, v in keys.to_theirs(ours).items()}
    converted = convert(places(release, {part: params})[part].file(ours))
    assert {k: v.shape for k, v in converted.items()} == expected


def test_the_last_layer_that_2x_does_not_use_is_left() -> None:
    with torch.device("meta"):
        whole, used = CLIPText(WHOLE_TOWER).state_dict(), CLIPText(VIT_H_TEXT).state_dict()
    file = OPEN_CLIP.to_theirs(whole) | {
        "logit_scale": torch.empty((), device="meta"),
        "attn_mask": torch.empty(77, 77, device="meta"),
    }
    assert OPEN_CLIP_2.to_ours(file, used, "file").keys() == used.keys()
    converted = convert_clip({f"cond_stage_model.model.{name}": t for name, t in file.items()})
    assert converted.keys() == sd_keys.CLIP_TEXT.to_theirs(used).keys()
    with pytest.raises(InputError, match="13 unexpected"):
        replace(OPEN_CLIP_2, ignored=OPEN_CLIP_2.ignored[2:]).to_ours(file, used, "file")


class Clamp(nn.Module):
    """What stands first in TAESD's decoder, without weights."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


class Block(nn.Module):
    """TAESD's, by its own names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        convs = [nn.Conv2d(width, width, 3, padding=1) for _ in range(3)]
        self.conv = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x) + x)


def taesd_decoder(width: int) -> nn.Sequential:
    layers: list[nn.Module] = [Clamp(), nn.Conv2d(4, width, 3, padding=1), nn.ReLU()]
    for _ in range(3):
        enlarge = nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1, bias=False)
        layers += [*(Block(width) for _ in range(3)), *enlarge]
    return nn.Sequential(*layers, Block(width), nn.Conv2d(width, 3, 3, padding=1))


def test_taesd_counts_from_the_clamp() -> None:
    small = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
    network = randomised(AutoencoderTiny(**small))
    theirs = network.state_dict()
    shapes = taesd_keys.TAESD.shapes({name: tuple(t.shape) for name, t in theirs.items()})
    wanted = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    file = TAESD.to_theirs(taesd_keys.TAESD.to_ours(theirs, wanted, "reference"))
    start = "decoder."
    original = taesd_decoder(8)
    original.load_state_dict({n[len(start) :]: t for n, t in file.items() if n.startswith(start)})
    x = torch.randn(1, 4, 4, 4)
    with torch.no_grad():
        ours, expected = original(x) * 2 - 1, network.decode(x).sample
    assert relative_error(ours, expected) <= 1e-6
    assert {n for n in file if n.startswith("encoder.")} == {
        n.replace("layers.", "") for n in theirs if n.startswith("encoder.")
    }
