"""What is changed in a traced network, as inductor does not see it by itself."""

# pyright: reportPrivateUsage=false
# oneDNN's layouts have no public name.

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from mezzotint.engines.laid import Slot
from mezzotint.nn import cpu_norm
from mezzotint.nn.attention import attend
from mezzotint.nn.layout import channels_last
from mezzotint.nn.norm import normalise

CONV2D = (None, None, None, [1, 1], [0, 0], [1, 1], 1)  # its inputs where they are not given
SCALED = (None, None, None, None, 0.0, False)  # the same of attention's

# not `torch.library.custom_op`, whose first call imports a compiler, which takes a second
OPERATIONS = torch.library.Library("mezzotint", "DEF")
OPERATIONS.define("attend(Tensor query, Tensor key, Tensor value) -> Tensor")
OPERATIONS.define(
    "normalise(Tensor x, int groups, Tensor weight, Tensor bias, float eps, bool silu) -> Tensor"
)


def pack(graph: fx.GraphModule, count: int) -> dict[int, Slot]:
    """Let convolutions take their weights as oneDNN lays them out.

    It would do that at every call, which takes longer than the convolutions of the coarsest maps.

    Args:
        graph: changed in place.
        count: so many of its first inputs are weights.

    Returns:
        Which weights are to be laid out, and how.
    """
    packed: dict[int, Slot] = {}
    values = graph.graph.find_nodes(op="placeholder")[:count]
    for node in graph.graph.find_nodes(op="call_function", target=torch.ops.aten.conv2d.default):
        x, weight, bias, stride, padding, dilation, groups = given(node, CONV2D)
        if weight not in values or len(weight.users) > 1 or node.kwargs or not _packs(weight):
            continue
        packing = list(padding), list(stride), list(dilation), groups
        convolution = torch.ops.mkldnn._convolution_pointwise.default
        call_instead(graph, node, convolution, (x, weight, bias, *packing, "none", [], ""))
        k = values.index(weight)
        packed[k] = Slot(k, "convolution", packing, list(x.meta["val"].shape))
    graph.recompile()
    return packed


def given(node: fx.Node, defaults: Sequence[Any]) -> list[Any]:
    """The positional inputs of a call, and the defaults of those that it leaves out."""
    return [*node.args, *defaults[len(node.args) :]]


def _packs(weight: fx.Node) -> bool:
    """Whether oneDNN takes convolutions of this dtype here."""
    dtype = weight.meta["val"].dtype
    if not torch.backends.mkldnn.is_available():
        return False
    supported = torch.ops.mkldnn._is_mkldnn_bf16_supported
    return dtype == torch.float32 or (dtype == torch.bfloat16 and supported())


def attend_alone(graph: fx.GraphModule) -> None:
    """Let attention in bfloat16 be ``nn.attention.attend``'s, whose kernel no graph can see."""
    scaled = torch.ops.aten.scaled_dot_product_attention.default
    for node in graph.graph.find_nodes(op="call_function", target=scaled):
        plain = given(node, SCALED)[3:] == [None, 0.0, False]
        query = node.args[0]
        if plain and not node.kwargs and query.meta["val"].dtype == torch.bfloat16:
            call_instead(graph, node, torch.ops.mezzotint.attend.default, node.args[:3])
    graph.recompile()


@torch.library.impl(OPERATIONS, "attend", "CPU")
def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    query, key, value = (x if x.stride(-1) == 1 else x.contiguous() for x in (query, key, value))
    return attend(query, key, value, False).transpose(1, 2).contiguous().transpose(1, 2)


@torch.library.impl(OPERATIONS, "attend", "Meta")
def _(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    b, heads, m, _ = query.shape
    return query.new_empty(b, m, heads, value.shape[3]).transpose(1, 2)


def normalise_alone(graph: fx.GraphModule) -> None:
    """Let group normalisation in bfloat16 be ``nn.norm.normalise``'s, with a SiLU behind it.

    Inductor's is bound by its own arithmetic, where this one's is by memory.
    """
    if cpu_norm.kernel() is None:
        return
    silus = (torch.ops.aten.silu.default, torch.ops.aten.silu_.default)
    for node in graph.graph.find_nodes(
        op="call_function", target=torch.ops.aten.group_norm.default
    ):
        x, groups, weight, bias, eps = node.args[:5]
        if node.kwargs or x.meta["val"].dtype != torch.bfloat16:
            continue
        (user, *others) = node.users
        silu = not others and user.target in silus
        told = (x, groups, weight, bias, eps, silu)
        call_instead(graph, user if silu else node, torch.ops.mezzotint.normalise.default, told)
        if silu:
            graph.graph.erase_node(node)
    graph.recompile()


@torch.library.impl(OPERATIONS, "normalise", "CPU")
def _normalise(
    x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool
) -> Tensor:
    return channels_last(normalise(channels_last(x), groups, weight, bias, eps, silu))


@torch.library.impl(OPERATIONS, "normalise", "Meta")
def _(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool) -> Tensor:
    return torch.empty_like(x, memory_format=torch.channels_last)


def call_instead(graph: fx.GraphModule, node: fx.Node, target: Any, args: tuple[Any, ...]) -> None:
    """Put another call in the place of one."""
    with graph.graph.inserting_before(node):
        other = graph.graph.call_function(target, args)
    other.meta = dict(node.meta)
    node.replace_all_uses_with(other)
    graph.graph.erase_node(node)
