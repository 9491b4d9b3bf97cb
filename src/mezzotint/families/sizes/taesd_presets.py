"""The sizes of the published tiny autoencoders."""

from dataclasses import replace

from mezzotint.models.tiny_autoencoder import TinyAutoencoderParams

TAESD = TinyAutoencoderParams(  # of Stable Diffusion 1.x and 2.x; XL's has the same sizes
    image_channels=3,
    latent_channels=4,
    width=64,
    blocks=(1, 3, 3, 3),
)

TAESD3 = replace(TAESD, latent_channels=16)

TAEF1 = TAESD3
