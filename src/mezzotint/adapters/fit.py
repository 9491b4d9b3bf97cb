"""Whether an adapter that is a network of its own fits the network that it is put into."""

from collections.abc import Mapping

from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.families.keys.strangers import WIDTHS
from mezzotint.models.unet import UNet


def unet_for(parts: Mapping[str, Part], name: str, context_width: int) -> UNet:
    """The U-Net among ``parts``, for an adapter that reads contexts of this width.

    Raises:
        InputError: the model has no U-Net, or one whose context is another.
    """
    network = parts["network"].module
    if not isinstance(network, UNet):
        kind = type(network).__name__
        raise InputError(
            f"{name} is made for {made_for(context_width)}, and this model is a {kind}"
        )
    if network.params.context_width != context_width:
        raise InputError(
            f"{name} is made for {made_for(context_width)}, and this model is "
            f"{made_for(network.params.context_width)}"
        )
    return network


def any_unet(parts: Mapping[str, Part], name: str) -> UNet:
    """The U-Net among ``parts``, whatever it reads.

    Raises:
        InputError: the model has none.
    """
    network = parts["network"].module
    if not isinstance(network, UNet):
        raise InputError(f"{name} is for U-Nets, and this model is a {type(network).__name__}")
    return network


def made_for(context_width: int) -> str:
    """What a network with contexts of this width is of."""
    return WIDTHS.get(context_width, f"a U-Net with prompts of width {context_width}")
