"""A model of the storybook family that is tiny, at random weights."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from mezzotint.families import storybook
from mezzotint.families.base import Model
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText
from mezzotint.models.dit import DiT
from mezzotint.models.unet import UNet
from mezzotint.training.tokenizer import train_tokenizer

SIZES = replace(
    storybook.SIZES,
    size=32,
    autoencoder=replace(storybook.SIZES.autoencoder, channels=(16, 16), blocks=1, groups=1),
    text=replace(
        storybook.SIZES.text,
        tower=replace(storybook.SIZES.text.tower, width=32, layers=2, heads=2, hidden=32),
        projection=32,
    ),
    unet=replace(
        storybook.SIZES.unet,
        channels=(16, 32),
        depths=(0, 1),
        heads=(1, 1),
        blocks=1,
        context_width=32,
        y_width=32,
        groups=1,
        patch=1,
        cross_only=(),
    ),
    flow=replace(
        storybook.SIZES.flow, width=32, blocks=2, heads=2, hidden=32, context_width=32, y_width=32
    ),
    vision=replace(
        storybook.SIZES.vision,
        tower=replace(storybook.SIZES.vision.tower, width=32, layers=1, heads=2, hidden=32),
        size=32,
        projection=32,
    ),
)


def tiny_storybook(captions: Sequence[str]) -> tuple[Model, DiT]:
    """The model with the U-Net, whose tokenizer knows these captions, and the transformer."""
    torch.manual_seed(0)
    network, flow = UNet(SIZES.unet), DiT(SIZES.flow)
    for each in (network, flow):
        for weight in each.parameters():
            torch.nn.init.normal_(weight, std=0.1)
    model = storybook.together(
        network,
        Autoencoder(SIZES.autoencoder),
        CLIPText(SIZES.text),
        train_tokenizer(captions, SIZES.text.vocabulary, SIZES.text.length),
        (torch.zeros(4), torch.ones(4)),
        SIZES.size,
    )
    return model, flow
