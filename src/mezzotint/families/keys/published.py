"""What diffusers and transformers call the tensors of a network, by its sizes."""

from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.families.keys import (
    flux_keys,
    sd3_keys,
    sd_keys,
    t5_keys,
)
from mezzotint.models.autoencoder import AutoencoderParams
from mezzotint.models.clip import CLIPTextParams
from mezzotint.models.flux import FluxParams
from mezzotint.models.mmdit import MMDiTParams
from mezzotint.models.t5 import T5Params
from mezzotint.models.unet import UNetParams

Params = UNetParams | MMDiTParams | FluxParams | AutoencoderParams | CLIPTextParams | T5Params


def published(params: Params) -> KeyMap:
    """The names of a network of these sizes.

    Whether the projections of a U-Net are 1 × 1 convolutions is told by its heads: 8 everywhere,
    as in Stable Diffusion 1.x.
    """
    match params:
        case UNetParams():
            return sd_keys.UNET_POINTWISE if set(params.heads) == {8} else sd_keys.UNET
        case MMDiTParams():
            return sd3_keys.MMDIT
        case FluxParams():
            return flux_keys.FLUX
        case AutoencoderParams():
            return sd_keys.AUTOENCODER
        case CLIPTextParams():
            return sd_keys.CLIP_TEXT
        case T5Params():
            return t5_keys.T5
