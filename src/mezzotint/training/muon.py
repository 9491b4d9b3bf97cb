"""Muon: a matrix's step is its momentum, made orthogonal (Jordan et al. 2024).

The gradient of a weight matrix has few large singular values, and a step along it moves the network
in few directions. With all of them near 1 it moves in every direction as far. On the embedded
model's U-Net half as many steps reach the loss that AdamW's do (docs/training-log.md).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

from mezzotint.nn.precision import multiplies

ADAMS_RMS = 0.2  # of AdamW's steps at a learning rate of 1 (Liu et al. 2502.16982, 2.2)
MOMENTUM = 0.95
QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's: takes singular values to 0.7…1.2 in five rounds
ROUNDS = 5
THIN = 64  # matrices with as few rows or columns are a network's first and last


def orthogonal(x: Tensor) -> Tensor:
    """Nearly U·Vᵀ of matrices (k, m, n) that are U·S·Vᵀ: the same directions, each as long.

    Newton and Schulz's iteration x ← a·x + (b·G + c·G²)·x with G = x·xᵀ, in bfloat16 if the
    device multiplies that: singular values come out between 0.6 and 1.3, if they were no smaller
    than a thousandth of the norm.
    """
    if x.shape[-2] > x.shape[-1]:
        return orthogonal(x.mT).mT
    a, b, c = QUINTIC
    at = x.to(torch.bfloat16 if multiplies(torch.bfloat16, x.device.type) else torch.float32)
    at = at / (at.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
        gram = at @ at.mT
        at = torch.baddbmm(at, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), at, beta=a)
    return at.to(x.dtype)


class Muon(torch.optim.AdamW):
    """Muon for the matrices within a network, AdamW for everything else.

    Steps are as long as AdamW's would be, so that both go by one learning rate (Liu et al.
    2502.16982). A kernel (o, i, h, w) is a matrix (o, i·h·w). Embeddings are tables rather than
    matrices, and the first and last layers have few rows or columns: those are AdamW's.

    Args:
        network: what is trained, where it requires gradients.
        lr: the learning rate.
        betas: AdamW's.
        weight_decay: of matrices and kernels.
    """

    def __init__(
        self, network: nn.Module, lr: float, betas: tuple[float, float], weight_decay: float
    ) -> None:
        super().__init__(decaying(network, weight_decay), lr=lr, betas=betas, fused=True)
        # those of a shape go through the iteration together: many small products are slow
        self._alike: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
        for weight in _matrices(network):
            self._alike[weight.shape[0], weight[0].numel()].append(weight)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Move all weights; there is no use for ``closure``."""
        gradients = {
            weight: weight.grad
            for alike in self._alike.values()
            for weight in alike
            if weight.grad is not None
        }
        for weight in gradients:
            weight.grad = None  # AdamW passes it over
        super().step()
        lr, decay = (self.param_groups[0][name] for name in ("lr", "weight_decay"))
        for (rows, columns), alike in self._alike.items():
            moved = [weight for weight in alike if weight in gradients]
            if not moved:
                continue
            ahead = [self._ahead(weight, gradients[weight]) for weight in moved]
            steps = orthogonal(torch.stack([each.reshape(rows, columns) for each in ahead]))
            length = lr * ADAMS_RMS * max(rows, columns) ** 0.5
            for weight, step in zip(moved, steps, strict=True):
                weight.mul_(1 - lr * decay).sub_(step.view(weight.shape), alpha=length)
        return None

    def _ahead(self, weight: nn.Parameter, gradient: Tensor) -> Tensor:
        """Nesterov's momentum: where it will be after one more step like this."""
        state = cast("dict[str, Tensor]", self.state[weight])
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(momentum, MOMENTUM)


def decaying(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """A network's weights as an optimizer's groups: matrices and kernels decay, vectors do not."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    return [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]


def _matrices(network: nn.Module) -> Iterable[nn.Parameter]:
    for module in network.modules():
        if isinstance(module, nn.Embedding):
            continue
        for weight in module.parameters(recurse=False):
            if weight.requires_grad and weight.ndim > 1 and min(weight.shape[:2]) > THIN:
                yield weight
