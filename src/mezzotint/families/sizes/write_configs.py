"""Sizes of networks as diffusers and transformers write them: our parameters to config.json."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mezzotint.errors import InputError
from mezzotint.families.base import Family
from mezzotint.families.keys.original import Params
from mezzotint.models.autoencoder import AutoencoderParams
from mezzotint.models.clip import CLIPTextParams
from mezzotint.models.flux import PATCH, FluxParams
from mezzotint.models.mmdit import MMDiTParams
from mezzotint.models.t5 import T5Params
from mezzotint.models.unet import GUIDANCE_WIDTH, UNetParams

Config = dict[str, Any]

VERSION = "0.31.0"  # of diffusers, the first that reads all of these


@dataclass(frozen=True)
class Component:
    """What model_index.json and config.json say of a network: library, class, sizes."""

    library: str
    kind: str
    config: Config

    @property
    def weights(self) -> str:
        """The name of the file of weights."""
        alone = self.library == "transformers"
        return "model.safetensors" if alone else "diffusion_pytorch_model.safetensors"


def component(params: Params, family: Family) -> Component:
    """What a network of these sizes is called and said in a folder of this family.

    Raises:
        InputError: the sizes cannot be said in diffusers' words.
    """
    match params:
        case UNetParams():
            return _diffusers("UNet2DConditionModel", unet(params, family))
        case AutoencoderParams():
            return _diffusers("AutoencoderKL", autoencoder(params, family))
        case MMDiTParams():
            return _diffusers("SD3Transformer2DModel", mmdit(params))
        case FluxParams():
            return _diffusers("FluxTransformer2DModel", flux(params))
        case CLIPTextParams():
            projected = "WithProjection" if params.projection else ""
            return _transformers(f"CLIPTextModel{projected}", clip_text(params))
        case T5Params():
            return _transformers("T5EncoderModel", t5(params))


def unet(params: UNetParams, family: Family) -> Config:
    """Of a UNet2DConditionModel; the sizes of pictures are the family's."""
    p = params
    if p.depths[-1] not in (0, p.mid_depth):
        raise InputError(
            f"a U-Net with {p.depths[-1]} transformer blocks at the coarsest level and "
            f"{p.mid_depth} in the middle cannot be said in a config.json of diffusers"
        )
    attends = [depth > 0 for depth in p.depths]
    down = ["CrossAttnDownBlock2D" if does else "DownBlock2D" for does in attends]
    config = {
        "sample_size": _side(p, family) // 8,
        "in_channels": p.channels_in,
        "out_channels": p.channels_out,
        "block_out_channels": list(p.channels),
        "layers_per_block": p.blocks,
        "down_block_types": down,
        "up_block_types": [kind.replace("Down", "Up") for kind in reversed(down)],
        "transformer_layers_per_block": _one([d or p.mid_depth for d in p.depths]),
        "attention_head_dim": _one(p.heads),  # the name is diffusers' mistake of old
        "use_linear_projection": set(p.heads) != {8},
        "cross_attention_dim": p.context_width,
        "norm_num_groups": p.groups,
        "time_cond_proj_dim": GUIDANCE_WIDTH if p.guided else None,
    }
    if p.y_width:
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": p.y_width,
        }
    return config


def autoencoder(params: AutoencoderParams, family: Family) -> Config:
    """Of an AutoencoderKL, and the scale of its latents, which is the family's."""
    levels = len(params.channels)
    return {
        "sample_size": family.size,
        "in_channels": params.image_channels,
        "out_channels": params.image_channels,
        "latent_channels": params.latent_channels,
        "block_out_channels": list(params.channels),
        "layers_per_block": params.blocks,
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "mid_block_add_attention": params.mid_attention,
        "use_quant_conv": params.latent_convs,
        "use_post_quant_conv": params.latent_convs,
        "norm_num_groups": params.groups,
        "scaling_factor": float(f"{1 / family.latent_std:.12g}"),
        "shift_factor": family.latent_mean or None,
    }


def clip_text(params: CLIPTextParams) -> Config:
    """Of a CLIPTextModel, with or without projection."""
    tower = params.tower
    return {
        "model_type": "clip_text_model",
        "hidden_size": tower.width,
        "num_hidden_layers": tower.layers,
        "num_attention_heads": tower.heads,
        "intermediate_size": tower.hidden,
        "hidden_act": tower.activation,
        "vocab_size": params.vocabulary,
        "max_position_embeddings": params.length,
        "bos_token_id": params.end_token - 1,
        "eos_token_id": params.end_token,
        "projection_dim": params.projection or tower.width,
    }


def t5(params: T5Params) -> Config:
    """Of a T5EncoderModel."""
    return {
        "model_type": "t5",
        "vocab_size": params.vocabulary,
        "d_model": params.width,
        "d_kv": params.head_width,
        "d_ff": params.hidden,
        "num_layers": params.layers,
        "num_heads": params.heads,
        "relative_attention_num_buckets": params.buckets,
        "relative_attention_max_distance": params.distance,
        "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": False,
    }


def mmdit(params: MMDiTParams) -> Config:
    """Of an SD3Transformer2DModel."""
    return {
        "sample_size": params.span * params.patch,
        "patch_size": params.patch,
        "in_channels": params.channels,
        "out_channels": params.channels,
        "num_layers": params.blocks,
        "attention_head_dim": params.width // params.heads,
        "num_attention_heads": params.heads,
        "joint_attention_dim": params.context_width,
        "caption_projection_dim": params.width,
        "pooled_projection_dim": params.y_width,
        "pos_embed_max_size": params.side,
        "dual_attention_layers": list(range(params.dual_blocks)),
        "qk_norm": "rms_norm" if params.normed else None,
    }


def flux(params: FluxParams) -> Config:
    """Of a FluxTransformer2DModel."""
    packed = PATCH**2
    return {
        "patch_size": 1,
        "in_channels": packed * params.channels_in,
        "out_channels": packed * params.channels_out,
        "num_layers": params.joint_blocks,
        "num_single_layers": params.single_blocks,
        "attention_head_dim": sum(params.axes),
        "num_attention_heads": params.heads,
        "joint_attention_dim": params.context_width,
        "pooled_projection_dim": params.y_width,
        "guidance_embeds": params.guided,
        "axes_dims_rope": list(params.axes),
    }


def _diffusers(kind: str, config: Config) -> Component:
    named = {"_class_name": kind, "_diffusers_version": VERSION}
    return Component("diffusers", kind, named | config)


def _transformers(kind: str, config: Config) -> Component:
    return Component("transformers", kind, {"architectures": [kind]} | config)


def _side(params: UNetParams, family: Family) -> int:
    """Pixels of a picture's side: 2.x predicts v where it makes larger ones."""
    return 768 if (family.release, family.prediction) == ("sd2", "v") else family.size


def _one(numbers: Sequence[int]) -> int | list[int]:
    """A number a level, or one where they are all the same."""
    return numbers[0] if len(set(numbers)) == 1 else list(numbers)
