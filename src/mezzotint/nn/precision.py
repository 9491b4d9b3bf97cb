"""Products and convolutions in half the bits, and devices that cannot multiply those.

A processor without units for bfloat16 or float16 takes ten to a hundred times as long for them in
PyTorch as for float32. There, weights stay as small as they are, and a layer widens its own to
float32 as it is called and rounds what it makes: what other processors do within a product.
"""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@cache
def multiplies(dtype: torch.dtype, kind: str) -> bool:
    """Whether devices of this kind, such as "cpu", have products in a dtype, not emulated ones."""
    if kind == "cpu" and dtype in (torch.bfloat16, torch.float16):
        if not torch.backends.mkldnn.is_available():
            return False
        if dtype == torch.bfloat16:
            return torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return torch.ops.mkldnn._is_mkldnn_fp16_supported()
    if kind == "cuda" and dtype == torch.bfloat16:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return True


def autocast(device: torch.device, bf16: bool = True) -> torch.autocast:
    """Bfloat16 autocast if that is wanted and ``device`` multiplies it; else nothing changes."""
    quick = multiplies(torch.bfloat16, device.type)
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16 and quick)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.linear``, in float32 where the device does not multiply what it is given."""
    if multiplies(x.dtype, x.device.type):
        return F.linear(x, weight, bias)
    return F.linear(x.float(), weight.float(), None if bias is None else bias.float()).to(x.dtype)


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None, *how: Any) -> Tensor:
    """``F.conv2d``, in float32 where the device does not multiply what it is given.

    Args:
        x: (b, c, h, w).
        weight: (o, c / groups, h, w).
        bias: (o,).
        how: stride, padding, dilation and groups, as ``F.conv2d`` takes them.
    """
    if multiplies(x.dtype, x.device.type):
        return F.conv2d(x, weight, bias, *how)
    wide = None if bias is None else bias.float()
    return F.conv2d(x.float(), weight.float(), wide, *how).to(x.dtype)


class _Linear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)


class _Conv2d(nn.Conv2d):
    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.padding_mode != "zeros":
            return super()._conv_forward(input, weight, bias)
        return conv2d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)


_WIDE: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: _Linear, nn.Conv2d: _Conv2d}


def widen(network: nn.Module) -> None:
    """Let the layers of a network multiply as ``linear`` and ``conv2d`` here do, where it matters.

    Its first weight tells what it computes in, and where. Layers stay the modules that they are,
    under their names, with whatever is hooked into them.
    """
    like = next(network.parameters())
    if multiplies(like.dtype, like.device.type):
        return
    for module in network.modules():
        if wide := _WIDE.get(type(module)):
            module.__class__ = wide
