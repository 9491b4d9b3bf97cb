"""The exponential moving average of a network's weights."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mezzotint.training.schedule import ema_decay


class EMA:
    """θ̄ ← d·θ̄ + (1 − d)·θ, kept in float32 beside the weights; buffers are the network's own."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {
            name: weight.detach().clone() for name, weight in network.named_parameters()
        }
        self._live = [weight.detach() for weight in network.parameters()]
        self._mean = list(self.weights.values())

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after ``step`` (0-based)."""
        # one call for all weights: hundreds of small ones would take longer than their arithmetic
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
            self._mean, self._live, 1 - ema_decay(step, self.decay)
        )

    @contextmanager
    def applied(self) -> Generator[None]:
        """Have the network hold the averaged weights inside the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for live, mean in zip(self._live, self._mean, strict=True):
            kept = live.clone()
            live.copy_(mean)
            mean.copy_(kept)

    def load(self, weights: dict[str, Tensor]) -> None:
        """Take averaged weights by name, as ``self.weights`` had them."""
        for name, mean in self.weights.items():
            mean.copy_(weights[name])
