"""The encoder of T5 version 1.1 (Raffel et al. 2020; gated as in Shazeer 2020)."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-6  # of every normalisation


@dataclass(frozen=True)
class T5Params:
    """The sizes of a T5 encoder.

    Attributes:
        vocabulary: number of tokens.
        width: of the tokens.
        layers: their number.
        heads: attention heads of a layer.
        head_width: width of a head.
        hidden: width inside a layer's feed-forward.
        buckets: kinds of distance between two tokens that a layer tells apart.
        distance: distances from this on are of one kind.
    """

    vocabulary: int
    width: int
    layers: int
    heads: int
    head_width: int
    hidden: int
    buckets: int
    distance: int


class T5Encoder(nn.Module):
    """A transformer over the tokens of a prompt, each of which sees all others."""

    def __init__(self, params: T5Params) -> None:
        super().__init__()
        p = self.params = params
        self.tokens = nn.Embedding(p.vocabulary, p.width)
        self.distances = nn.Embedding(p.buckets, p.heads)
        self.layers = nn.ModuleList(_Layer(p) for _ in range(p.layers))
        self.norm_out = nn.RMSNorm(p.width, EPS)

    def forward(self, tokens: Tensor) -> Tensor:
        """Context (b, n, width) of tokens (b, n), padding seen as any other token."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        apart = places - places.unsqueeze(1)
        kinds = buckets(apart, self.params.buckets, self.params.distance)
        bias = self.distances(kinds).permute(2, 0, 1)
        x = self.tokens(tokens)
        for layer in self.layers:
            x = layer(x, bias)
        return self.norm_out(x)


class _Layer(nn.Module):
    """Self-attention and a gated feed-forward, each normalised and added."""

    def __init__(self, p: T5Params) -> None:
        super().__init__()
        inner = p.heads * p.head_width
        self.heads = p.heads
        self.norm_attend = nn.RMSNorm(p.width, EPS)
        self.query = nn.Linear(p.width, inner, bias=False)
        self.key = nn.Linear(p.width, inner, bias=False)
        self.value = nn.Linear(p.width, inner, bias=False)
        self.out = nn.Linear(inner, p.width, bias=False)
        self.norm_feed = nn.RMSNorm(p.width, EPS)
        self.gate = nn.Linear(p.width, p.hidden, bias=False)
        self.widen = nn.Linear(p.width, p.hidden, bias=False)
        self.narrow = nn.Linear(p.hidden, p.width, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x (b, n, width) with the distances' bias (heads, n, n) → (b, n, width)."""
        x = x + self._attend(self.norm_attend(x), bias)
        h = self.norm_feed(x)
        return x + self.narrow(F.gelu(self.gate(h), approximate="tanh") * self.widen(h))

    def _attend(self, x: Tensor, bias: Tensor) -> Tensor:
        """softmax(QKᵀ + bias)·V: T5 has the usual 1/√d in its weights."""
        query, key, value = (
            linear(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for linear in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias[None], scale=1)
        return self.out(mixed.transpose(1, 2).flatten(2))


def buckets(apart: Tensor, number: int, distance: int) -> Tensor:
    """The kind, 0…number − 1, of each distance ``apart`` to a key, of any shape (2.1).

    Half of the kinds are for keys after the query; of each half, one half is for the nearest keys,
    one place a kind, and the other grows with the logarithm, up to ``distance``.
    """
    half, near = number // 2, number // 4
    far = (apart.abs().float() / near).log() / math.log(distance / near) * (half - near)
    far = (near + far.clamp(min=0).long()).clamp(max=half - 1)
    return half * (apart > 0) + torch.where(apart.abs() < near, apart.abs(), far)
