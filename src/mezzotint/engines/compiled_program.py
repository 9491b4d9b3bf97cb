"""A network's method as machine code, made by PyTorch's inductor ahead of time.

Weights are inputs like any other. So a program holds none, is the same for all networks of one
shape, and cannot be of other weights than those that it is given. Those of convolutions it takes as
oneDNN lays them out; to do that at every call takes longer than the small maps' convolutions.
"""

# pyright: reportPrivateUsage=false
# Ahead-of-time compilation is documented, and is in a module whose name begins with a line.

import io
import json
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from mezzotint.engines.calls import Inputs, pure, weights

PACKED = "packed"  # in a package's metadata
OPTIONS = {  # nobody looks into the code with a profiler
    "aot_inductor.package": True,
    "aot_inductor.compile_wrapper_opt_level": "O0",
    "aot_inductor.enable_line_tables": False,
    "aot_inductor.enable_frame_pointer": False,
}
CONV2D = (None, None, None, [1, 1], [0, 0], [1, 1], 1)  # its inputs where they are not given

Packing: TypeAlias = tuple[list[int], list[int], list[int], int, list[int]]
"""Padding, stride, dilation and groups of a convolution, and the shape of its input, which hints at
the layout but is not tied to it."""


class Program:
    """Compiled code of a network's method."""

    def __init__(self, package: bytes) -> None:
        """Load what ``compiled_package`` made, which executes it: it must be trusted.

        Raises:
            RuntimeError: it cannot be loaded here.
        """
        self._loader = torch._inductor.aoti_load_package(io.BytesIO(package)).loader
        self._structure = pytree.treespec_loads(self._loader.get_call_spec()[1])
        packed = json.loads(self._loader.get_metadata()[PACKED])
        self._packed: dict[int, Packing] = {int(k): packing for k, packing in packed.items()}

    def wish(self, k: int) -> str:
        """The same for all programs that take weight ``k`` laid out in the same way."""
        return str(self._packed[k][:-1]) if k in self._packed else ""

    def lay(self, k: int, weight: Tensor) -> Tensor:
        """Weight ``k`` as this program takes it."""
        if k not in self._packed:
            return weight.detach().contiguous()
        return torch.ops.mkldnn._reorder_convolution_weight(weight.detach(), *self._packed[k])

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
        packed = _pack(graph, len(own))
        with tempfile.TemporaryDirectory() as folder:
            more = {
                "aot_inductor.output_path": folder,
                "aot_inductor.metadata": {PACKED: json.dumps(packed)},
            }
            files: Any = torch._inductor.aot_compile(graph, told, options=OPTIONS | more)
            path = Path(folder) / "package.pt2"
            package_aoti(str(path), files)
            return path.read_bytes()


class _Function(nn.Module):
    """``pure`` as the module without weights that `torch.export` asks for."""

    def __init__(self, network: nn.Module, method: str, inputs: Inputs) -> None:
        super().__init__()
        self.function = pure(network, method, inputs)

    def forward(self, values: list[Tensor], tensors: list[Tensor]) -> Any:
        return self.function(values, tensors)


def _pack(graph: fx.GraphModule, count: int) -> dict[int, Packing]:
    """Let convolutions take packed weights; which of the first ``count`` inputs, and how packed."""
    packed: dict[int, Packing] = {}
    values = graph.graph.find_nodes(op="placeholder")[:count]
    for node in graph.graph.find_nodes(op="call_function", target=torch.ops.aten.conv2d.default):
        told: list[Any] = [*node.args, *CONV2D[len(node.args) :]]
        x, weight, bias, stride, padding, dilation, groups = told
        if weight not in values or len(weight.users) > 1 or node.kwargs or not _packs(weight):
            continue
        packing = list(padding), list(stride), list(dilation), groups
        with graph.graph.inserting_before(node):
            convolved = graph.graph.call_function(
                torch.ops.mkldnn._convolution_pointwise.default,
                (x, weight, bias, *packing, "none", [], ""),
            )
        convolved.meta = dict(node.meta)
        node.replace_all_uses_with(convolved)
        graph.graph.erase_node(node)
        packed[values.index(weight)] = (*packing, list(x.meta["val"].shape))
    graph.recompile()
    return packed


def _packs(weight: fx.Node) -> bool:
    """Whether oneDNN takes convolutions of this dtype here."""
    match weight.meta["val"].dtype:
        case torch.float32:
            return torch.backends.mkldnn.is_available()
        case torch.bfloat16:
            return torch.ops.mkldnn._is_mkldnn_bf16_supported()
        case _:
            return False
