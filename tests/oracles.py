"""What comparisons with the reference implementations share."""

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


def randomised(module: Net) -> Net:
    """No weight at its initial value, so that none can be left out unnoticed."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
    return module.eval()


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).norm() / theirs.norm()).item()


def distance(a: Tensor, b: Tensor) -> float:
    """The root of the mean square of what is between them, in float64."""
    return float((a.double() - b).pow(2).mean().sqrt())


def psnr(one: Tensor | NDArray[np.floating], other: Tensor | NDArray[np.floating]) -> float:
    """In dB, against the range that the other has; not beyond 300."""
    a, b = (torch.as_tensor(each).double() for each in (one, other))
    error = (a - b).square().mean().clamp(min=1e-30)
    return float(10 * torch.log10((b.max() - b.min()) ** 2 / error))


def exact_norms(module: nn.Module, kind: type[nn.Module]) -> None:
    """Put torch's norm by root mean square for a reference's, which takes the mean in float32."""
    for parent in list(module.modules()):
        for name, norm in parent.named_children():
            if isinstance(norm, kind):
                exact = nn.RMSNorm(norm.weight.shape, eps=1e-6)
                exact.weight = norm.weight
                setattr(parent, name, exact)
