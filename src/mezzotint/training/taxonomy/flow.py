"""Normalizing flow: a bijection between latents and noise, whose density is exact.

The bijection is TarFlow's (Zhai et al. 2412.06329), an autoregressive flow (Papamakarios et al.
1705.07057) over patches: each pass shifts and scales every patch by what a causal transformer makes
of the patches before it, and every other pass goes through them backwards. Density takes one call a
pass. Drawing takes one a patch and pass, as each patch has to wait for those before it.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.diffusion import Noise
from mezzotint.errors import InputError
from mezzotint.nn.attention import Attention, to_tokens
from mezzotint.nn.init import zeroed
from mezzotint.nn.transformer import GatedFeedForward
from mezzotint.training.draw import Draw
from mezzotint.training.taxonomy.kind import Settings, Shape, bits_a_dimension

STEEPEST = 3.0  # |ln scale| of a pass stays below: one odd patch must not blow up all that follow

Past = tuple[Tensor, Tensor]
"""Keys and values (b, heads, n, d) of the n patches before."""


@dataclass(frozen=True)
class FlowParams:
    """The sizes of a flow.

    Attributes:
        patches: patches along a side.
        passes: how often all patches are gone through.
        depth: transformer layers of a pass.
        width: of their tokens.
        heads: of their attention.
    """

    patches: int
    passes: int
    depth: int
    width: int
    heads: int


class Flow:
    """Maximum likelihood, and nothing else."""

    def __init__(self, shape: Shape, params: FlowParams) -> None:
        self.shape = shape
        self.settings = Settings(lr=5e-4, betas=(0.9, 0.95))
        self.generator = Bijection(shape, params)
        self.players: dict[str, nn.Module] = {"flow": self.generator}
        self.evaluations = params.passes * params.patches**2

    def loss(self, player: str, x: Tensor, told: Tensor, draw: Draw) -> Tensor:
        """−ln p(x | c) in nats a dimension."""
        return self._nats(x, told).mean() / self.shape.dimensions

    def sample(self, told: Tensor, noise: Noise) -> Tensor:
        """Latents (b, c, h, w) for (b, told): the inverse of noise."""
        c, side = self.shape.channels, self.shape.side
        return self.generator.inverse(noise(told.new_empty(len(told), c, side, side)), told)

    def bits(self, x: Tensor, told: Tensor, draw: Draw) -> Tensor:
        """Bits a dimension (b,), exactly."""
        return bits_a_dimension(self._nats(x, told), self.shape)

    def _nats(self, x: Tensor, told: Tensor) -> Tensor:
        """−ln p(x) = −ln N(z) − ln |det ∂z/∂x|, (b,) (Dinh et al. 1605.08803, eq. 2 and 3)."""
        z, log_det = self.generator(x, told)
        half_log = self.shape.dimensions / 2 * math.log(2 * math.pi)
        return z.square().flatten(1).sum(1) / 2 + half_log - log_det


class Bijection(nn.Module):
    """Latents (b, c, h, w) to noise of that shape, and back, both told of by (b, told)."""

    def __init__(self, shape: Shape, params: FlowParams) -> None:
        super().__init__()
        p = params
        if shape.side % p.patches:
            raise InputError(
                f"latents of side {shape.side}: it must be a multiple of the {p.patches} patches"
            )
        self.patch, self.patches = shape.side // p.patches, p.patches
        size = shape.channels * self.patch**2
        self.passes = nn.ModuleList(_Pass(size, shape.told, p) for _ in range(p.passes))

    def forward(self, x: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Noise z (b, c, h, w), and ln |det ∂z/∂x| (b,)."""
        tokens = self._cut(x)
        log_det = x.new_zeros(len(x))
        for each in self.passes:
            tokens, own = each(tokens, told)
            tokens, log_det = tokens.flip(1), log_det + own
        return self._joined(tokens), log_det

    def inverse(self, z: Tensor, told: Tensor) -> Tensor:
        """The x that ``forward`` would make into z."""
        tokens = self._cut(z)
        for each in reversed(self.passes):
            tokens = each.inverse(tokens.flip(1), told)  # pyright: ignore[reportCallIssue]
        return self._joined(tokens)

    def _cut(self, x: Tensor) -> Tensor:
        """(b, c, h, w) → patches (b, n, size), row by row."""
        return to_tokens(F.pixel_unshuffle(x, self.patch))

    def _joined(self, tokens: Tensor) -> Tensor:
        maps = tokens.transpose(1, 2).unflatten(2, (self.patches, self.patches))
        return F.pixel_shuffle(maps, self.patch)


class _Pass(nn.Module):
    """z_i = (x_i − μ_i)·exp(−s_i), with μ_i and s_i of x_0 … x_{i−1} (Zhai et al. eq. 5).

    In place of a patch before the first stands what is asked for, so the first is moved as well.
    """

    def __init__(self, size: int, told: int, params: FlowParams) -> None:
        super().__init__()
        p = params
        self.begin = nn.Linear(told, p.width)
        self.read = nn.Linear(size, p.width)
        self.place = nn.Parameter(0.02 * torch.randn(p.patches**2, p.width))
        self.layers = nn.ModuleList(_Layer(p.width, p.heads) for _ in range(p.depth))
        self.norm = nn.LayerNorm(p.width)
        self.moments = zeroed(nn.Linear(p.width, 2 * size))

    def forward(self, x: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Patches (b, n, size) → moved ones, and the logarithm of the determinant (b,)."""
        h = torch.cat([self.begin(told).unsqueeze(1), self.read(x[:, :-1])], 1) + self.place
        for layer in self.layers:
            h, _ = layer(h, None)
        mean, log_scale = self._moments(h)
        return (x - mean) * (-log_scale).exp(), -log_scale.flatten(1).sum(1)

    def inverse(self, z: Tensor, told: Tensor) -> Tensor:
        """x_i = z_i·exp(s_i) + μ_i, one patch after the other."""
        past: list[Past | None] = [None] * len(self.layers)
        found: list[Tensor] = []
        before = self.begin(told)
        for i in range(z.shape[1]):
            h = (before + self.place[i]).unsqueeze(1)
            for k, layer in enumerate(self.layers):
                h, past[k] = layer(h, past[k])
            mean, log_scale = self._moments(h.squeeze(1))
            found.append(z[:, i] * log_scale.exp() + mean)
            before = self.read(found[-1])
        return torch.stack(found, 1)

    def _moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_scale = self.moments(self.norm(h)).chunk(2, dim=-1)
        return mean, STEEPEST * (log_scale / STEEPEST).tanh()


class _Layer(nn.Module):
    """Causal self-attention and a gated feed-forward, each normalised and added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_attend = nn.LayerNorm(width)
        self.attend = Attention(width, width, heads, bias=False)
        self.norm_feed = nn.LayerNorm(width)
        self.feed = GatedFeedForward(width, 2 * width)

    def forward(self, x: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        """Tokens (b, n, width): all of them, or, where there is a past, the one that follows it."""
        normed = self.norm_attend(x)
        key, value = self.attend.keys_values(normed)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        x = x + self.attend(normed, (key, value), causal=past is None)
        return x + self.feed(self.norm_feed(x)), (key, value)
