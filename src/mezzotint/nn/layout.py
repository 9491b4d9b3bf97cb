"""How maps and kernels lie in memory."""

import torch
from torch import Tensor


def channels_last(x: Tensor) -> Tensor:
    """A map or a kernel with the channels of a pixel side by side, as convolutions take it.

    Whatever has not four dimensions stays as it is.
    """
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
