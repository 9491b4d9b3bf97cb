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
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from mezzotint.engines.calls import Inputs, pure, weights
from mezzotint.engines.compiled_graph import Packing, attend_alone, laid, normalise_alone, pack

NAME = "package.pt2"
PACKED = "packed"  # in a package's metadata
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
        packed = json.loads(self._loader.get_metadata()[PACKED])
        self._packed: dict[int, Packing] = {int(k): packing for k, packing in packed.items()}

    def wish(self, k: int) -> str:
        """The same for all programs that take weight ``k`` laid out in the same way."""
        return str(self._packed[k][:-1]) if k in self._packed else ""

    def lay(self, k: int, weight: Tensor) -> Tensor:
        """Weight ``k`` as this program takes it."""
        packing, weight = self._packed.get(k), weight.detach()
        return weight.contiguous() if packing is None else laid(weight, packing)

    def __call__(self, values: Sequence[Tensor], tensors: Sequence[Tensor]) -> Any:
        """What the method makes of these.

        Args:
            values: all weights, in their order, as ``lay`` makes them.
            tensors: the inputs, of the shapes that it was compiled for.
        """
        flat = [*values, *(each.contiguous() for each in tensors)]
        return pytree.tree_unflatten(self._loader.boxed_run(flat), self._structure)


def compiled_package(network: nn.Module, method: str, inputs: Inputs) -> bytes:
    """Compile a network's method, for weights and inputs of these shapes; see ``Program``.

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
    own = list(weights(network).values())
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what PyTorch is to itself
        # of memory that is never touched
        told = tuple(
            [torch.empty(each.shape, dtype=each.dtype) for each in group]
            for group in (own, inputs.tensors)
        )
        graph = torch.export.export(_Function(network, method, inputs), told).module(
            check_guards=False
        )
        packed = pack(graph, len(own))
        attend_alone(graph)
        normalise_alone(graph)
        with tempfile.TemporaryDirectory() as folder:
            more = {
                "aot_inductor.output_path": folder,
                "aot_inductor.metadata": {PACKED: json.dumps(packed)},
            }
            files: Any = torch._inductor.aot_compile(graph, told, options=OPTIONS | more)
            path = Path(folder) / NAME
            package_aoti(str(path), files)
            return path.read_bytes()


class _Function(nn.Module):
    """``pure`` as the module without weights that `torch.export` asks for."""

    def __init__(self, network: nn.Module, method: str, inputs: Inputs) -> None:
        super().__init__()
        self.function = pure(network, method, inputs)

    def forward(self, values: list[Tensor], tensors: list[Tensor]) -> Any:
        return self.function(values, tensors)
