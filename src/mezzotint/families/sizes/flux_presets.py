"""The sizes of FLUX.1; its autoencoder and its T5 have the sizes of Stable Diffusion 3's."""

from dataclasses import replace

from mezzotint.models.flux import FluxParams

FLUX_DEV = FluxParams(
    channels_in=16,
    channels_out=16,
    width=3072,
    heads=24,
    joint_blocks=19,
    single_blocks=38,
    axes=(16, 56, 56),
    context_width=4096,
    y_width=768,
    guided=True,
)

FLUX_SCHNELL = replace(FLUX_DEV, guided=False)

FLUX_FILL = replace(FLUX_DEV, channels_in=96)  # latents, the masked picture's, and 8 × 8 of a mask
