"""Numbers as vectors: the sinusoidal embedding, and the perceptron that widens an embedding."""

import math

import torch
from torch import Tensor, nn


def sinusoidal(values: Tensor, width: int) -> Tensor:
    """[cos(v·ω), sin(v·ω)] with ω from 1 down to 1/10000, (…) → (…, width) float32.

    Vaswani et al. 2017, 3.5, cosines first as in Ho et al. 2020. Always in float32, because
    published networks were trained with its rounding. ``width`` is even.
    """
    half = width // 2
    ranks = torch.arange(half, dtype=torch.float32, device=values.device)
    angles = values.float().unsqueeze(-1) * torch.exp(-math.log(10000) * ranks / half)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class Perceptron(nn.Module):
    """Linear, SiLU, linear: (b, width_in) → (b, width_out)."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.first = nn.Linear(width_in, width_out)
        self.act = nn.SiLU()
        self.last = nn.Linear(width_out, width_out)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the two layers."""
        return self.last(self.act(self.first(x)))
