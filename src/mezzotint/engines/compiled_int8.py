"""Convolutions and products of a traced network in int8, by scales that each call finds itself.

A weight has a scale for each of its outputs, what it is multiplied by one for each token
(ZeroQuant, Yao et al. 2206.01861) or, where a convolution mixes neighbours, one for each picture.
So nothing has to be learnt from calls before, and no picture of a batch depends on the others.
Attention, normalisation, and whatever reads few numbers stay as they are.
"""

# pyright: reportPrivateUsage=false
# Whether the processor has what int8 needs is asked by a private name.

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor, fx

from mezzotint.engines.compiled_graph import CONV2D, OPERATIONS, given, replace
from mezzotint.engines.laid import ZERO, Slot
from mezzotint.nn.layout import channels_last

PRODUCTS = 512
"""A number that fewer products read isn't rounded: to do that takes as long as it gains."""
WORK = 2**28
"""Nor is one for fewer products in all: to call what rounds takes time as well."""
TINY = torch.finfo(torch.float32).tiny
Rounded = tuple[Tensor, Tensor]

OPERATIONS.define(
    "convolve8(Tensor x, Tensor weight, Tensor scales, int[] stride, int[] padding, "
    "int[] dilation, ScalarType dtype) -> Tensor"
)
OPERATIONS.define("multiply8(Tensor x, Tensor weight, Tensor scales, ScalarType dtype) -> Tensor")


def has_int8() -> bool:
    """Whether this machine multiplies int8 without overflows on the way."""
    return torch.backends.mkldnn.is_available() and torch.cpu._is_vnni_supported()


def in_int8(graph: fx.GraphModule, weights: Sequence[Tensor]) -> dict[int, Slot]:
    """Let a graph multiply in int8 wherever that is worth it.

    Args:
        graph: changed in place; its first inputs are the weights, and behind them those that
            ``scales`` makes room for, of which it reads none so far.
        weights: of which only shapes are read.

    Returns:
        Which of these inputs are to be laid out, and how.
    """
    inputs = graph.graph.find_nodes(op="placeholder")
    own = {node: k for k, node in enumerate(inputs[: len(weights)])}
    room = dict(zip(with_scales(weights), inputs[len(weights) :], strict=False))
    laid: dict[int, Slot] = {}
    for kind in KINDS:
        for readers in _readers(graph, kind, own):
            x: Any = readers[0].args[0]  # what it is by now
            with graph.graph.inserting_before(readers[0]):
                rounded = graph.graph.call_function(kind.rounded, (x,))
            for node in readers:
                _, weight, *told = given(node, kind.defaults)
                k = own[weight]
                laid[k] = Slot(k, kind.way, told[1:4], list(_shape(x)))
                laid[inputs.index(room[k])] = Slot(k, "scales")
                dtype = weight.meta["val"].dtype
                replace(graph, node, kind.made, (rounded, weight, room[k], dtype, *told))
    graph.recompile()
    return laid


def with_scales(weights: Sequence[Tensor]) -> list[int]:
    """Which weights may have scales, of one for each of their outputs."""
    return [k for k, weight in enumerate(weights) if weight.ndim in (2, 4)]


def _readers(
    graph: fx.GraphModule, kind: "_Kind", own: Mapping[fx.Node, int]
) -> list[list[fx.Node]]:
    """Calls that read the same, where that is worth rounding."""
    readers: dict[fx.Node, list[fx.Node]] = {}
    for node in graph.graph.find_nodes(op="call_function", target=kind.target):
        x, weight, *told = given(node, kind.defaults)
        groups = told[4:]
        if weight in own and len(weight.users) == 1 and not node.kwargs and groups in ([], [1]):
            readers.setdefault(x, []).append(node)
    return [nodes for x, nodes in readers.items() if _worth(x, nodes)]


