"""What stands in front of the convolutions of these networks: group normalisation and SiLU."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.nn import cpu_norm


class Norm(nn.GroupNorm):
    """Group normalisation (Wu & He 2018, eq. 1), (b, c, h, w) → (b, c, h, w).

    In channels-last on a CPU PyTorch's kernel is quick only where a group fills a vector register:
    with 16 channels or more a group it costs half of the 3×3 convolution that follows, with fewer
    up to five times that convolution. Where a CPU draws in bfloat16 there is a quicker one.
    """

    silu = False

    def forward(self, input: Tensor) -> Tensor:
        """Normalise over each group of channels, scale, and shift."""
        return normalise(input, self.num_groups, self.weight, self.bias, self.eps, self.silu)


class NormSiLU(Norm):
    """SiLU of the group-normalised input, (b, c, h, w) → (b, c, h, w)."""

    silu = True


def normalise(
    x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool
) -> Tensor:
    """x (b, c, h, w) normalised over groups of channels, and after SiLU if that is asked for."""
    if kernel := cpu_norm.kernel_for(x, weight, bias, groups):
        return kernel(x, weight, bias, groups, eps, silu)
    normal = F.group_norm(x, groups, weight, bias, eps)
    # in place where nobody looks back: at 512 × 512 that spares a quarter of a gigabyte
    return F.silu(normal, inplace=not torch.is_grad_enabled()) if silu else normal


def activation(groups: int, channels: int, eps: float) -> nn.Module:
    """``NormSiLU``, or for 0 groups a ReLU alone, (b, c, h, w) → (b, c, h, w).

    Without normalisation a network does to a window of a picture what it does to the whole of it,
    so it can be trained on windows; residual blocks whose last convolution begins at zero keep
    it stable (Zhang et al. 2019, "Fixup"). It is also the cheapest activation there is.
    """
    return NormSiLU(groups, channels, eps) if groups else nn.ReLU()
