"""The family of the embedded model: small networks for pictures of the storybook world.

The shape is Stable Diffusion's (Rombach et al. 2022): an autoencoder of factor 8 with four
channels, a CLIP text tower, a U-Net with cross-attention. The cosine process and v-prediction
(Nichol & Dhariwal 2021; Salimans & Ho 2022) give every noise level a fair share of the training
even with times drawn uniformly. Normalisation has 16 channels or more a group, and attention only
where the latent is 8 × 8, because that is what a CPU is quick at.
"""

from mezzotint.diffusion import Process
from mezzotint.families.base import Family
from mezzotint.models.autoencoder import AutoencoderParams
from mezzotint.models.clip import CLIPTextParams, CLIPVisionParams, TowerParams
from mezzotint.models.unet import UNetParams

WIDTH = 256  # of the text tower, and so of the context that the U-Net attends to

STORYBOOK = Family(
    name="storybook",
    process=Process.cosine(),
    prediction="v",
    time_scale=1000.0,
    autoencoder=AutoencoderParams(
        image_channels=3,
        latent_channels=4,
        patch=4,
        channels=(64, 128),
        blocks=2,
        mid_attention=False,
        latent_convs=False,
        groups=4,
    ),
    text=CLIPTextParams(
        tower=TowerParams(width=WIDTH, layers=4, heads=4, hidden=4 * WIDTH, activation="gelu"),
        vocabulary=1024,
        length=48,
        end_token=1,
        projection=WIDTH,
    ),
    text_skip=1,
    unet=UNetParams(
        channels_in=4,
        channels_out=4,
        channels=(128, 192),
        blocks=2,
        depths=(0, 1),
        mid_depth=1,
        heads=(2, 3),
        context_width=WIDTH,
        y_width=WIDTH,
        groups=8,
    ),
    size=128,
    smallest=64,
    largest=256,
    steps=20,
    cfg=4.0,
    sampler="dpmpp_2m",
    spacing="linspace",
)

VISION = CLIPVisionParams(
    tower=TowerParams(width=WIDTH, layers=4, heads=4, hidden=4 * WIDTH, activation="gelu"),
    size=128,
    patch=16,
    projection=WIDTH,
)
"""The image tower that the text tower is trained against."""
