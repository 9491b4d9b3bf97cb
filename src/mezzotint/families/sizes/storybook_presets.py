"""The sizes of the storybook family's networks."""

from dataclasses import dataclass
from typing import Literal

from mezzotint.models.autoencoder import AutoencoderParams
from mezzotint.models.clip import CLIPTextParams, CLIPVisionParams, TowerParams
from mezzotint.models.dit import DiTParams
from mezzotint.models.unet import UNetParams

Denoiser = Literal["unet", "flow"]

WIDTH = 256  # of the text tower, and so of the context that the denoisers attend to


@dataclass(frozen=True)
class Sizes:
    """What may differ between two models of this family; they are told by ``sizes.json``.

    Attributes:
        size: side of the pictures, in pixels.
        default: the denoiser that draws where none is named.
    """

    size: int
    default: Denoiser
    autoencoder: AutoencoderParams
    text: CLIPTextParams
    unet: UNetParams
    flow: DiTParams
    vision: CLIPVisionParams


SIZES = Sizes(
    size=256,
    default="unet",
    autoencoder=AutoencoderParams(
        image_channels=3,
        latent_channels=4,
        patch=4,
        channels=(64, 128),
        blocks=2,
        mid_attention=False,
        latent_convs=False,
        groups=0,
    ),
    text=CLIPTextParams(
        tower=TowerParams(width=WIDTH, layers=4, heads=4, hidden=4 * WIDTH, activation="gelu"),
        vocabulary=2048,
        length=48,
        end_token=1,
        projection=WIDTH,
    ),
    unet=UNetParams(
        channels_in=4,
        channels_out=4,
        channels=(160, 192),
        blocks=1,
        depths=(1, 1),
        mid_depth=1,
        heads=(5, 6),
        context_width=WIDTH,
        y_width=WIDTH,
        groups=8,
        guided=False,
        patch=2,
        cross_only=(0,),
    ),
    flow=DiTParams(
        channels=4,
        patch=4,  # 64 tokens, or a sample takes four times as long to learn from
        width=256,
        blocks=5,
        heads=4,
        hidden=640,
        context_width=WIDTH,
        y_width=WIDTH,
    ),
    vision=CLIPVisionParams(
        tower=TowerParams(width=WIDTH, layers=4, heads=4, hidden=4 * WIDTH, activation="gelu"),
        size=128,
        patch=16,
        projection=WIDTH,
    ),
)
