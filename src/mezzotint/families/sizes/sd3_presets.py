"""The sizes of Stable Diffusion 3's and 3.5's networks, one block a network."""

from dataclasses import replace

from mezzotint.families.sizes import sd_presets
from mezzotint.models.mmdit import MMDiTParams
from mezzotint.models.t5 import T5Params

AUTOENCODER = replace(sd_presets.AUTOENCODER, latent_channels=16, latent_convs=False)

SD3_MEDIUM = MMDiTParams(
    channels=16,
    patch=2,
    width=1536,
    heads=24,
    blocks=24,
    dual_blocks=0,
    normed=False,
    context_width=4096,
    y_width=2048,  # the pooled prompt of both CLIP encoders, 768 and 1280
    side=192,
    span=64,
)

SD35_MEDIUM = replace(SD3_MEDIUM, dual_blocks=13, normed=True, side=384)

SD35_LARGE = replace(SD3_MEDIUM, width=2432, heads=38, blocks=38, normed=True)  # and Large Turbo

T5_XXL = T5Params(  # the third encoder
    vocabulary=32128,
    width=4096,
    layers=24,
    heads=64,
    head_width=64,
    hidden=10240,
    buckets=32,
    distance=128,
)
