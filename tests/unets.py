"""The structures of published U-Nets, as diffusers and as we describe them, and narrow ones."""

from dataclasses import replace
from typing import Any

from mezzotint.families.keys.sd_keys import UNET, UNET_POINTWISE
from mezzotint.families.sizes.sd_presets import SD15_UNET, SD21_UNET, SDXL_UNET

# what each published config.json says beside diffusers' defaults
CONFIGS: dict[str, dict[str, Any]] = {
    "sd15": {"cross_attention_dim": 768},
    "sd21": {
        "cross_attention_dim": 1024,
        "attention_head_dim": (5, 10, 20, 20),
        "use_linear_projection": True,
    },
    "sdxl": {
        "cross_attention_dim": 2048,
        "attention_head_dim": (5, 10, 20),
        "use_linear_projection": True,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "lcm": {"cross_attention_dim": 768, "time_cond_proj_dim": 256},
}
PARAMS = {
    "sd15": SD15_UNET,
    "sd21": SD21_UNET,
    "sdxl": SDXL_UNET,
    "lcm": replace(SD15_UNET, guided=True),
}
KEYS = {"sd15": UNET_POINTWISE, "sd21": UNET, "sdxl": UNET, "lcm": UNET_POINTWISE}

# the same structures, narrow
SMALL_CONFIGS = {
    "sd15": CONFIGS["sd15"]
    | {"cross_attention_dim": 24, "block_out_channels": (32, 64, 96, 96), "attention_head_dim": 8},
    "sd21": CONFIGS["sd21"]
    | {
        "cross_attention_dim": 24,
        "block_out_channels": (32, 64, 96, 96),
        "attention_head_dim": (2, 4, 6, 6),
    },
    "sdxl": CONFIGS["sdxl"]
    | {
        "cross_attention_dim": 24,
        "block_out_channels": (32, 64, 96),
        "attention_head_dim": (1, 2, 3),
        "transformer_layers_per_block": (1, 2, 3),
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 16 + 6 * 8,
    },
}
SMALL_CONFIGS["lcm"] = SMALL_CONFIGS["sd15"] | CONFIGS["lcm"] | {"cross_attention_dim": 24}
SMALL = {
    "sd15": replace(SD15_UNET, channels=(32, 64, 96, 96), context_width=24),
    "sd21": replace(SD21_UNET, channels=(32, 64, 96, 96), heads=(2, 4, 6, 6), context_width=24),
    "sdxl": replace(
        SDXL_UNET,
        channels=(32, 64, 96),
        depths=(0, 2, 3),
        mid_depth=3,
        heads=(1, 2, 3),
        context_width=24,
        y_width=64,
    ),
}
SMALL["lcm"] = replace(SMALL["sd15"], guided=True)
