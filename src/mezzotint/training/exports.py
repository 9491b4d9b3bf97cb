"""What a finished run hands on: weights, and the sizes of the network they belong to."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
from torch import nn

from mezzotint.checkpoints.folder import load_complete
from mezzotint.errors import InputError
from mezzotint.files import write_whole
from mezzotint.nn import layout
from mezzotint.specs import replaced

N = TypeVar("N", bound=nn.Module)
P = TypeVar("P")


def channels_last(network: N) -> N:
    """The network with its kernels as convolutions on channels-last pictures want them."""
    for weight in network.parameters():
        weight.data = layout.channels_last(weight.data)
    return network


def write_network(folder: Path, name: str, network: nn.Module, params: Any) -> None:
    """Write ``name.safetensors`` and ``name.json``, the weights and the sizes of a network."""
    weights = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    write_whole(folder / f"{name}.safetensors", safetensors.torch.save(weights))
    text = json.dumps(dataclasses.asdict(params), indent=2)
    write_whole(folder / f"{name}.json", text.encode() + b"\n")


def read_export(run: Path, file: str) -> bytes:
    """The bytes of a file that the run in this folder exported.

    Raises:
        InputError: the run is not finished, or never began.
    """
    try:
        return (run / "export" / file).read_bytes()
    except OSError as error:
        raise InputError(
            f"{run} has no export/{file}: train that recipe to its end first"
        ) from error


def read_sizes(run: Path, name: str, like: P) -> P:
    """The sizes, of the type of ``like``, of a network that the run in this folder exported.

    Raises:
        InputError: the run is not finished, or what it exported was changed.
    """
    table = json.loads(read_export(run, f"{name}.json"))
    return replaced(like, table, f"{run}/export/{name}.json")


def read_network(run: Path, name: str, make: Callable[[P], N], like: P) -> N:
    """A network that the run in this folder exported, of the sizes that it was exported with.

    Args:
        run: the run's folder.
        name: what the network is called there.
        make: the network of some sizes.
        like: sizes of that type.

    Raises:
        InputError: the run is not finished, or what it exported was changed.
    """
    network = make(read_sizes(run, name, like))
    weights = safetensors.torch.load(read_export(run, f"{name}.safetensors"))
    load_complete(network, weights, f"{run}/export/{name}.safetensors")
    return channels_last(network.requires_grad_(False).eval())
