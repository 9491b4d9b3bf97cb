"""What a recipe stands on, out of a model that is there instead of runs of one's own.

Whoever has a model has the networks that its runs ended in: its autoencoder encodes pictures for
another denoiser, its text tower tells an image tower what captions say, its denoiser can be trained
further. They are as near as its weights are kept, in 8 bits where it is packed.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from mezzotint.errors import InputError
from mezzotint.families.base import Model
from mezzotint.families.storybook import STORYBOOK, kind_of
from mezzotint.families.text import bare
from mezzotint.files import made, whole_folder, write_whole
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText
from mezzotint.models.dit import DiT
from mezzotint.models.unet import UNet
from mezzotint.pipeline.load import load
from mezzotint.training.exports import write_network
from mezzotint.training.process_group import Group
from mezzotint.training.recipe import Recipe
from mezzotint.training.resolve import changed
from mezzotint.training.tasks.autoencoder import AutoencoderRecipe
from mezzotint.training.tasks.clip import CLIPRecipe
from mezzotint.training.tasks.denoiser import DenoiserRecipe
from mezzotint.training.tasks.folding import FoldingRecipe
from mezzotint.training.tokenizer import framed

ORIGIN = "model.json"  # in a run's folder: whose part it is

Part = Callable[[Model, Path], None]


def standing_on(recipe: Recipe, name: str, home: Path, group: Group) -> Recipe:
    """The recipe, with a model as what it steers, learns from, makes one's own or goes on from.

    Where it looks for finished runs, parts of the model are put in their places first.

    Args:
        recipe: what is to be trained.
        name: whatever ``mz.load`` takes.
        home: the folder that its run's folder is to be in.
        group: the processes that train together.

    Raises:
        InputError: there is no such model, it has no such part, another run is in the place of
            one, or the recipe stands on nothing.
    """
    parts = _parts(recipe.task)
    naming = {field.name for field in fields(recipe.task)} & {"base", "teacher"}
    if not (parts or naming):
        raise InputError(f"recipe {recipe.name!r} begins with random weights: leave out {name}")
    if parts and group.leads:
        _lay_out(parts, recipe, name, home)
    group.wait()
    return changed(recipe, {"task": dict.fromkeys(naming, name)}) if naming else recipe


def _parts(task: Any) -> Mapping[str, Part]:
    """What is needed of a model, by the run whose place it takes."""
    match task:
        case AutoencoderRecipe(begin_run=begin):
            needed = {begin: _autoencoder}
        case FoldingRecipe(autoencoder_run=encodes):
            needed = {encodes: _autoencoder}
        case CLIPRecipe(text_run=reads):
            needed = {reads: _text}
        case DenoiserRecipe(autoencoder_run=encodes, text_run=reads, begin_run=begin):
            needed = {encodes: _autoencoder, reads: _text, begin: _denoiser}
        case _:
            needed = {}
    return {run: part for run, part in needed.items() if run}


def _lay_out(parts: Mapping[str, Part], recipe: Recipe, name: str, home: Path) -> None:
    model = load(name).model
    if model.family.name != STORYBOOK.name:
        raise InputError(
            f"recipe {recipe.name!r} cannot stand on {name}: give a model of the "
            f"{STORYBOOK.name} family"
        )
    about = json.dumps({"model": model.digest}).encode()
    for run, part in parts.items():
        origin = home / run / ORIGIN
        if not origin.parent.exists():
            with whole_folder(origin.parent) as folder:
                part(model, made(folder / "export"))
                write_whole(folder / ORIGIN, about)
        elif not origin.is_file() or origin.read_bytes() != about:
            raise InputError(
                f"{origin.parent} is there, and not of {name}: leave the model out to stand on "
                "that run, or choose another folder"
            )


def _autoencoder(model: Model, folder: Path) -> None:
    network = model.autoencoder
    if not isinstance(network, Autoencoder):
        raise InputError("a tiny autoencoder cannot encode: give the model with its own one")
    write_network(folder, "autoencoder", network, network.params)


def _text(model: Model, folder: Path) -> None:
    encoder = model.encoders[0]
    network = cast("CLIPText", encoder.network)
    write_network(folder, "text", network, network.params)
    tokenizer = framed(bare(encoder.tokenizer), network.params.length)
    write_whole(folder / "tokenizer.json", tokenizer.to_str().encode())


def _denoiser(model: Model, folder: Path) -> None:
    network = cast("UNet | DiT", model.network)
    write_network(folder, kind_of(network.params), network, network.params)
    _text(model, folder)
