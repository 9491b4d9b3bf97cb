"""diffusers' own pipelines of every family, tiny and at random weights.

What shapes do not tell follows the rules of the published ones: 64 channels a head (8 heads in
Stable Diffusion 1.x, 128 channels in FLUX.1), and OpenAI's CLIP is 768 wide.
"""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    PNDMScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from oracles import randomised
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from mezzotint.checkpoints.tokenizers import BEGIN, END

OPENAI, OPENCLIP, T5_WIDTH, POOLED = 768, 832, 1600, 24
SCALED_LINEAR = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "set_alpha_to_one": False,
}
MERGES = ["f o", "fo x</w>", "s n", "sn o", "sno w</w>", "t h", "th e</w>", "a t</w>", "i n</w>"]


def pipeline(family: str, folder: Path, **unet: Any) -> DiffusionPipeline:
    """The family's pipeline, with small networks of its structure."""
    torch.manual_seed(0)
    made = FAMILIES[family](folder, **unet)
    for name in ("unet", "transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"):
        if getattr(made, name, None) is not None:
            randomised(getattr(made, name))
    made.set_progress_bar_config(disable=True)
    return made


def clip_tokenizer(folder: Path, pad: str = END) -> CLIPTokenizer:
    """A vocabulary of bytes and a few merges, in CLIP's order."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = [chr(byte) for byte in shown] + [chr(256 + n) for n in range(256 - len(shown))]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += [merge.replace(" ", "") for merge in MERGES] + [BEGIN, END]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]))
    return CLIPTokenizer.from_pretrained(folder, pad_token=pad, model_max_length=77)


def clip(width: int, projects: bool = False) -> torch.nn.Module:
    """A text tower over that vocabulary."""
    size = 2 * 256 + len(MERGES) + 2
    config = CLIPTextConfig(
        vocab_size=size,
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=width // 64,
        intermediate_size=64,
        hidden_act="quick_gelu" if width == OPENAI else "gelu",
        projection_dim=POOLED,
        max_position_embeddings=77,
        bos_token_id=size - 2,
        eos_token_id=size - 1,
        pad_token_id=size - 1,
    )
    return (CLIPTextModelWithProjection if projects else CLIPTextModel)(config)


def t5(folder: Path) -> tuple[torch.nn.Module, T5Tokenizer]:
    """A small T5 and a vocabulary of letters for it."""
    pieces = ["<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz,.()", "▁fox", "▁snow"]
    scores = [(piece, -float(i > 2) * (2 + i / 99)) for i, piece in enumerate(pieces)]
    tokenizer = T5Tokenizer(vocab=scores, extra_ids=0, model_max_length=77)
    config = T5Config(
        vocab_size=len(pieces) + 8,
        d_model=T5_WIDTH,
        d_kv=64,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
    )
    return T5EncoderModel(config), tokenizer


def vae(latent_channels: int = 4, convs: bool = True, **scale: float) -> AutoencoderKL:
    """An autoencoder of factor 8."""
    return AutoencoderKL(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=latent_channels,
        layers_per_block=1,
        use_quant_conv=convs,
        use_post_quant_conv=convs,
        sample_size=64,
        **scale,
    )


def _unet(**config: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        **{
            "sample_size": 8,
            "layers_per_block": 1,
            "block_out_channels": (64, 128),
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
            "attention_head_dim": 8,
            **config,
        }
    )


def _sd(folder: Path, width: int, scheduler: Any, **unet: Any) -> DiffusionPipeline:
    return StableDiffusionPipeline(
        vae=vae(scaling_factor=0.18215),
        text_encoder=clip(width),
        tokenizer=clip_tokenizer(folder, END if width == OPENAI else "!"),
        unet=_unet(cross_attention_dim=width, **unet),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sd1(folder: Path, **unet: Any) -> DiffusionPipeline:
    scheduler = PNDMScheduler(**SCALED_LINEAR, skip_prk_steps=True)
    return _sd(folder, OPENAI, scheduler, **unet)


def _lcm(folder: Path, **unet: Any) -> DiffusionPipeline:
    scheduler = LCMScheduler(**SCALED_LINEAR | {"set_alpha_to_one": True})
    base = _sd(folder, OPENAI, scheduler, time_cond_proj_dim=256, **unet)
    return LatentConsistencyModelPipeline(**base.components, requires_safety_checker=False)


def _sd2(folder: Path, **unet: Any) -> DiffusionPipeline:
    told = {"use_linear_projection": True, "attention_head_dim": (1, 2)}
    scheduler = DDIMScheduler(**SCALED_LINEAR, clip_sample=False, prediction_type="v_prediction")
    return _sd(folder, OPENCLIP, scheduler, **(told | unet))


_XL = {
    "use_linear_projection": True,
    "attention_head_dim": (1, 2),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2),
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
}


def _sdxl(folder: Path, **unet: Any) -> DiffusionPipeline:
    sizes = {
        "cross_attention_dim": OPENAI + OPENCLIP,
        "projection_class_embeddings_input_dim": POOLED + 6 * 256,
    }
    return StableDiffusionXLPipeline(
        vae=vae(scaling_factor=0.13025),
        text_encoder=clip(OPENAI),
        text_encoder_2=clip(OPENCLIP, projects=True),
        tokenizer=clip_tokenizer(folder / "1"),
        tokenizer_2=clip_tokenizer(folder / "2", "!"),
        unet=_unet(**_XL, **sizes, **unet),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            steps_offset=1,
            timestep_spacing="leading",
        ),
    )


def _sd3(folder: Path, **transformer: Any) -> DiffusionPipeline:
    encoder, tokenizer = t5(folder)
    return StableDiffusion3Pipeline(
        vae=vae(16, convs=False, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=clip(OPENAI, projects=True),
        text_encoder_2=clip(OPENCLIP, projects=True),
        text_encoder_3=encoder,
        tokenizer=clip_tokenizer(folder / "1"),
        tokenizer_2=clip_tokenizer(folder / "2", "!"),
        tokenizer_3=tokenizer,
        transformer=SD3Transformer2DModel(
            **{
                "sample_size": 128,
                "patch_size": 2,
                "in_channels": 16,
                "num_layers": 3,
                "attention_head_dim": 64,
                "num_attention_heads": 2,
                "joint_attention_dim": T5_WIDTH,
                "caption_projection_dim": 128,
                "pooled_projection_dim": 2 * POOLED,
                "pos_embed_max_size": 12,
                **transformer,
            }
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def _flux(folder: Path, **transformer: Any) -> DiffusionPipeline:
    encoder, tokenizer = t5(folder)
    guided = transformer.get("guidance_embeds", True)
    return FluxPipeline(
        vae=vae(16, convs=False, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=clip(OPENAI),
        text_encoder_2=encoder,
        tokenizer=clip_tokenizer(folder / "1"),
        tokenizer_2=tokenizer,
        transformer=FluxTransformer2DModel(
            **{
                "in_channels": 64,
                "num_layers": 2,
                "num_single_layers": 2,
                "attention_head_dim": 128,
                "num_attention_heads": 1,
                "joint_attention_dim": T5_WIDTH,
                "pooled_projection_dim": OPENAI,
                "guidance_embeds": guided,
                **transformer,
            }
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(
            shift=3.0 if guided else 1.0,
            use_dynamic_shifting=guided,
            base_shift=0.5,
            max_shift=1.15,
        ),
    )


FAMILIES = {
    "sd1": _sd1,
    "sd1-lcm": _lcm,
    "sd2": _sd2,
    "sdxl": _sdxl,
    "sd3": _sd3,
    "sd35": lambda folder: _sd3(folder, dual_attention_layers=(0, 1), qk_norm="rms_norm"),
    "flux-dev": _flux,
    "flux-schnell": lambda folder: _flux(folder, guidance_embeds=False),
}
