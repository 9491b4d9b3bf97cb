"""A network's method as machine code, made by PyTorch's inductor ahead of time.

Weights are inputs like any other. So a program holds none, is the same for all networks of one
shape, and cannot be of other weights than those that it is given.
"""

# pyright: reportPrivateUsage=false
# Ahead-of-time compilation is documented, and is in modules whose names begin with a line.

import json
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from mezzotint.engines.calls import Inputs, pure, weights
from mezzotint.engines.compiled_graph import attend_alone, normalise_alone, pack
from mezzotint.engines.compiled_int8 import in_int8, with_scales
from mezzotint.engines.laid import Slot

NAME = "package.pt2"
SLOTS = "slots"  # in a package's metadata
OPTIONS = {  # nobody looks into the code with a profiler
    "aot_inductor.package": True,
    "aot_inductor.compile_wrapper_opt_level": "O0",
    "aot_inductor.enable_line_tables": False,
    "aot_inductor.enable_frame_pointer": False,
}


class Program:
    """Compiled code of a network's method."""

    def __init__(self, package: bytes) -> None:
        """Load what ``compiled_package`` made, which executes it: it must be trusted.

        Raises:
            RuntimeError: it cannot be loaded here.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / NAME
            path.write_bytes(package)
            # what `aoti_load_package` ends with, without importing a compiler, which takes seconds
            aoti: Any = torch._C._aoti  # pyright: ignore[reportAttributeAccessIssue]
            self._loader = aoti.AOTIModelPackageLoader(str(path), "model", False, 1, -1)
        self._structure = pytree.treespec_loads(self._loader.get_call_spec()[1])
        told = json.loads(self._loader.get_metadata()[SLOTS])
        self.slots = [Slot(*each) for each in told]
        """What it is made of, in the order that it takes them in."""

    def __call__(self, values: Sequence[Tensor], tensors: Sequence[Tensor]) -> Any:
        """What the method makes of these.

        Args:
            values: what the weights make of its slots, in their order.
            tensors: the inputs, of the shapes that it was compiled for.
        """
        flat = [*values, *(each.contiguous() for each in tensors)]
        return pytree.tree_unflatten(self._loader.boxed_run(flat), self._structure)


def compiled_package(network: nn.Module, method: str, inputs: Inputs, int8: bool = False) -> bytes:
    """Compile a network's method, for weights and inputs of these shapes; see ``Program``.

    Args:
        network: its code and the shapes of its weights count.
        method: what is called of it.
        inputs: of which only shapes are read.
        int8: multiply in it where that is worth it.

    Raises:
        Exception: of many kinds; there is no compiler, or it cannot be compiled.
    """
    import torch._inductor
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.package import package_aoti

    try:
        get_cpp_compiler()
    except RuntimeError as error:
        raise RuntimeError("there is no C++ compiler: install g++, or name one in CXX") from error
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what PyTorch is to itself
        graph, told, slots = traced(network, method, inputs, int8)
        with tempfile.TemporaryDirectory() as folder:
            more = {
                "aot_inductor.output_path": folder,
                "aot_inductor.metadata": {SLOTS: json.dumps(list(map(astuple, slots)))},
            }
            files: Any = torch._inductor.aot_compile(graph, told, options=OPTIONS | more)
            path = Path(folder) / NAME
            package_aoti(str(path), files)
            return path.read_bytes()


def traced(
    network: nn.Module, method: str, inputs: Inputs, int8: bool
) -> tuple[fx.GraphModule, tuple[list[Tensor], list[Tensor]], list[Slot]]:
    """What is compiled, what it takes, of which only shapes count, and what is made into that."""
    own = list(weights(network).values())
    scaled = with_scales(own) if int8 else []
    values, tensors = map(_untouched, (own, inputs.tensors))
    told = (values + [torch.empty(len(own[k])) for k in scaled], tensors)
    graph = torch.export.export(_Function(network, method, inputs), told).module(check_guards=False)
    laid = in_int8(graph, own) if int8 else {}
    laid |= pack(graph, len(own))
    attend_alone(graph)
    normalise_alone(graph)
    slots = [Slot(k) for k in range(len(own))] + [Slot(k, "unread") for k in scaled]
    return graph, told, [laid.get(at, slot) for at, slot in enumerate(slots)]


def _untouched(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Memory of the same shapes that nothing is written to, and that so takes no room."""
    return [torch.empty(each.shape, dtype=each.dtype) for each in tensors]


class _Function(nn.Module):
    """``pure`` as the module without weights that `torch.export` asks for."""

    def __init__(self, network: nn.Module, method: str, inputs: Inputs) -> None:
        super().__init__()
        self.function = pure(network, method, inputs)
        self.count = len(weights(network))

    def forward(self, values: list[Tensor], tensors: list[Tensor]) -> Any:
        return self.function(values[: self.count], tensors)
