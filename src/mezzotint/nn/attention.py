"""Multi-head attention over a sequence, of itself or of a context."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.nn import cpu_attention
from mezzotint.nn.init import zeroed
from mezzotint.nn.norm import Norm


class Attention(nn.Module):
    """softmax(QKᵀ/√d)·V in ``heads`` heads (Vaswani et al. 2017, eq. 1).

    Queries come from ``x``, keys and values from a context, or from ``x`` too where none is given.
    ``keys_values`` is apart from ``forward`` because a prompt's stay the same through all sampling
    steps. ``bias`` is that of queries, keys and values.
    """

    def __init__(self, width: int, context_width: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(context_width, width, bias=bias)
        self.value = nn.Linear(context_width, width, bias=bias)
        self.attending = Attending()
        self.out = nn.Linear(width, width)

    def keys_values(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (b, heads, n, d) of a context (b, n, context_width)."""
        return self._split(self.key(context)), self._split(self.value(context))

    def forward(
        self, x: Tensor, keys_values: tuple[Tensor, Tensor] | None = None, causal: bool = False
    ) -> Tensor:
        """Attend from x (b, n, width) to ``keys_values``, its own unless given; (b, n, width)."""
        key, value = self.keys_values(x) if keys_values is None else keys_values
        query = self._split(self.query(x))
        mixed = self.attending(query, key, value, causal)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        b, n, width = x.shape
        return x.view(b, n, self.heads, width // self.heads).transpose(1, 2)


def attend(query: Tensor, key: Tensor, value: Tensor, causal: bool) -> Tensor:
    """softmax(QKᵀ/√d)·V of queries (b, heads, m, d), keys and values (b, heads, n, d).

    ``causal`` lets query i see the keys up to i only. PyTorch's fused kernel does it, save where a
    CPU trains on short sequences: there its backward pass takes 3 to 9 times the formula's; and
    save where a CPU draws in bfloat16 and has a quicker one.
    """
    kernel = None if causal else cpu_attention.kernel_for(query, key, value)
    if kernel is not None:
        return kernel(query, key, value)
    m, n = query.shape[2], key.shape[2]
    if not (query.requires_grad and query.device.type == "cpu" and m * n <= 512 * 512):
        return F.scaled_dot_product_attention(query, key, value, is_causal=causal)
    scores = query @ key.transpose(2, 3) * query.shape[3] ** -0.5
    if causal:
        later = torch.ones(m, n, dtype=torch.bool, device=query.device).triu(1)
        scores = scores.masked_fill(later, -torch.inf)
    return scores.softmax(dim=3).to(value.dtype) @ value


class Attending(nn.Module):
    """``attend`` as a part of a network: an adapter's hook can watch it, or answer in its place."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor, causal: bool = False) -> Tensor:
        """As ``attend``."""
        return attend(query, key, value, causal)


class PixelAttention(nn.Module):
    """Single-headed self-attention among the pixels of a feature map, added to it."""

    def __init__(self, channels: int, groups: int, eps: float) -> None:
        super().__init__()
        self.norm = Norm(groups, channels, eps)
        self.attention = Attention(channels, channels, heads=1, bias=True)
        zeroed(self.attention.out)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) → (b, c, h, w)."""
        return x + to_map(self.attention(to_tokens(self.norm(x))), x)


def to_tokens(x: Tensor) -> Tensor:
    """Feature map (b, c, h, w) as a sequence of pixels (b, h·w, c); a view in channels-last."""
    return x.flatten(2).transpose(1, 2)


def to_map(tokens: Tensor, like: Tensor) -> Tensor:
    """Sequence of pixels (b, h·w, c) as a feature map (b, c, h, w), h and w as ``like`` has."""
    return tokens.transpose(1, 2).view(like.shape)
