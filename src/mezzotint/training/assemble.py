"""A whole model out of the runs that trained its parts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors.torch
from tokenizers import Tokenizer

from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.families.storybook import SIZES, denoiser_of, kind_of
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText, CLIPVision
from mezzotint.models.dit import DiT
from mezzotint.models.unet import UNet
from mezzotint.training.exports import read_export, read_network, read_sizes
from mezzotint.training.tasks.denoiser import DenoiserRecipe


def check_parts(home: Path, recipe: DenoiserRecipe) -> None:
    """See that the runs that a denoiser stands on are finished.

    Raises:
        InputError: one of them is not.
    """
    read_export(home / recipe.autoencoder_run, "autoencoder.safetensors")
    read_export(home / recipe.clip_run, "tokenizer.json")
    if recipe.text_run:
        read_export(home / recipe.text_run, "text.safetensors")


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


def read_text(home: Path, recipe: DenoiserRecipe) -> CLIPText:
    """The text tower of a run in ``home``, or a fresh one of the sizes of the CLIP run's.

    Raises:
        InputError: that run is not finished.
    """
    if recipe.text_run:
        return read_network(home / recipe.text_run, "text", CLIPText, SIZES.text)
    return CLIPText(read_sizes(home / recipe.clip_run, "text", SIZES.text))


def pack(
    runs: Sequence[tuple[Path, DenoiserRecipe]],
    size: int,
    folder: Path,
    loras: Mapping[str, Path] | None = None,
) -> None:
    """Write the model that finished runs make together, small enough to ship, to ``folder``.

    Args:
        runs: of denoisers, siblings, with their recipes: one, or one of each kind. The first is
            the default, and its autoencoder, tokenizer and image tower are the model's.
        size: side of the pictures, in pixels.
        folder: is made, or replaced.
        loras: files for variants of the default, by the names in ``storybook.LORAS``.

    Raises:
        InputError: a run is not finished, two do not go together, or ``folder`` is not writable.
    """
    (run, recipe), *others = runs
    home = run.parent
    for other, its in others:
        _refuse_unlike(run, recipe, other, its)
    text = read_network(run, "text", CLIPText, SIZES.text)
    latents = safetensors.torch.load(read_export(run, "latents.safetensors"))
    moments = latents["mean"], latents["std"]
    tokenizer, autoencoder = read_tokenizer(home, recipe), read_autoencoder(home, recipe)
    network, *other_networks = (_read_denoiser(*each) for each in runs)
    model = storybook.together(network, autoencoder, text, tokenizer, moments, size)
    storybook.save(
        model,
        folder,
        other=next(iter(other_networks), None),
        vision=_read_vision(home / recipe.clip_run),
        loras={name: _read_file(file) for name, file in (loras or {}).items()},
    )


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


def _read_vision(run: Path) -> CLIPVision | None:
    """The image tower of a CLIP run, None where there is a tokenizer only."""
    if not (run / "export" / "vision.json").exists():
        return None
    return read_network(run, "vision", CLIPVision, SIZES.vision)


def _read_file(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
