"""A whole model out of the runs that trained its parts."""

from dataclasses import replace
from pathlib import Path

import safetensors.torch
from tokenizers import Tokenizer
from torch import Tensor

from mezzotint.families import storybook
from mezzotint.families.base import Model
from mezzotint.families.storybook import STORYBOOK
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText
from mezzotint.models.unet import UNet
from mezzotint.training.exports import read_export, read_network
from mezzotint.training.tasks.denoiser import DenoiserRecipe


def check_parts(home: Path, recipe: DenoiserRecipe) -> None:
    """See that the runs that a denoiser stands on are finished.

    Raises:
        InputError: one of them is not.
    """
    read_export(home / recipe.autoencoder_run, "autoencoder.safetensors")
    read_export(home / recipe.clip_run, "tokenizer.json")


def read_autoencoder(home: Path, recipe: DenoiserRecipe) -> Autoencoder:
    """The autoencoder that a run in ``home`` exported.

    Raises:
        InputError: that run is not finished.
    """
    run = home / recipe.autoencoder_run
    return read_network(run, "autoencoder", Autoencoder, STORYBOOK.autoencoder)


def read_tokenizer(home: Path, recipe: DenoiserRecipe) -> Tokenizer:
    """The tokenizer that a run in ``home`` exported.

    Raises:
        InputError: that run is not finished.
    """
    return Tokenizer.from_str(read_export(home / recipe.clip_run, "tokenizer.json").decode())


def together(
    network: UNet,
    text: CLIPText,
    tokenizer: Tokenizer,
    autoencoder: Autoencoder,
    moments: tuple[Tensor, Tensor],
    size: int,
) -> Model:
    """A model of these parts for pictures of ``size`` pixels."""
    family = replace(
        STORYBOOK,
        size=size,
        autoencoder=autoencoder.params,
        text=text.params,
        unet=network.params,
    )
    return Model(
        family=family,
        network=network,
        autoencoder=autoencoder,
        text=text,
        tokenizer=tokenizer,
        latent_mean=moments[0],
        latent_std=moments[1],
        digest="",
    )


def pack(denoiser_run: Path, recipe: DenoiserRecipe, size: int, folder: Path) -> None:
    """Write the model that a denoiser's run completes, small enough to ship, to ``folder``.

    Raises:
        InputError: a run is not finished, or ``folder`` is not writable.
    """
    home = denoiser_run.parent
    network = read_network(denoiser_run, "unet", UNet, STORYBOOK.unet)
    text = read_network(denoiser_run, "text", CLIPText, STORYBOOK.text)
    latents = safetensors.torch.load(read_export(denoiser_run, "latents.safetensors"))
    moments = latents["mean"], latents["std"]
    tokenizer, autoencoder = read_tokenizer(home, recipe), read_autoencoder(home, recipe)
    storybook.save(together(network, text, tokenizer, autoencoder, moments, size), folder)
