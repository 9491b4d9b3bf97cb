"""Which family a checkpoint is of, from the sizes of its networks."""

from collections.abc import Sequence
from dataclasses import replace

from mezzotint.errors import InputError
from mezzotint.families import editing, flux, sd3
from mezzotint.families import stable_diffusion as sd
from mezzotint.families.base import Family
from mezzotint.models.clip import CLIPTextParams
from mezzotint.models.flux import FluxParams
from mezzotint.models.mmdit import MMDiTParams
from mezzotint.models.t5 import T5Params
from mezzotint.models.unet import UNetParams

NetworkParams = UNetParams | MMDiTParams | FluxParams
TextParams = CLIPTextParams | T5Params

REFINER_CONTEXT = 1280  # it reads with OpenCLIP's ViT-bigG alone


def recognise(network: NetworkParams, texts: Sequence[TextParams], source: str) -> Family:
    """The family of these networks, told by what the denoiser takes and who reads the prompt.

    Args:
        network: the denoiser's.
        texts: the text encoders', in the order of the file.
        source: what the checkpoint is called in an error.

    Raises:
        InputError: there is no family of such networks.
    """
    family = family_of(network, texts)
    if len(texts) != len(family.reads):
        raise InputError(
            f"{source} looks like {family.name}, which has {len(family.reads)} text encoders, "
            f"but {len(texts)} are there: give the files of the others after it"
        )
    return family


def family_of(network: NetworkParams, texts: Sequence[TextParams]) -> Family:
    """The family of a network, even if the text encoders are not all there, or none is."""
    match network:
        case MMDiTParams():
            return sd3.SD3
        case FluxParams(channels_in=editing.FILL_CHANNELS, guided=True):
            return editing.FLUX_FILL
        case FluxParams():
            return flux.FLUX_DEV if network.guided else flux.FLUX_SCHNELL
        case UNetParams() if network.guided:
            return sd.consistency(family_of(replace(network, guided=False), texts))
        case UNetParams() if network.channels_in in editing.UNETS:
            made = editing.UNETS[network.channels_in]
            return made(family_of(replace(network, channels_in=editing.LATENT_CHANNELS), texts))
        case UNetParams() if network.y_width:
            alone = len(texts) == 1 or (not texts and network.context_width == REFINER_CONTEXT)
            return sd.SDXL_REFINER if alone else sd.SDXL
        case UNetParams():
            openclip = _is_openclip(texts) if texts else set(network.heads) != {8}
            return sd.SD2 if openclip else sd.SD1


def _is_openclip(texts: Sequence[TextParams]) -> bool:
    return any(
        isinstance(text, CLIPTextParams) and text.tower.activation == "gelu" for text in texts
    )
