"""A first convolution that takes more channels than it did, in its place in a network."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class Widening(nn.Module):
    """The kernels of further channels, zero at first (Brooks et al. 2211.09800, section 3.2).

    They are kept apart from the convolution's own, and their part is added to its output: so what
    it makes of the channels that it had is the same to the bit, while a convolution over all of
    them may sum in another order.

    Args:
        first: the convolution; whatever is an adapter's in it stays.
        channels: that come after its own.
    """

    def __init__(self, first: nn.Conv2d, channels: int) -> None:
        super().__init__()
        like = first.weight
        self.weight = nn.Parameter(like.new_zeros(len(like), channels, *like.shape[2:]))
        self._own, self._padding = like.shape[1], first.padding
        self._more: list[Tensor] = []
        first.register_forward_pre_hook(self._part)
        first.register_forward_hook(self._join)

    def whole(self, own: Tensor) -> Tensor:
        """Kernels (c, n + channels, h, w) for all channels, those (c, n, h, w) of its own first."""
        return torch.cat([own, self.weight.to(own)], dim=1)

    def _part(self, _: nn.Module, args: tuple[Any, ...]) -> tuple[Tensor]:
        own, more = args[0].tensor_split([self._own], dim=1)
        self._more.append(more)
        return (own.contiguous(),)

    def _join(self, _: nn.Module, args: tuple[Any, ...], made: Tensor) -> Tensor:
        return made + conv2d(self._more.pop(), self.weight, padding=self._padding)
