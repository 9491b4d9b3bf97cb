"""A whole model out of the runs that trained its parts."""

from pathlib import Path

import safetensors.torch
from tokenizers import Tokenizer

from mezzotint.families import storybook
from mezzotint.families.storybook import SIZES
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
    return read_network(run, "autoencoder", Autoencoder, SIZES.autoencoder)


def read_tokenizer(home: Path, recipe: DenoiserRecipe) -> Tokenizer:
    """The tokenizer that a run in ``home`` exported.

    Raises:
        InputError: that run is not finished.
    """
    return Tokenizer.from_str(read_export(home / recipe.clip_run, "tokenizer.json").decode())


def pack(denoiser_run: Path, recipe: DenoiserRecipe, size: int, folder: Path) -> None:
    """Write the model that a denoiser's run completes, small enough to ship, to ``folder``.

    Raises:
        InputError: a run is not finished, or ``folder`` is not writable.
    """
    home = denoiser_run.parent
    network = read_network(denoiser_run, "unet", UNet, SIZES.unet)
    text = read_network(denoiser_run, "text", CLIPText, SIZES.text)
    latents = safetensors.torch.load(read_export(denoiser_run, "latents.safetensors"))
    moments = latents["mean"], latents["std"]
    tokenizer, autoencoder = read_tokenizer(home, recipe), read_autoencoder(home, recipe)
    model = storybook.together(network, autoencoder, text, tokenizer, moments, size)
    storybook.save(model, folder)
