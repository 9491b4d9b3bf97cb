"""From what a user names to a pipeline that is ready to draw."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from textwrap import shorten

import torch
from torch import nn

from mezzotint import weights
from mezzotint.adapters.lora import lora
from mezzotint.checkpoints.diffusers_folder import MODEL_INDEX
from mezzotint.checkpoints.find import find, offered
from mezzotint.checkpoints.folder import open_folder
from mezzotint.engines import ENGINES
from mezzotint.engines.around import outside
from mezzotint.engines.base import Engine, eager
from mezzotint.engines.stripped import stripped
from mezzotint.errors import InputError, choose, within_memory
from mezzotint.families import storybook
from mezzotint.families.base import DTYPES, Model
from mezzotint.families.files import diffusers_folder, single_file
from mezzotint.files.pages import is_mapped, let_go
from mezzotint.nn.layout import channels_last
from mezzotint.nn.precision import widen
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.shelf import Shelf

EMBEDDED = {storybook.STORYBOOK.name: Path(weights.__path__[0])}
FAMILIES: dict[str, Callable[[Path, str], Model]] = {storybook.STORYBOOK.name: storybook.load}


def load(
    source: str | Path | None = None,
    *parts: str | Path,
    dtype: str | None = None,
    device: str | None = None,
    engine: str = "auto",
    low_memory: bool = False,
) -> Pipeline:
    """Load a model to draw with.

    Args:
        source: a folder of ours or of diffusers', a file of weights, a name in the folders of
            ``MEZZOTINT_MODELS``, an id on the Hugging Face hub, or the name of an embedded model;
            "storybook" by default. ``FOLDER#VARIANT`` is another model in a folder of ours than its
            default, such as "runs/model#flow"; the embedded one's are "storybook-flow" and so on.
        parts: further files of weights, with the networks that ``source`` lacks, or others instead
            of its own: an autoencoder, text encoders; or a folder with a vocabulary.
        dtype: what the networks compute in, "fp32", "bf16" or "fp16"; fp32 by default.
        device: such as "cpu" or "cuda"; a GPU by default where there is one.
        engine: how networks are executed, of ``mezzotint.engines.ENGINES``; "auto" measures once.
        low_memory: whether one network at a time has its weights in memory, and pictures are
            decoded in strips whatever their size; slower, and "auto" is "eager" then.

    Raises:
        InputError: there is no such model, it is damaged, or it cannot run as asked.
    """
    execution = choose("engine", "eager" if low_memory and engine == "auto" else engine, ENGINES)
    if low_memory and engine not in ("auto", "eager"):
        raise InputError(f"engine {engine!r} needs memory for weights: not with low_memory")
    executes = execution()
    number = choose("dtype", dtype or "fp32", DTYPES)
    place = _device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    name = str(source or storybook.STORYBOOK.name)
    first, variant = named(name)
    files = [first, *(_part(str(part)) for part in parts)]
    ready = _spared if low_memory else _placed
    with within_memory(f"loading {name}", "load it in bf16, or with low_memory (--low-memory)"):
        model = ready(_model(files, variant), executes, place, number)
    if file := storybook.LORAS.get(variant):
        lora(first / file, fused=True).inject(model.parts)  # for good: it is part of the model
    executed = "eager" if executes is eager else engine
    return Pipeline(model, name, executed=f"{executed}, low memory" if low_memory else executed)


def named(name: str) -> tuple[Path, str]:
    """Where a model is, and which of those in a folder it is; the default if that is empty.

    The variant is part of the name, so that one string says what to load wherever a model is named:
    in options, in recipes, in the metadata of a picture.
    """
    if name in EMBEDDED:
        return EMBEDDED[name], ""
    base, dash, variant = name.rpartition("-")
    if dash and base in EMBEDDED and variant in storybook.VARIANTS:
        return EMBEDDED[base], variant
    base, mark, variant = name.rpartition("#")
    if mark and not Path(name).expanduser().exists():
        return EMBEDDED.get(base) or find(base), variant
    return find(name), ""


def _model(files: Sequence[Path], variant: str) -> Model:
    """The model in a folder or in files, told apart by what is in them."""
    path = files[0]
    ours = path.is_dir() and not (path / MODEL_INDEX).is_file()
    if variant and not ours:
        raise InputError(f"{path} is one model, which has no {variant!r}: leave out #{variant}")
    if path.is_file():
        return single_file.load(files)
    if len(files) > 1:
        raise InputError(f"{path} is a folder, which has all its parts: give files, or it alone")
    if not ours:
        return diffusers_folder.load(path)
    return choose("family", open_folder(path).family, FAMILIES)(path, variant)


def _part(name: str) -> Path:
    """A file of an autoencoder or a text encoder, wherever the user keeps such."""
    for kind in ("vae", "text encoder"):
        if path := offered(kind).get(name):
            return path
    return find(name)


def _device(name: str) -> torch.device:
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = shorten(str(error), 100)
        raise InputError(f"device {name!r} cannot be used here, 'cpu' can: {reason}") from error


def _placed(model: Model, engine: Engine, device: torch.device, dtype: torch.dtype) -> Model:
    """The model with its weights where and as they are computed with."""
    for network in model.modules.values():
        _place(network, device, dtype)
    return _executed(model, outside(stripped(engine)), device)


def _spared(model: Model, engine: Engine, device: torch.device, dtype: torch.dtype) -> Model:
    """The model with its weights in their files, but for those of the network that computes."""
    shelf = Shelf(list(model.modules.values()), device, dtype)
    return _executed(model, shelf.engine(stripped(engine, bound=0)), device)


def _executed(model: Model, engine: Engine, device: torch.device) -> Model:
    for network in model.modules.values():
        widen(network)
    mean, std = model.latent_mean.to(device), model.latent_std.to(device)
    return replace(model, latent_mean=mean, latent_std=std, engine=engine)


def _place(network: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Put a network's weights in place one by one, and let go of what each takes in its file.

    Kernels are laid out as convolutions take them, in channels-last, but for those that can stay
    in their file as they are.
    """
    for weight in chain(network.parameters(), network.buffers()):
        before = weight.data
        weight.data = before.to(device, dtype if before.is_floating_point() else None)
        if not is_mapped(weight.data):
            weight.data = channels_last(weight.data)
        if weight.data_ptr() != before.data_ptr():
            let_go(before)
