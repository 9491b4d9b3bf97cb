"""Every map of Stable Diffusion's names, from our names to the published ones and back."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn

from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.families.keys import sd_keys
from mezzotint.families.sizes import sd_presets
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText, CLIPVision, CLIPVisionParams
from mezzotint.models.unet import UNet

VISION = CLIPVisionParams(sd_presets.VIT_H_TEXT.tower, size=224, patch=14, projection=1024)


@cache
def networks() -> dict[str, tuple[KeyMap, nn.Module]]:
    without = replace(sd_presets.AUTOENCODER, mid_attention=False, latent_convs=False, patch=4)
    with torch.device("meta"):
        return {
            "sd15 unet": (sd_keys.UNET_POINTWISE, UNet(sd_presets.SD15_UNET)),
            "sd21 unet": (sd_keys.UNET, UNet(sd_presets.SD21_UNET)),
            "sdxl unet": (sd_keys.UNET, UNet(sd_presets.SDXL_UNET)),
            "autoencoder": (sd_keys.AUTOENCODER, Autoencoder(sd_presets.AUTOENCODER)),
            "plain autoencoder": (sd_keys.AUTOENCODER, Autoencoder(without)),
            "clip text l": (sd_keys.CLIP_TEXT, CLIPText(sd_presets.VIT_L_TEXT)),
            "clip text h": (sd_keys.CLIP_TEXT, CLIPText(sd_presets.VIT_H_TEXT)),
            "clip text bigg": (sd_keys.CLIP_TEXT, CLIPText(sd_presets.VIT_BIGG_TEXT)),
            "clip vision": (sd_keys.CLIP_VISION, CLIPVision(VISION)),
        }


@pytest.mark.parametrize("name", networks())
def test_there_and_back(name: str) -> None:
    keys, network = networks()[name]
    ours = network.state_dict()
    theirs = keys.to_theirs(ours)
    assert len(theirs) == len(ours)
    back = keys.to_ours(theirs, ours, name)
    assert {k: v.shape for k, v in back.items()} == {k: v.shape for k, v in ours.items()}
    assert keys.to_theirs(back).keys() == theirs.keys()


def test_published_sizes() -> None:
    """As counted by others: the numbers in the papers' and model cards' words."""
    millions = {
        name: round(sum(p.numel() for p in network.parameters()) / 1e6)
        for name, (_, network) in networks().items()
    }
    assert millions["sd15 unet"] == 860
    assert millions["sd21 unet"] == 866
    assert millions["sdxl unet"] == 2567
    assert millions["autoencoder"] == 84
    assert millions["clip text l"] == 123
    assert millions["clip text bigg"] == 695
