"""A call of a network, taken apart: a function of weights and inputs is what can be compiled."""

import copy
import hashlib
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils import _pytree as pytree

CODING = ("encode", "decode")
"""Methods of autoencoders, each called once a picture: little of the time is theirs."""


@dataclass(frozen=True)
class Inputs:
    """What a network is called with.

    Attributes:
        leaves: the tensors, and whatever else there is in it, None for one.
        structure: how they are put together.
    """

    leaves: Sequence[Any]
    structure: pytree.TreeSpec

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors alone, which are what compiled code is told."""
        return [each for each in self.leaves if isinstance(each, Tensor)]

    @property
    def kind(self) -> str:
        """Shapes and dtypes; whatever is no tensor is part of it as it is."""
        told = (_shape(each) if isinstance(each, Tensor) else repr(each) for each in self.leaves)
        return " ".join([str(self.structure), *told])

    def put(self, tensors: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named inputs like these, with other tensors."""
        given = iter(tensors)
        leaves = [next(given) if isinstance(each, Tensor) else each for each in self.leaves]
        return pytree.tree_unflatten(leaves, self.structure)


def taken(inputs: Sequence[Any], named: Mapping[str, Any]) -> Inputs:
    """Take apart what a network is called with, tuples of tensors as well."""
    return Inputs(*pytree.tree_flatten((tuple(inputs), dict(named))))


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by their names."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def pure(
    network: nn.Module, method: str, inputs: Inputs
) -> Callable[[Sequence[Tensor], Sequence[Tensor]], Any]:
    """A network's method as a function of its weights, as ``weights`` orders them, and tensors.

    The network itself is left alone, so that others may use it meanwhile.

    Args:
        network: its code and its settings count, its weights do not.
        method: what is called of it.
        inputs: all that is no tensor in these is the same for every tensors.
    """
    own = weights(network)
    shared: dict[int, Any] = {id(each): each for each in own.values()}
    shared[id(vars(network).get("forward"))] = None  # what answers in its place stays behind
    copied = copy.deepcopy(network, shared)
    vars(copied).pop("forward", None)
    called = _Called(copied, method)

    def function(values: Sequence[Tensor], tensors: Sequence[Tensor]) -> Any:
        bound = {f"network.{name}": value for name, value in zip(own, values, strict=True)}
        return functional_call(called, bound, *inputs.put(tensors))

    return function


class _Called(nn.Module):
    """A method of a network as the forward pass of a module."""

    def __init__(self, network: nn.Module, method: str) -> None:
        super().__init__()
        self.network = network
        self.method = method

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return getattr(self.network, self.method)(*inputs, **named)


def computes(network: nn.Module) -> str:
    """Hex digits, the same only where the same is computed: by the same code, with equal settings.

    Weights count by their names, shapes and dtypes.
    """
    lines = [f"{name} {_shape(each)}" for name, each in weights(network).items()]
    for name, module in network.named_modules():
        told = vars(module).items()
        settings = {k: value for k, value in told if not k.startswith("_") and k != "forward"}
        lines.append(f"{name} {type(module).__qualname__} {settings!r}")
    lines += [digest(path) for path in sorted(_sources(network))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _shape(tensor: Tensor) -> str:
    return f"{tensor.dtype}{list(tensor.shape)}@{tensor.device}"


def _sources(network: nn.Module) -> Iterator[Path]:
    """The files with the network's code."""
    ours = Path(__file__).parents[1]
    yield from (path for part in ("models", "nn") for path in (ours / part).glob("*.py"))
    for place in {type(module).__module__ for module in network.modules()}:
        file = getattr(sys.modules.get(place), "__file__", None)
        if file and not place.startswith(("torch.", "mezzotint.")):
            yield Path(file)


@cache
def digest(path: Path) -> str:
    """Of a file's bytes, read once a process."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def machine() -> str:
    """What code is compiled for: PyTorch, the processor, and the number of threads."""
    return f"{torch.__version__} {_processor()} {torch.get_num_threads()}"


@cache
def _processor() -> str:
    told = [sys.platform, platform.machine(), torch.backends.cpu.get_cpu_capability()]
    if (listed := Path("/proc/cpuinfo")).is_file():  # its instructions, at the first core
        lines = listed.read_text(errors="replace").splitlines()
        told += [line for line in lines if line.startswith(("flags", "Features"))][:1]
    return " ".join(told)