def _worth(x: fx.Node, readers: Sequence[fx.Node]) -> bool:
    """Whether products are enough, of each number and in all."""
    made = ((_shape(node), _shape(node.args[1])) for node in readers)
    products = sum(prod(out) // weight[0] * prod(weight) for out, weight in made)
    return products >= max(WORK, PRODUCTS * prod(_shape(x)))


def _shape(node: Any) -> Sequence[int]:
    return node.meta["val"].shape


def _per_token(x: Tensor) -> Rounded:
    """Tokens (…, c) as int8, and what a step of each is (…, 1)."""
    x = x.float()
    steps = x.abs().amax(-1, keepdim=True).clamp_min(TINY) / 127
    return (x / steps).round().to(torch.int8), steps


def _per_picture(x: Tensor) -> Rounded:
    """Maps (b, c, h, w) as uint8 about ``ZERO``, and what a step of each is (b, 1, 1, 1)."""
    x = x.float()
    steps = x.abs().amax((1, 2, 3), keepdim=True).clamp_min(TINY) / 127
    return ((x / steps).round() + ZERO).to(torch.uint8), steps


def _multiplied(
    rounded: Rounded, weight: Tensor, scales: Tensor, dtype: torch.dtype, bias: Tensor | None
) -> Tensor:
    x, steps = rounded
    made = torch.ops.mezzotint.multiply8(x, weight, scales, dtype) * steps
    return (made if bias is None else made + bias).to(dtype)


def _convolved(
    rounded: Rounded,
    weight: Tensor,
    scales: Tensor,
    dtype: torch.dtype,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    x, steps = rounded
    made = torch.ops.mezzotint.convolve8(x, weight, scales, stride, padding, dilation, dtype)
    made = made * steps
    return (made if bias is None else made + bias[:, None, None]).to(dtype)


@dataclass(frozen=True)
class _Kind:
    """Calls that can be in int8.

    Attributes:
        target: what is called, with what is multiplied, the weight, the bias, and more.
        defaults: its inputs where they are not given.
        way: how its weight is laid out, for what is told behind the bias.
        rounded: makes int8 of what is multiplied.
        made: called with that, the weight as it is laid out, its scales, the dtype to make, the
            bias, and the rest.
    """

    target: Callable[..., Tensor]
    defaults: tuple[Any, ...]
    way: str
    rounded: Callable[[Tensor], Rounded]
    made: Callable[..., Tensor]


KINDS = (
    _Kind(torch.ops.aten.conv2d.default, CONV2D, "convolution8", _per_picture, _convolved),
    _Kind(torch.ops.aten.linear.default, (None,) * 3, "linear8", _per_token, _multiplied),
)


@torch.library.impl(OPERATIONS, "convolve8", "MkldnnCPU")  # as weights that are laid out are
def _convolve8(
    x: Tensor,
    weight: Tensor,
    scales: Tensor,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    dtype: torch.dtype,
) -> Tensor:
    return torch.ops.onednn.qconv_pointwise(
        *(channels_last(x), 1.0, ZERO, weight, scales, _zeros(len(scales)), None),
        *(stride, padding, dilation, 1, 1.0, 0, dtype, "none", [], ""),
    )


@torch.library.impl(OPERATIONS, "convolve8", "Meta")
def _(
    x: Tensor,
    weight: Tensor,
    scales: Tensor,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    dtype: torch.dtype,
) -> Tensor:
    made = torch.nn.functional.conv2d(
        x.to(dtype), weight.to(dtype), None, stride, padding, dilation
    )
    return torch.empty_like(made, memory_format=torch.channels_last)


@torch.library.impl(OPERATIONS, "multiply8", "MkldnnCPU")
def _multiply8(x: Tensor, weight: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.ops.onednn.qlinear_pointwise(
        *(x.contiguous(), 1.0, 0, weight, scales, _zeros(len(scales)), None),
        *(1.0, 0, dtype, "none", [], ""),
    )


@torch.library.impl(OPERATIONS, "multiply8", "Meta")
def _(x: Tensor, weight: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    return x.new_empty((*x.shape[:-1], weight.shape[0]), dtype=dtype)


@cache
def _zeros(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.int32)
