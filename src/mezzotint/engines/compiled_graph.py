"""What is changed in a traced network, as inductor does not see it by itself."""

# pyright: reportPrivateUsage=false
# oneDNN's layouts have no public name.

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, fx

from mezzotint.engines.laid import Slot
from mezzotint.nn import cpu_norm
from mezzotint.nn.attention import attend
from mezzotint.nn.layout import channels_last
from mezzotint.nn.norm import normalise
from mezzotint.nn.precision import multiplies

CONV2D = (None, None, None, [1, 1], [0, 0], [1, 1], 1)  # its inputs where they are not given
LINEAR = (None, None, None)
SCALED = (None, None, None, None, 0.0, False)  # the same of attention's

# not `torch.library.custom_op`, whose first call imports a compiler, which takes a second
OPERATIONS = torch.library.Library("mezzotint", "DEF")
OPERATIONS.define("attend(Tensor query, Tensor key, Tensor value) -> Tensor")
OPERATIONS.define("multiply(Tensor x, Tensor weight, Tensor? bias) -> Tensor")
OPERATIONS.define(
    "normalise(Tensor x, int groups, Tensor weight, Tensor bias, float eps, bool silu) -> Tensor"
)


def pack(graph: fx.GraphModule, count: int) -> dict[int, Slot]:
    """Let convolutions and products take their weights as oneDNN lays them out.

    It would do that at every call, which takes longer than the convolutions of the coarsest maps,
    and a tenth as long as products in bfloat16; others are not oneDNN's.

    Args:
        graph: changed in place.
        count: so many of its first inputs are weights.

    Returns:
        Which weights are to be laid out, and how.
    """
    values = {node: k for k, node in enumerate(graph.graph.find_nodes(op="placeholder")[:count])}
    calls = [each for each in _packable(graph) if each.weight in values and _packs(each.weight)]
    alike = agreed(calls)
    packed: dict[int, Slot] = {}
    for each in calls:
        if each.reads in alike:
            k, x = values[each.weight], each.node.args[0]  # which may be another than it was
            packed[k] = Slot(k, each.way, each.settings, list(shape(x)))
            call_instead(graph, each.node, each.instead, (x, each.weight, *each.told))
    graph.recompile()
    return packed


class Reader(Protocol):
    """A call that could take its weight as it is laid out."""

    @property
    def weight(self) -> fx.Node:
        """What it would take so."""
        ...

    @property
    def reads(self) -> tuple[fx.Node, str]:
        """The weight, and how it is laid out."""
        ...


def agreed(calls: Iterable[Reader]) -> set[tuple[fx.Node, str]]:
    """What all that read a weight would read alike, as it is laid out in one way for all."""
    calls = list(calls)
    read = Counter(each.reads for each in calls)
    return {each.reads for each in calls if read[each.reads] == len(each.weight.users)}


@dataclass(frozen=True)
class _Packable:
    """A call that could take its weight as it is laid out, and what is called instead.

    Attributes:
        node: the call, the first of whose inputs is what is multiplied.
        weight: by which.
        way: how it would be laid out.
        settings: what else that depends on.
        instead: called with what is multiplied, the weight, and what is ``told``.
    """

    node: fx.Node
    weight: Any
    way: str
    settings: list[Any]
    instead: Any
    told: tuple[Any, ...]

    @property
    def reads(self) -> tuple[Any, str]:
        """The weight, and how it is laid out."""
        return self.weight, f"{self.way} {self.settings}"


def _packable(graph: fx.GraphModule) -> Iterator[_Packable]:
    for node in graph.graph.nodes:
        if node.op != "call_function" or node.kwargs:
            continue
        if node.target is torch.ops.aten.conv2d.default:
            _, weight, bias, stride, padding, dilation, groups = given(node, CONV2D)
            settings = [list(padding), list(stride), list(dilation), groups]
            instead = torch.ops.mkldnn._convolution_pointwise.default
            told = bias, *settings, "none", [], ""
            yield _Packable(node, weight, "convolution", settings, instead, told)
        elif node.target is torch.ops.aten.linear.default and _dtype(node) == torch.bfloat16:
            instead = torch.ops.mezzotint.multiply.default
            _, weight, bias = given(node, LINEAR)
            yield _Packable(node, weight, "linear", [], instead, (bias,))


# not `mkldnn._linear_pointwise` itself, which inductor takes with weights of its own alone
@torch.library.impl(OPERATIONS, "multiply", "MkldnnCPU")
def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x.contiguous(), weight, bias, "none", [], "")


@torch.library.impl(OPERATIONS, "multiply", "Meta")
def _(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x.new_empty(*x.shape[:-1], weight.shape[0])


def given(node: fx.Node, defaults: Sequence[Any]) -> list[Any]:
    """The positional inputs of a call, and the defaults of those that it leaves out."""
    return [*node.args, *defaults[len(node.args) :]]


def _packs(weight: fx.Node) -> bool:
    """Whether oneDNN takes convolutions of this dtype here."""
    dtype = _dtype(weight)
    wanted = dtype in (torch.float32, torch.bfloat16) and multiplies(dtype, "cpu")
    return wanted and torch.backends.mkldnn.is_available()


def _dtype(node: fx.Node) -> torch.dtype:
    return node.meta["val"].dtype


def shape(node: Any) -> Sequence[int]:
    """Of what a node makes."""
    return node.meta["val"].shape


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
