"""Transformers among the pixels of a feature map that read the prompt (Rombach et al. 2022)."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.nn.attention import Attention, to_map, to_tokens
from mezzotint.nn.init import zeroed
from mezzotint.nn.memory import KeysValues
from mezzotint.nn.norm import Norm

TOKENS = 2048
"""What a feed-forward makes of so many in between is some megabytes: they need not leave caches."""


class PixelTransformer(nn.Module):
    """``depth`` transformer blocks between two projections, added to the feature map.

    ``cross_only`` has of each block the cross-attention alone: every pixel reads the prompt, and
    none the others, which is what costs where pixels are many.
    """

    def __init__(
        self,
        channels: int,
        context_width: int,
        heads: int,
        depth: int,
        groups: int,
        cross_only: bool = False,
    ) -> None:
        super().__init__()
        self.norm = Norm(groups, channels, eps=1e-6)
        self.project_in = nn.Linear(channels, channels)
        self.blocks = nn.ModuleList(
            (CrossBlock if cross_only else TransformerBlock)(channels, context_width, heads)
            for _ in range(depth)
        )
        self.project_out = zeroed(nn.Linear(channels, channels))

    def forward(self, x: Tensor, read: Iterator[KeysValues]) -> Tensor:
        """x (b, c, h, w) → (b, c, h, w); each block takes the next keys and values of ``read``."""
        tokens = self.project_in(to_tokens(self.norm(x)))
        for block in self.blocks:
            tokens = block(tokens, next(read))
        return x + to_map(self.project_out(tokens), x)


class TransformerBlock(nn.Module):
    """Self-attention, cross-attention and a gated feed-forward, each normalised and added."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.norm_self = nn.LayerNorm(width)
        self.attend_self = Attention(width, width, heads, bias=False)
        self.norm_cross = nn.LayerNorm(width)
        self.attend_cross = Attention(width, context_width, heads, bias=False)
        self.norm_feed = nn.LayerNorm(width)
        self.feed = GatedFeedForward(width, 4 * width)

    def forward(self, x: Tensor, read: KeysValues) -> Tensor:
        """x (b, m, width) with ``read``, what ``attend_cross`` makes of the prompt; as x is."""
        x = x + self.attend_self(self.norm_self(x))
        x = x + self.attend_cross(self.norm_cross(x), read)
        return x + self.feed(self.norm_feed(x))


class CrossBlock(nn.Module):
    """Cross-attention, normalised and added."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.norm_cross = nn.LayerNorm(width)
        self.attend_cross = Attention(width, context_width, heads, bias=False)

    def forward(self, x: Tensor, read: KeysValues) -> Tensor:
        """x (b, m, width) with ``read``, what ``attend_cross`` makes of the prompt; as x is."""
        return x + self.attend_cross(self.norm_cross(x), read)


class GatedFeedForward(nn.Module):
    """(x·A)·GELU(x·B)·C, GEGLU of Shazeer 2020 (eq. 6): (…, width) → (…, width)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.value_gate = nn.Linear(width, 2 * hidden)
        self.out = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the gated layer; on a CPU to ``TOKENS`` at a time, unless somebody learns."""
        few = x.shape[:-1].numel() <= TOKENS
        if few or torch.is_grad_enabled() or x.device.type != "cpu":
            return self._applied(x)
        parts = x.flatten(0, -2).split(TOKENS)
        return torch.cat([self._applied(part) for part in parts]).view_as(x)

    def _applied(self, x: Tensor) -> Tensor:
        value, gate = self.value_gate(x).chunk(2, dim=-1)
        return self.out(value * F.gelu(gate))


def readers(module: nn.Module) -> list[Attention]:
    """The cross-attentions in a module, in the order in which it runs them: what reads prompts."""
    blocks = (TransformerBlock, CrossBlock)
    return [each.attend_cross for each in module.modules() if isinstance(each, blocks)]
