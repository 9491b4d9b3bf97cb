"""``mezzotint train``: from a recipe's name to a trained network in a folder."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mezzotint.checkpoints.folder import MANIFEST
from mezzotint.errors import InputError, choose
from mezzotint.families.storybook import LORAS
from mezzotint.training.assemble import pack, pack_beside
from mezzotint.training.build import build
from mezzotint.training.claim import claimed
from mezzotint.training.journal import note
from mezzotint.training.loop import train
from mezzotint.training.presets.storybook import CHAINS, Chain, untold
from mezzotint.training.process_group import Group, joined
from mezzotint.training.recipe import Recipe
from mezzotint.training.resolve import changed, resolve
from mezzotint.training.sighted import base_folder
from mezzotint.training.standing import standing_on
from mezzotint.training.tasks.autoencoder import AutoencoderRecipe
from mezzotint.training.tasks.clip import CLIPRecipe
from mezzotint.training.tasks.controlnet import ControlNetRecipe
from mezzotint.training.tasks.denoiser import DenoiserRecipe
from mezzotint.training.tasks.folding import FoldingRecipe
from mezzotint.training.tasks.instruct import InstructRecipe
from mezzotint.training.tasks.ip_adapter import IPAdapterRecipe
from mezzotint.training.tasks.student import StudentRecipe


def run(
    recipe: str | Path,
    data: str | Path | None = None,
    out: str | Path | None = None,
    model: str | None = None,
    **overrides: Any,
) -> Path:
    """Train a recipe and return the folder of the run; a run that was begun goes on.

    A chain returns the folder of the model that it makes. A denoiser's run has one in ``model``,
    and so has one of what steers a model of ours by pictures.

    Args:
        recipe: a preset's name, a chain's, or a TOML file.
        data: a folder of pictures, instead of the storybook world.
        out: the folder of the run, ``runs/NAME`` by default; its parent holds the data and the
            runs that it stands on. For a chain, the folder that the runs' folders are made in.
        model: what the recipe stands on, whatever ``mz.load`` takes: what is steered, learned from
            or made one's own; and what has the parts that other runs would have to make first.
        overrides: fields of the recipe to replace; for a chain, a table of them for each run.

    Raises:
        InputError: the recipe, the data or the folder cannot be used.
        Interrupted: a signal ended the run after its state was saved.
    """
    source = None if data is None else Path(data)
    chain = CHAINS.get(str(recipe))
    if chain and model is not None:
        raise InputError(f"{recipe} makes a model from the beginning: leave out {model}")
    with joined() as group:
        if chain:
            runs = _changed(chain if source is None else untold(chain), overrides)
            return _run_chain(runs, source, Path(out or chain.home), group)
        chosen = resolve(recipe, overrides)
        folder = Path(out or Path("runs") / chosen.name)
        if model is not None:
            chosen = standing_on(chosen, model, folder.parent, group)
        _run_one(chosen, source, folder, group)
        if isinstance(chosen.task, DenoiserRecipe):
            _pack([(folder, chosen.task)], chosen.pictures.size, folder / "model", group)
        if isinstance(chosen.task, ControlNetRecipe | InstructRecipe | IPAdapterRecipe):
            _pack_beside(base_folder(chosen.task.base), folder, group)
        return folder


def _changed(chain: Chain, tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Recipe]:
    """The chain's recipes by the names of their folders, with fields replaced."""
    for name in tables:
        choose("run of the chain", name, chain.runs)
    return {name: changed(recipe, tables.get(name, {})) for name, recipe in chain.runs.items()}


def _run_chain(runs: Mapping[str, Recipe], source: Path | None, home: Path, group: Group) -> Path:
    """Train one recipe after the other; the model they make is in ``home/model``."""
    model = home / "model"
    denoisers: list[tuple[Path, DenoiserRecipe]] = []
    size = 0
    clip: Path | None = None
    decoder: Path | None = None
    loras: dict[str, Path] = {}
    for name, recipe in runs.items():
        folder = home / name
        _run_one(recipe, source, folder, group)
        match recipe.task:
            case DenoiserRecipe() as task:  # one that goes on from another stands in its place
                denoisers = [each for each in denoisers if each[0].name != task.begin_run]
                denoisers.append((folder, task))
                size = recipe.pictures.size
            case CLIPRecipe():
                clip = folder
            case AutoencoderRecipe():
                decoder = folder
            case StudentRecipe():
                loras["student"] = folder / "export" / LORAS["student"]
            case FoldingRecipe():
                loras["folded"] = folder / "export" / LORAS["folded"]
            case _:
                continue
        if denoisers:
            _pack(denoisers, size, model, group, clip, loras, decoder)
    return model


def _pack(
    denoisers: Sequence[tuple[Path, DenoiserRecipe]],
    size: int,
    model: Path,
    group: Group,
    clip: Path | None = None,
    loras: Mapping[str, Path] | None = None,
    decoder: Path | None = None,
) -> None:
    if group.leads:
        pack(denoisers, size, model, clip, loras, decoder)
        note(f"the model is in {model}")
    group.wait()


def _pack_beside(base: Path, run: Path, group: Group) -> None:
    """Put what was trained for a model of ours into a copy of that model's folder."""
    if group.leads and (base / MANIFEST).is_file():
        pack_beside(base, sorted((run / "export").glob("*.safetensors")), run / "model")
        note(f"the model with it is in {run / 'model'}")
    group.wait()


def _run_one(recipe: Recipe, source: Path | None, folder: Path, group: Group) -> None:
    """Train one recipe."""
    with claimed(folder, recipe, source) if group.leads else nullcontext():
        group.wait()  # for the folder
        done = (folder / "export").exists()
        task = None if done else build(recipe, source, folder, group)
    if task is not None:
        train(task, recipe, folder, group)
    elif group.leads:
        note(f"{recipe.name}: done before, see {folder / 'export'}")
