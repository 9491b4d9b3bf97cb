"""Joint attention: two streams of tokens, each with its own weights, in one attention.

MM-DiT of Esser et al. 2024 (fig. 2b), as Stable Diffusion 3 and FLUX.1 have it. A vector of time
and prompt shifts, scales and gates every branch (adaLN-Zero of Peebles & Xie 2023, 3.2).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.nn.attention import Attending
from mezzotint.nn.init import zeroed
from mezzotint.nn.rotary import Rotation, rotate

EPS = 1e-6  # of every normalisation

Heads = tuple[Tensor, Tensor, Tensor]  # queries, keys and values, each (b, heads, n, d)


class Modulation(nn.Module):
    """A vector (b, width), after SiLU, to ``parts`` shifts, scales and gates (b, 1, width)."""

    def __init__(self, width: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.linear = zeroed(nn.Linear(width, parts * width))

    def forward(self, vector: Tensor) -> tuple[Tensor, ...]:
        """Apply the layer."""
        return self.linear(vector).unsqueeze(1).chunk(self.parts, dim=2)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """LayerNorm(x)·(1 + scale) + shift of x (b, n, width), shift and scale (b, 1, width)."""
    return F.layer_norm(x, x.shape[-1:], eps=EPS) * (1 + scale) + shift


class ToHeads(nn.Module):
    """Tokens (b, n, width) to their queries, keys and values, each (b, heads, n, d).

    ``normed`` divides queries and keys by their root mean square (Esser et al. 2024, 5.3.2).
    """

    def __init__(self, width: int, heads: int, normed: bool) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        d = width // heads
        self.norm_query = nn.RMSNorm(d, EPS) if normed else nn.Identity()
        self.norm_key = nn.RMSNorm(d, EPS) if normed else nn.Identity()

    def forward(self, x: Tensor) -> Heads:
        """Project and normalise."""
        query, key, value = (
            linear(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for linear in (self.query, self.key, self.value)
        )
        return self.norm_query(query), self.norm_key(key), value


def mix(attending: Attending, heads: Heads, rotation: Rotation | None = None) -> Tensor:
    """``attending`` among all tokens, turned by their places if given; (b, n, width)."""
    query, key, value = heads
    if rotation is not None:
        query, key = rotate(query, rotation), rotate(key, rotation)
    return attending(query, key, value).transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """Attention of one stream to itself, (b, n, width) → (b, n, width)."""

    def __init__(self, width: int, heads: int, normed: bool) -> None:
        super().__init__()
        self.to_heads = ToHeads(width, heads, normed)
        self.attending = Attending()
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Attend."""
        return self.out(mix(self.attending, self.to_heads(x)))


class FeedForward(nn.Module):
    """Linear, GELU (by tanh), linear, four times as wide inside: (…, width) → (…, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the two layers."""
        return self.narrow(F.gelu(self.widen(x), approximate="tanh"))


class Stream(nn.Module):
    """One stream's share of a joint block: all but the attention itself.

    Of its modulation's ``parts``, ``begin`` takes two and ``finish`` the next four.
    """

    def __init__(self, width: int, heads: int, normed: bool, parts: int = 6) -> None:
        super().__init__()
        self.modulation = Modulation(width, parts)
        self.to_heads = ToHeads(width, heads, normed)
        self.out = nn.Linear(width, width)
        self.feed = FeedForward(width)

    def begin(self, x: Tensor, vector: Tensor) -> tuple[Heads, Sequence[Tensor]]:
        """What goes into the attention, and the modulation's parts for what comes after it."""
        shift, scale, *later = self.modulation(vector)
        return self.to_heads(modulate(x, shift, scale)), later

    def finish(self, x: Tensor, mixed: Tensor, later: Sequence[Tensor]) -> Tensor:
        """Add what came out of the attention, then the feed-forward; x (b, n, width)."""
        gate, shift, scale, gate_feed = later[:4]
        x = x + gate * self.out(mixed)
        return x + gate_feed * self.feed(modulate(x, shift, scale))


class StreamEnd(nn.Module):
    """The share of a stream that is read a last time and goes no further."""

    def __init__(self, width: int, heads: int, normed: bool) -> None:
        super().__init__()
        self.modulation = Modulation(width, 2)
        self.to_heads = ToHeads(width, heads, normed)

    def begin(self, x: Tensor, vector: Tensor) -> tuple[Heads, Sequence[Tensor]]:
        """What goes into the attention; nothing comes after it."""
        scale, shift = self.modulation(vector)
        return self.to_heads(modulate(x, shift, scale)), ()

    def finish(self, x: Tensor, mixed: Tensor, later: Sequence[Tensor]) -> Tensor:
        """Leave x as it is."""
        return x


class JointBlock(nn.Module):
    """Context and image through one attention, then each through a feed-forward of its own.

    ``dual`` lets the image attend to itself alone besides (Stable Diffusion 3.5 medium); ``last``
    ends the context's stream.
    """

    def __init__(
        self, width: int, heads: int, normed: bool, dual: bool = False, last: bool = False
    ) -> None:
        super().__init__()
        self.context: Stream | StreamEnd = (StreamEnd if last else Stream)(width, heads, normed)
        self.image = Stream(width, heads, normed, parts=9 if dual else 6)
        self.attending = Attending()
        self.dual = SelfAttention(width, heads, normed) if dual else None

    def forward(
        self, context: Tensor, x: Tensor, vector: Tensor, rotation: Rotation | None = None
    ) -> tuple[Tensor, Tensor]:
        """Context (b, m, width) and image (b, n, width) after the block.

        Args:
            context: the prompt's tokens (b, m, width).
            x: the image's tokens (b, n, width).
            vector: time and prompt (b, width), after SiLU.
            rotation: of the m + n places, the context's first; None for no rotation.
        """
        from_context, context_later = self.context.begin(context, vector)
        from_image, later = self.image.begin(x, vector)
        query, key, value = (
            torch.cat(both, dim=2) for both in zip(from_context, from_image, strict=True)
        )
        mixed = mix(self.attending, (query, key, value), rotation)
        m = context.shape[1]
        if self.dual is not None:
            shift, scale, gate = later[4:]
            x = x + gate * self.dual(modulate(x, shift, scale))
        x = self.image.finish(x, mixed[:, m:], later)
        return self.context.finish(context, mixed[:, :m], context_later), x


class Output(nn.Module):
    """Tokens (b, n, width), modulated once more, to (b, n, channels)."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.modulation = Modulation(width, 2)
        self.linear = zeroed(nn.Linear(width, channels))

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """x (b, n, width) with the vector (b, width), after SiLU."""
        scale, shift = self.modulation(vector)
        return self.linear(modulate(x, shift, scale))
