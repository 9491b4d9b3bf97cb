"""Convolutions and products of a traced network in int8, by scales that each call finds itself.

A weight has a scale for each of its outputs, what it is multiplied by one for each token
(ZeroQuant, Yao et al. 2206.01861) or, where a convolution mixes neighbours, one for each picture.
So nothing has to be learnt from calls before, and no picture of a batch depends on the others.
Attention, normalisation, and whatever reads few numbers stay as they are.
"""

# pyright: reportPrivateUsage=false
# Whether the processor has what int8 needs is asked by a private name.

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx

from mezzotint.engines.compiled_graph import (
    CONV2D,
    LINEAR,
    OPERATIONS,
    agreed,
    call_instead,
    given,
    shape,
)
from mezzotint.engines.laid import ZERO, Slot, in_steps
from mezzotint.nn.layout import channels_last

PRODUCTS = 512
"""A number that fewer products read isn't rounded: to do that takes as long as it gains."""
WORK = 2**28
"""Nor is one for fewer products in all: to call what rounds takes time as well."""
Rounded = tuple[Tensor, Tensor]

OPERATIONS.define(
    "convolve8(Tensor x, Tensor weight, Tensor scales, ScalarType dtype, int[] stride, "
    "int[] dilation) -> Tensor"
)
OPERATIONS.define("multiply8(Tensor x, Tensor weight, Tensor scales, ScalarType dtype) -> Tensor")


def has_int8() -> bool:
    """Whether this machine multiplies int8 without overflows on the way."""
    return torch.backends.mkldnn.is_available() and torch.cpu._is_vnni_supported()


def with_scales(weights: Sequence[Tensor]) -> list[int]:
    """Which weights may have scales, of one for each of their outputs."""
    return [k for k, weight in enumerate(weights) if weight.ndim in (2, 4)]


def in_int8(graph: fx.GraphModule, weights: Sequence[Tensor]) -> dict[int, Slot]:
    """Let a graph multiply in int8 wherever that is worth it.

    Args:
        graph: changed in place; its first inputs are the weights, and behind them there is one for
            the scales of each ``with_scales``, of which it reads none so far.
        weights: of which only shapes are read.

    Returns:
        Which of these inputs are to be laid out, and how.
    """
    inputs = graph.graph.find_nodes(op="placeholder")
    own = {node: k for k, node in enumerate(inputs[: len(weights)])}
    behind = {k: len(weights) + at for at, k in enumerate(with_scales(weights))}
    laid: dict[int, Slot] = {}
    for group in _groups(graph, own):
        first = group[0]
        x: Any = first.node.args[0]  # which may be another than it was
        with graph.graph.inserting_before(first.node):
            rounded = graph.graph.call_function(first.rounds, (x, *first.beside))
        for each in group:
            k, weight = own[each.weight], each.weight
            laid[k] = Slot(k, each.way, each.settings, list(shape(x)))
            laid[behind[k]] = replace(laid[k], part=1)
            told = (rounded, weight, inputs[behind[k]], weight.meta["val"].dtype)
            call_instead(graph, each.node, each.makes, (*told, each.bias, *each.settings))
    graph.recompile()
    return laid


@dataclass(frozen=True)
class _Product:
    """A call that could be in int8.

    Attributes:
        node: the call, the first of whose inputs is what is multiplied.
        weight: by which.
        bias: what is added, if anything.
        way: how the weight is laid out.
        settings: more that both this and the call depend on.
        rounds: makes int8 of what is multiplied, and of what is ``beside`` it.
        makes: called with that, the weight as it is laid out, its scales, the dtype of what it
            makes, the bias and the settings.
    """

    node: fx.Node
    weight: fx.Node
    bias: fx.Node | None
    way: str
    settings: tuple[Sequence[int], ...]
    rounds: Callable[..., Rounded]
    beside: tuple[tuple[int, ...], ...]
    makes: Callable[..., Tensor]

    @property
    def reads(self) -> tuple[fx.Node, str]:
        """The weight, and how it is laid out."""
        return self.weight, f"{self.way} {self.settings}"


def _groups(graph: fx.GraphModule, own: Mapping[fx.Node, int]) -> list[list[_Product]]:
    """Those that are worth it; together where they read the same."""
    groups: dict[Any, list[_Product]] = {}
    for each in _products(graph):
        if each.weight in own and not each.node.kwargs:
            groups.setdefault((each.node.args[0], each.rounds, each.beside), []).append(each)
    worth = [group for group in groups.values() if _worth(group)]
    alike = agreed(each for group in worth for each in group)
    kept = ([each for each in group if each.reads in alike] for group in worth)
    return [group for group in kept if group]


def _products(graph: fx.GraphModule) -> Iterator[_Product]:
    for node in graph.graph.nodes:
        if node.target is torch.ops.aten.linear.default:
            _, weight, bias = given(node, LINEAR)
            yield _Product(node, weight, bias, "linear8", (), _per_token, (), _multiplied)
        elif node.target is torch.ops.aten.conv2d.default:
            _, weight, bias, stride, padding, dilation, groups = given(node, CONV2D)
            told, beside = (stride, dilation), (tuple(padding),)
            if groups == 1:
                yield _Product(
                    node, weight, bias, "convolution8", told, _per_picture, beside, _convolved
                )


def _worth(group: Sequence[_Product]) -> bool:
    """Whether products are enough, of each number and in all."""
    made = ((shape(each.node), shape(each.weight)) for each in group)
    products = sum(prod(out) // weight[0] * prod(weight) for out, weight in made)
    return products >= max(WORK, PRODUCTS * prod(shape(group[0].node.args[0])))


def _per_token(x: Tensor) -> Rounded:
    """Tokens (…, c) as int8, and what a step of each is (…, 1)."""
    rounded, steps = in_steps(x, -1)
    return rounded.to(torch.int8), steps


def _per_picture(x: Tensor, padding: tuple[int, int]) -> Rounded:
    """Maps (b, c, h, w) as uint8 about ``ZERO`` with a border, and what a step is (b, 1, 1, 1)."""
    rounded, steps = in_steps(x, (1, 2, 3))
    down, across = padding
    bordered = F.pad((rounded + ZERO).to(torch.uint8), (across, across, down, down), value=ZERO)
    return bordered, steps


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
    dilation: Sequence[int],
) -> Tensor:
    x, steps = rounded
    made = torch.ops.mezzotint.convolve8(x, weight, scales, dtype, stride, dilation) * steps
    return (made if bias is None else made + bias[:, None, None]).to(dtype)


# "MkldnnCPU" is where calls go whose weights are laid out by oneDNN


@torch.library.impl(OPERATIONS, "convolve8", "MkldnnCPU")
def _convolve8(
    x: Tensor,
    weight: Tensor,
    scales: Tensor,
    dtype: torch.dtype,
    stride: list[int],
    dilation: list[int],
) -> Tensor:
    scale, shift = scales
    return torch.ops.onednn.qconv_pointwise(
        *(channels_last(x), 1.0, 0, weight, scale, _zeros(len(scale)), shift),
        *(stride, [0, 0], dilation, 1, 1.0, 0, dtype, "none", [], ""),
    )


@torch.library.impl(OPERATIONS, "convolve8", "Meta")
def _(
    x: Tensor,
    weight: Tensor,
    scales: Tensor,
    dtype: torch.dtype,
    stride: list[int],
    dilation: list[int],
) -> Tensor:
    made = F.conv2d(x.to(dtype), weight.to(dtype), None, stride, 0, dilation)
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
