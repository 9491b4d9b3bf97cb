"""A whole model out of the runs that trained its parts."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import safetensors.torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from mezzotint.checkpoints.folder import load_complete
from mezzotint.families import storybook
from mezzotint.families.base import Model
from mezzotint.families.storybook import STORYBOOK
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText
from mezzotint.models.unet import UNet
from mezzotint.training.exports import channels_last, read_export
from mezzotint.training.tasks.denoiser import DenoiserRecipe

N = TypeVar("N", bound=nn.Module)


def check_parts(home: Path, recipe: DenoiserRecipe) -> None:
    """See that the runs that a denoiser stands on are finished.

    Raises:
        InputError: one of them is not.
    """
    read_export(home / recipe.autoencoder_run, "autoencoder.safetensors")
    read_export(home / recipe.clip_run, "text.safetensors")


def read_autoencoder(home: Path, recipe: DenoiserRecipe) -> Autoencoder:
    """The autoencoder that a run in ``home`` exported.

    Raises:
        InputError: that run is not finished, or its network has other sizes.
    """
    return _read(Autoencoder(STORYBOOK.autoencoder), home / recipe.autoencoder_run, "autoencoder")


def with_text(
    home: Path,
    recipe: DenoiserRecipe,
    network: UNet,
    autoencoder: Autoencoder,
    moments: tuple[Tensor, Tensor],
    size: int,
) -> Model:
    """A model for pictures of ``size`` pixels, with the text tower that a run exported.

    Raises:
        InputError: that run is not finished, or its network has other sizes.
    """
    run = home / recipe.clip_run
    return Model(
        family=replace(STORYBOOK, unet=recipe.unet, size=size),
        network=network,
        autoencoder=autoencoder,
        text=_read(CLIPText(STORYBOOK.text), run, "text"),
        tokenizer=Tokenizer.from_str(read_export(run, "tokenizer.json").decode()),
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
    network = _read(UNet(recipe.unet), denoiser_run, "unet")
    latents = safetensors.torch.load(read_export(denoiser_run, "latents.safetensors"))
    autoencoder = read_autoencoder(home, recipe)
    moments = latents["mean"], latents["std"]
    storybook.save(with_text(home, recipe, network, autoencoder, moments, size), folder)


def _read(network: N, run: Path, name: str) -> N:
    weights = safetensors.torch.load(read_export(run, f"{name}.safetensors"))
    load_complete(network, weights, f"{run}/export/{name}.safetensors")
    return channels_last(network.requires_grad_(False).eval())
