"""The sizes of Stable Diffusion's networks, one block a network."""

from dataclasses import replace

from mezzotint.models.autoencoder import AutoencoderParams
from mezzotint.models.clip import CLIPTextParams, TowerParams
from mezzotint.models.unet import UNetParams

AUTOENCODER = AutoencoderParams(  # of 1.x, 2.x and XL; the scale of its latents differs
    image_channels=3,
    latent_channels=4,
    patch=1,
    channels=(128, 256, 512, 512),
    blocks=2,
    mid_attention=True,
    latent_convs=True,
    groups=32,
)

SD15_UNET = UNetParams(
    channels_in=4,
    channels_out=4,
    channels=(320, 640, 1280, 1280),
    blocks=2,
    depths=(1, 1, 1, 0),
    mid_depth=1,
    heads=(8, 8, 8, 8),
    context_width=768,
    y_width=0,
    groups=32,
    guided=False,
)

SD21_UNET = replace(SD15_UNET, heads=(5, 10, 20, 20), context_width=1024)

SDXL_UNET = UNetParams(
    channels_in=4,
    channels_out=4,
    channels=(320, 640, 1280),
    blocks=2,
    depths=(0, 2, 10),
    mid_depth=10,
    heads=(5, 10, 20),
    context_width=2048,
    y_width=2816,  # the pooled prompt, 1280, and six sizes in 256 numbers each
    groups=32,
    guided=False,
)

VIT_L_TEXT = CLIPTextParams(  # OpenAI's: 1.x, and the first of XL's two
    tower=TowerParams(width=768, layers=12, heads=12, hidden=3072, activation="quick_gelu"),
    vocabulary=49408,
    length=77,
    end_token=49407,
    projection=0,
)

VIT_H_TEXT = replace(  # OpenCLIP's, without the last layer and the projection: 2.x
    VIT_L_TEXT,
    tower=TowerParams(width=1024, layers=23, heads=16, hidden=4096, activation="gelu"),
)

VIT_BIGG_TEXT = replace(  # OpenCLIP's: the second of XL's two
    VIT_L_TEXT,
    tower=TowerParams(width=1280, layers=32, heads=20, hidden=5120, activation="gelu"),
    projection=1280,
)
