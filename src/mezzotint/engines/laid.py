"""Weights as compiled code takes them: as they are, or as oneDNN lays them out, or in int8."""

# pyright: reportPrivateUsage=false
# oneDNN's layouts have no public name.

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Tensor

from mezzotint.files.pages import let_go

ZERO = 128
"""What stands for zero in the uint8 that convolutions read, whose products are moved back by it.

oneDNN would do that as well, at every call, which takes longer than those of the coarsest maps.
"""
NUMBERS = 2**18  # that are rounded at a time: they stay in a core's cache
TINY = torch.finfo(torch.float32).tiny
Parts = tuple[Tensor, ...]


@dataclass(frozen=True)
class Slot:
    """What one input of compiled code is made of.

    Attributes:
        weight: which, in their order.
        way: how, of ``WAYS``; empty for the weight as it is.
        settings: what else that depends on.
        hint: the shape that it is multiplied by, which the layout is good for but not tied to.
        part: which of the parts that the weight is laid out in.
    """

    weight: int
    way: str = ""
    settings: Sequence[Any] = ()
    hint: Sequence[int] = ()
    part: int = 0

    @cached_property
    def key(self) -> str:
        """The same for all slots that take the same, or other parts of it."""
        return str((self.weight, self.way, *self.settings))

    def lay(self, weight: Tensor) -> Parts:
        """The weight as it is taken, in all its parts.

        Where they lie in memory of their own, the pages of a file that it was read from are given
        back.
        """
        weight = weight.detach()
        parts = WAYS[self.way](weight, *self.settings, hint=self.hint)
        if self.way != "unread" and parts[0] is not weight:
            let_go(weight)
        return parts


def in_steps(x: Tensor, dims: int | tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Whole numbers from −127 to 127 in float32, and what a step of them is along ``dims``."""
    x = x.float()
    steps = x.abs().amax(dims, keepdim=True).clamp_min(TINY) / 127
    return (x / steps).round(), steps


def quantised(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A weight (outputs, …) in int8, and of each output (outputs,) its scale and the sum of these.

    Symmetric, as in Jacob et al. 1712.05877: a weight is about its int8 times the scale.
    """
    rows = weight.detach().flatten(1)
    values = torch.empty(rows.shape, dtype=torch.int8)
    scales, sums = torch.empty(2, len(rows))
    few = max(1, NUMBERS // rows.shape[1])
    for part in (slice(at, at + few) for at in range(0, len(rows), few)):
        rounded, steps = in_steps(rows[part], 1)
        values[part], scales[part], sums[part] = rounded, steps[:, 0], rounded.sum(1)
    return values.view(weight.shape), scales, sums


def _as_it_is(weight: Tensor, hint: list[int]) -> Parts:
    return (weight if weight.is_contiguous() else weight.contiguous(),)


def _convolution(
    weight: Tensor,
    padding: list[int],
    stride: list[int],
    dilation: list[int],
    groups: int,
    hint: list[int],
) -> Parts:
    told = weight, padding, stride, dilation, groups, hint
    return (torch.ops.mkldnn._reorder_convolution_weight(*told),)


def _linear(weight: Tensor, hint: list[int]) -> Parts:
    return (torch.ops.mkldnn._reorder_linear_weight(weight, prod(hint[:-1])),)


def _convolution8(weight: Tensor, stride: list[int], dilation: list[int], hint: list[int]) -> Parts:
    """The kernel; and scales, and what products are moved by (2, outputs)."""
    values, scales, sums = quantised(weight)
    told = values, scales, 1.0, 0, stride, [0, 0], dilation, 1, hint
    return torch.ops.onednn.qconv_prepack(*told), torch.stack([scales, -ZERO * scales * sums])


def _linear8(weight: Tensor, hint: list[int]) -> Parts:
    """The matrix, and scales."""
    values, scales, _ = quantised(weight)
    return torch.ops.onednn.qlinear_prepack(values, hint), scales


def _unread(weight: Tensor, hint: list[int]) -> Parts:
    return (weight.new_empty(0),)


WAYS: dict[str, Callable[..., Parts]] = {
    "": _as_it_is,
    "convolution": _convolution,
    "linear": _linear,
    "convolution8": _convolution8,
    "linear8": _linear8,
    "unread": _unread,
}
"""How weights are laid out, by name."""
