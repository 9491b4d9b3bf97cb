"""Checkpoints of a run: whole or not at all, checked when read, the last two kept.

A run's whole state is its weights, their average, the optimizer and the number of steps done
(``draw`` explains why there is no random state), so a checkpoint is three safetensors files and a
``state.json`` that holds the step and their hashes.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mezzotint import __version__
from mezzotint.errors import InputError
from mezzotint.files import whole_folder
from mezzotint.training.ema import EMA

KEEP = 2
Tensors = dict[str, Tensor]


def save(
    folder: Path, step: int, network: nn.Module, ema: EMA, optimizer: torch.optim.Optimizer
) -> None:
    """Write ``folder/step-…`` after ``step`` steps, then drop all but the last two.

    Raises:
        InputError: the folder is not writable, or the disk is full.
    """
    parts = {
        "weights": _on_host(network.state_dict()),
        "ema": _on_host(ema.weights),
        "optimizer": _on_host(_optimizer_tensors(network, optimizer)),
    }
    path = folder / f"step-{step:08d}"
    try:
        with whole_folder(path) as part:
            for name, tensors in parts.items():
                save_file(tensors, part / f"{name}.safetensors")
            state = {
                "step": step,
                "hashes": {name: _hash(part / f"{name}.safetensors") for name in parts},
                "versions": {"mezzotint": __version__, "torch": torch.__version__},
            }
            (part / "state.json").write_text(json.dumps(state, indent=2))
    except SafetensorError as error:
        raise InputError(f"cannot write {path}: {error}") from error
    for old in _newest_first(folder)[KEEP:]:
        shutil.rmtree(old)


def restore(
    folder: Path,
    network: nn.Module,
    ema: EMA,
    optimizer: torch.optim.Optimizer,
    warn: Callable[[str], None],
) -> int:
    """Load the newest whole checkpoint in ``folder`` and return its step; 0 if there is none.

    A damaged checkpoint is passed over with a warning, for the one before it.

    Raises:
        InputError: there are checkpoints and none of them can be read.
    """
    for left_over in folder.glob(".step-*.part"):  # of a run that was killed while it saved
        shutil.rmtree(left_over, ignore_errors=True)
    found = _newest_first(folder)
    for path in found:
        try:
            step, parts = _read(path)
        except (OSError, ValueError, KeyError) as error:
            warn(f"checkpoint {path} is damaged ({error}): going back to the one before")
            continue
        network.load_state_dict(parts["weights"])
        ema.load(parts["ema"])
        _load_optimizer(network, optimizer, parts["optimizer"])
        return step
    if found:
        raise InputError(f"no checkpoint in {folder} can be read: delete the folder to begin again")
    return 0


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"), reverse=True)


def _read(path: Path) -> tuple[int, dict[str, Tensors]]:
    state: dict[str, Any] = json.loads((path / "state.json").read_text())
    parts: dict[str, Tensors] = {}
    for name, expected in state["hashes"].items():
        file = path / f"{name}.safetensors"
        if _hash(file) != expected:
            raise ValueError(f"{file.name} is not what was written")
        parts[name] = load_file(file)
    return state["step"], parts


def _hash(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _on_host(tensors: Tensors) -> Tensors:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _optimizer_tensors(network: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    return {
        f"{name}/{key}": tensor
        for name, weight in network.named_parameters()
        for key, tensor in optimizer.state[weight].items()
    }


def _load_optimizer(network: nn.Module, optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    weights = dict(network.named_parameters())
    for path, tensor in tensors.items():
        name, _, key = path.rpartition("/")
        weight = weights[name]
        # moments lie in memory as their weight does (channels last): the fused kernel walks both
        like = torch.empty_like(weight if tensor.shape == weight.shape else tensor)
        optimizer.state[weight][key] = like.to(weight.device).copy_(tensor)
