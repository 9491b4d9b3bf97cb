"""Weights as compiled code takes them: as they are, or as oneDNN lays them out, or in int8."""

# pyright: reportPrivateUsage=false
# oneDNN's layouts have no public name.

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

ZERO = 128
"""What stands for zero in the uint8 that convolutions read, whose products are moved back by it.

oneDNN would do that as well, at every call, which takes longer than those of the coarsest maps.
"""


@dataclass(frozen=True)
class Slot:
    """What one input of compiled code is made of.

    Attributes:
        weight: which, in their order.
        way: how, of ``WAYS``; empty for the weight as it is.
        told: what else that depends on.
        hint: the shape that it is multiplied by, which the layout is good for but not tied to.
    """

    weight: int
    way: str = ""
    told: Sequence[Any] = ()
    hint: Sequence[int] = ()

    @property
    def key(self) -> str:
        """The same for all slots that take the same."""
        return str((self.weight, self.way, self.told))

    def lay(self, weight: Tensor) -> Tensor:
        """The weight as it is taken."""
        return WAYS[self.way](weight.detach(), *self.told, hint=self.hint)


def quantised(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A weight (outputs, …) in int8, and the scales of its outputs (Jacob et al. 1712.05877)."""
    rows = weight.detach().flatten(1).float()
    scales = rows.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / 127
    return (rows / scales[:, None]).round().to(torch.int8).view(weight.shape), scales


def _convolution(
    weight: Tensor,
    padding: list[int],
    stride: list[int],
    dilation: list[int],
    groups: int,
    hint: list[int],
) -> Tensor:
    return torch.ops.mkldnn._reorder_convolution_weight(
        weight, padding, stride, dilation, groups, hint
    )


def _convolution8(
    weight: Tensor, stride: list[int], dilation: list[int], hint: list[int]
) -> Tensor:
    values, scales = quantised(weight)
    told = values, scales, 1.0, 0, stride, [0, 0], dilation, 1, hint
    return torch.ops.onednn.qconv_prepack(*told)


def _scales_of_convolution8(weight: Tensor, hint: list[int]) -> Tensor:
    """Scales, and what products are moved by (2, outputs)."""
    values, scales = quantised(weight)
    return torch.stack([scales, -ZERO * scales * values.flatten(1).sum(1)])


def _linear8(weight: Tensor, hint: list[int]) -> Tensor:
    return torch.ops.onednn.qlinear_prepack(quantised(weight)[0], hint)


def _scales_of_linear8(weight: Tensor, hint: list[int]) -> Tensor:
    return quantised(weight)[1]


def _as_it_is(weight: Tensor, hint: list[int]) -> Tensor:
    return weight.contiguous()


def _unread(weight: Tensor, hint: list[int]) -> Tensor:
    return weight.new_empty(0)


WAYS: dict[str, Callable[..., Tensor]] = {
    "": _as_it_is,
    "convolution": _convolution,
    "convolution8": _convolution8,
    "scales of convolution8": _scales_of_convolution8,
    "linear8": _linear8,
    "scales of linear8": _scales_of_linear8,
    "unread": _unread,
}
"""How weights are laid out, by name."""
