"""Checkpoints made for editing, whose networks take a picture beside the latents.

They are those of another family with more channels in their first layer: Stable Diffusion's for
inpainting, InstructPix2Pix (Brooks et al. 2211.09800), and FLUX.1 Fill.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from mezzotint.families.base import Beside, Family, Model
from mezzotint.families.flux import FLUX_DEV

LATENT_CHANNELS = 4  # of Stable Diffusion's U-Nets
FILL_CHANNELS = 96  # latents, the masked picture's, and 8 × 8 of a mask


def mask_and_rest(model: Model, images: Tensor, masks: Tensor | None) -> Tensor:
    """Every eighth pixel of the mask, and the latents of the picture with grey under the mask."""
    masks = _needed(masks)
    rest = model.encode_images(images * (1 - masks))
    return torch.cat([F.interpolate(masks, rest.shape[2:], mode="nearest"), rest], dim=1)


def rest_and_mask(model: Model, images: Tensor, masks: Tensor | None) -> Tensor:
    """The latents of the picture with grey under the mask, and every pixel of the mask."""
    masks = _needed(masks)
    rest = model.encode_images(images * (1 - masks))
    return torch.cat([rest, F.pixel_unshuffle(masks, model.factor)], dim=1)


def whole(model: Model, images: Tensor, masks: Tensor | None) -> Tensor:
    """The latents of the picture as the autoencoder makes them: it was trained on these."""
    return model.encode_images(images) * model.latent_std + model.latent_mean


def _needed(masks: Tensor | None) -> Tensor:
    if masks is None:
        raise TypeError("inpainting needs a mask")
    return masks


INPAINTING = Beside("inpainting", masked=True, image_cfg=None, channels=mask_and_rest)
INSTRUCTION = Beside("edits by instruction", masked=False, image_cfg=1.5, channels=whole)
FILLING = Beside("filling in", masked=True, image_cfg=None, channels=rest_and_mask)


def inpainting(family: Family) -> Family:
    """The family trained on to paint what a mask covers."""
    return replace(family, name=f"{family.name}-inpainting", cfg=7.5, beside=INPAINTING)


def instructed(family: Family) -> Family:
    """The family trained on to do to a picture what the prompt says."""
    return replace(family, name=f"{family.name}-instruct", beside=INSTRUCTION)


def instructs(family: Family) -> bool:
    """Whether the family takes a prompt as what to do to a picture."""
    return family.beside is not None and not family.beside.masked


UNETS: Mapping[int, Callable[[Family], Family]] = {9: inpainting, 8: instructed}
"""By the channels of a U-Net's input."""

FLUX_FILL = replace(FLUX_DEV, name="flux-fill", steps=50, guidance=30.0, beside=FILLING)
