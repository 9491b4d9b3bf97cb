"""Sizes of networks as diffusers and transformers write them: config.json to our parameters."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from mezzotint.errors import InputError
from mezzotint.models.autoencoder import AutoencoderParams
from mezzotint.models.clip import CLIPTextParams, CLIPVisionParams, TowerParams
from mezzotint.models.flux import PATCH, FluxParams
from mezzotint.models.mmdit import MMDiTParams
from mezzotint.models.t5 import T5Params
from mezzotint.models.unet import UNetParams

Config = Mapping[str, Any]

ATTENDING = {"CrossAttnDownBlock2D": True, "DownBlock2D": False}
ACTIVATIONS = {"quick_gelu": "quick_gelu", "gelu": "gelu"}


def unet(config: Config) -> UNetParams:
    """Of a UNet2DConditionModel.

    Raises:
        KeyError, InputError: it is not of Stable Diffusion's kind.
    """
    channels = tuple(config["block_out_channels"])
    attends = [_known(config, "down_block_types", kind, ATTENDING) for kind in _types(config)]
    depths = _each(config.get("transformer_layers_per_block", 1), channels)
    # the name is diffusers' mistake of old: these are numbers of heads
    heads = _each(config.get("num_attention_heads") or config["attention_head_dim"], channels)
    return UNetParams(
        channels_in=config["in_channels"],
        channels_out=config["out_channels"],
        channels=channels,
        blocks=config["layers_per_block"],
        depths=tuple(depth * does for depth, does in zip(depths, attends, strict=True)),
        mid_depth=depths[-1],
        heads=heads,
        context_width=config["cross_attention_dim"],
        y_width=config.get("projection_class_embeddings_input_dim") or 0,
        groups=config.get("norm_num_groups", 32),
        guided=config.get("time_cond_proj_dim") is not None,
    )


def autoencoder(config: Config) -> AutoencoderParams:
    """Of an AutoencoderKL."""
    return AutoencoderParams(
        image_channels=config["in_channels"],
        latent_channels=config["latent_channels"],
        patch=1,
        channels=tuple(config["block_out_channels"]),
        blocks=config["layers_per_block"],
        mid_attention=config.get("mid_block_add_attention", True),
        latent_convs=config.get("use_quant_conv", True),
        groups=config.get("norm_num_groups", 32),
    )


def clip_text(config: Config, end_token: int, projects: bool) -> CLIPTextParams:
    """Of a CLIPTextModel; what ``end_token`` is, the tokenizer knows better than old configs."""
    return CLIPTextParams(
        tower=_tower(config),
        vocabulary=config["vocab_size"],
        length=config["max_position_embeddings"],
        end_token=end_token,
        projection=config["projection_dim"] if projects else 0,
    )


def clip_vision(config: Config) -> CLIPVisionParams:
    """Of a CLIPVisionModelWithProjection."""
    return CLIPVisionParams(
        tower=_tower(config),
        size=config["image_size"],
        patch=config["patch_size"],
        projection=config["projection_dim"],
    )


def t5(config: Config) -> T5Params:
    """Of a T5EncoderModel."""
    return T5Params(
        vocabulary=config["vocab_size"],
        width=config["d_model"],
        layers=config["num_layers"],
        heads=config["num_heads"],
        head_width=config["d_kv"],
        hidden=config["d_ff"],
        buckets=config["relative_attention_num_buckets"],
        distance=config.get("relative_attention_max_distance", 128),
    )


def mmdit(config: Config) -> MMDiTParams:
    """Of an SD3Transformer2DModel."""
    return MMDiTParams(
        channels=config["in_channels"],
        patch=config["patch_size"],
        width=config["num_attention_heads"] * config["attention_head_dim"],
        heads=config["num_attention_heads"],
        blocks=config["num_layers"],
        dual_blocks=len(config.get("dual_attention_layers", ())),
        normed=config.get("qk_norm") is not None,
        context_width=config["joint_attention_dim"],
        y_width=config["pooled_projection_dim"],
        side=config["pos_embed_max_size"],
        span=config["sample_size"] // config["patch_size"],
    )


def flux(config: Config) -> FluxParams:
    """Of a FluxTransformer2DModel."""
    packed = PATCH**2
    return FluxParams(
        channels_in=config["in_channels"] // packed,
        channels_out=(config.get("out_channels") or config["in_channels"]) // packed,
        width=config["num_attention_heads"] * config["attention_head_dim"],
        heads=config["num_attention_heads"],
        joint_blocks=config["num_layers"],
        single_blocks=config["num_single_layers"],
        axes=cast("tuple[int, int, int]", tuple(config["axes_dims_rope"])),
        context_width=config["joint_attention_dim"],
        y_width=config["pooled_projection_dim"],
        guided=config["guidance_embeds"],
    )


def _tower(config: Config) -> TowerParams:
    return TowerParams(
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        hidden=config["intermediate_size"],
        activation=_known(config, "hidden_act", config["hidden_act"], ACTIVATIONS),
    )


def _types(config: Config) -> Sequence[str]:
    return cast("Sequence[str]", config["down_block_types"])


def _each(value: int | Sequence[int], levels: Sequence[int]) -> tuple[int, ...]:
    """One number for every level, or a number a level."""
    return (value,) * len(levels) if isinstance(value, int) else tuple(value)


def _known(config: Config, field: str, value: str, known: Mapping[str, Any]) -> Any:
    if value not in known:
        raise InputError(f"config.json: {field} {value!r} is none of {', '.join(known)}")
    return known[value]
