"""A whole model out of the runs that trained its parts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors.torch
from tokenizers import Tokenizer

from mezzotint.checkpoints.folder import open_folder, write_manifest
from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.families.storybook import SIZES, denoiser_of, kind_of
from mezzotint.files import whole_folder, write_whole
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText, CLIPVision
from mezzotint.models.dit import DiT
from mezzotint.models.unet import UNet
from mezzotint.training.exports import read_export, read_network
from mezzotint.training.tasks.denoiser import DenoiserRecipe


def read_autoencoder(run: Path) -> Autoencoder:
    """The autoencoder that a run exported.

    Raises:
        InputError: that run is not finished.
    """
    return read_network(run, "autoencoder", Autoencoder, SIZES.autoencoder)


def read_tokenizer(run: Path) -> Tokenizer:
    """The tokenizer that a run exported.

    Raises:
        InputError: that run is not finished.
    """
    return Tokenizer.from_str(read_export(run, "tokenizer.json").decode())


def read_text(run: Path) -> CLIPText:
    """The text tower that a run exported.

    Raises:
        InputError: that run is not finished.
    """
    return read_network(run, "text", CLIPText, SIZES.text)


def pack(
    runs: Sequence[tuple[Path, DenoiserRecipe]],
    size: int,
    folder: Path,
    clip: Path | None = None,
    loras: Mapping[str, Path] | None = None,
    decoder: Path | None = None,
) -> None:
    """Write the model that finished runs make together, small enough to ship, to ``folder``.

    Args:
        runs: of denoisers, siblings, with their recipes: one, or one of each kind. The first is
            the default, and its autoencoder, text tower and tokenizer are the model's.
        size: side of the pictures, in pixels.
        folder: is made, or replaced.
        clip: the run of an image tower that goes with the text tower.
        loras: files for variants of the default, by the names in ``storybook.LORAS``.
        decoder: the run of an autoencoder that encodes as the denoisers' does and decodes better.

    Raises:
        InputError: a run is not finished, two do not go together, or ``folder`` is not writable.
    """
    (run, recipe), *others = runs
    for other, its in others:
        _refuse_unlike(run, recipe, other, its)
    text, tokenizer = read_text(run), read_tokenizer(run)
    autoencoder = read_autoencoder(decoder or run.parent / recipe.autoencoder_run)
    latents = safetensors.torch.load(read_export(run, "latents.safetensors"))
    moments = latents["mean"], latents["std"]
    network, *other_networks = (_read_denoiser(*each) for each in runs)
    model = storybook.together(network, autoencoder, text, tokenizer, moments, size)
    storybook.save(
        model,
        folder,
        other=next(iter(other_networks), None),
        vision=None if clip is None else read_network(clip, "vision", CLIPVision, SIZES.vision),
        loras=loras,
    )


def pack_beside(base: Path, files: Sequence[Path], folder: Path) -> None:
    """Write the model in a folder of ours again, with files of what was trained for it.

    Args:
        base: the folder of the model.
        files: such as ``instruct.safetensors``, each under its own name.
        folder: is made, or replaced.

    Raises:
        InputError: a file cannot be read, or ``folder`` is not writable.
    """
    kept = open_folder(base)
    with whole_folder(folder) as new:
        kept.copy_to(new)
        for file in files:
            write_whole(new / file.name, _read_file(file))
        write_manifest(new, kept.family)


def _refuse_unlike(run: Path, recipe: DenoiserRecipe, other: Path, its: DenoiserRecipe) -> None:
    """See that two denoisers are of two kinds, read with one tower and draw the same latents."""
    if kind_of(recipe.network) == kind_of(its.network):
        raise InputError(f"{run} and {other} are of one kind, {kind_of(its.network)}: give one")
    for file, what in (("text", "text tower"), ("latents", "scale of latents")):
        name = f"{file}.safetensors"
        if read_export(run, name) != read_export(other, name):
            raise InputError(
                f"{other} has another {what} than {run}: train it with text_run = {run.name!r} "
                "on the same pictures"
            )


def _read_denoiser(run: Path, recipe: DenoiserRecipe) -> UNet | DiT:
    return read_network(run, kind_of(recipe.network), denoiser_of, recipe.network)


def _read_file(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
