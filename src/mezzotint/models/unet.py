"""The conditional U-Net (Ho et al. 2020; Rombach et al. 2022; Podell et al. 2023)."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.nn.attention import Attention
from mezzotint.nn.embedding import Perceptron, sinusoidal
from mezzotint.nn.init import zeroed
from mezzotint.nn.memory import KeysValues, Memory, flat, pairs
from mezzotint.nn.norm import NormSiLU
from mezzotint.nn.residual import Downsample, Entry, ResidualBlock, Upsample
from mezzotint.nn.transformer import PixelTransformer, readers

EPS = 1e-5  # of the group normalisations outside the transformers
GUIDANCE_WIDTH = 256  # of the sinusoidal embedding of guidance


@dataclass(frozen=True)
class UNetParams:
    """The sizes of a U-Net.

    Attributes:
        channels_in: channels of its input, those of a latent and of what is joined to it.
        channels_out: channels of its output.
        channels: width of each level, finest first; each further level halves the resolution.
        blocks: residual blocks of a level on the way down; one more on the way up.
        depths: transformer blocks after each residual block of a level, 0 for no attention.
        mid_depth: the same for the middle, at the coarsest resolution.
        heads: attention heads of each level; the middle has the last level's.
        context_width: width of the context's tokens.
        y_width: width of the vector that conditions beside the time, 0 for none.
        groups: groups of the normalisation; see NormSiLU for what is quick.
        guided: whether it is told the guidance scale that it was distilled for.
        patch: latents are cut into patch × patch pixels first (Hoogeboom et al. 2301.11093, 3.3),
            1 for none; their sides are multiples of it.
        cross_only: levels, the finest is 0, whose pixels read the prompt without attending to one
            another (Saharia et al. 2205.11487, B.1).
    """

    channels_in: int
    channels_out: int
    channels: tuple[int, ...]
    blocks: int
    depths: tuple[int, ...]
    mid_depth: int
    heads: tuple[int, ...]
    context_width: int
    y_width: int
    groups: int
    guided: bool
    patch: int = 1
    cross_only: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Raise InputError for levels that are not described in full."""
        if not len(self.channels) == len(self.depths) == len(self.heads):
            raise InputError(
                f"U-Net with channels {self.channels}, depths {self.depths}, heads {self.heads}: "
                "each must have one number a level"
            )

    @property
    def time_width(self) -> int:
        """Width of the embedding of time and ``y``."""
        return 4 * self.channels[0]

    @property
    def skips(self) -> tuple[int, ...]:
        """Widths of what the way down leaves for the way up."""
        left = [c for c in self.channels for _ in range(self.blocks + 1)]
        return self.channels[0], *left[:-1]  # after the coarsest level there is no step


class UNet(nn.Module):
    """Noisy latents, time and context to a prediction."""

    def __init__(self, params: UNetParams) -> None:
        super().__init__()
        p = self.params = params
        first, last = p.channels[0], p.channels[-1]
        coarsest = len(p.channels) - 1

        self.time = Perceptron(first, p.time_width)
        self.vector = Perceptron(p.y_width, p.time_width) if p.y_width else None
        self.guidance = nn.Linear(GUIDANCE_WIDTH, first, bias=False) if p.guided else None

        self.conv_in = Entry(p.channels_in * p.patch**2, first, 3, padding=1)
        wide = first
        self.down = nn.ModuleList()
        for i, c in enumerate(p.channels):
            widths = [(wide, c)] + [(c, c)] * (p.blocks - 1)
            self.down.append(_DownLevel(i, widths, i < coarsest, p))
            wide = c

        self.mid = nn.ModuleList(
            [
                _Block(last, last, _attention(last, p.mid_depth, p.heads[-1], p), p),
                _Block(last, last, None, p),
            ]
        )

        skips = list(p.skips)
        self.up = nn.ModuleList()
        for i, c in reversed(list(enumerate(p.channels))):
            widths = [(w + skips.pop(), c) for w in [wide] + [c] * p.blocks]
            self.up.append(_UpLevel(i, widths, i > 0, p))
            wide = c

        self.norm_out = NormSiLU(p.groups, first, EPS)
        self.conv_out = zeroed(nn.Conv2d(first, p.channels_out * p.patch**2, 3, padding=1))

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        context: Tensor,
        y: Tensor | None = None,
        guidance: Tensor | None = None,
        residuals: Sequence[Tensor] | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """Predict (b, channels_out, h, w) of latents (b, channels_in, h, w) of any h and w.

        Args:
            x: noisy latents (b, channels_in, h, w).
            t: network timesteps (b,), 0…1000 in published checkpoints.
            context: prompt tokens (b, n, context_width).
            y: vector conditioning (b, y_width), exactly where the parameters have it.
            guidance: guidance scales (b,), exactly where the parameters have it.
            residuals: what is added to the features of ``contract``, in their order.
            memory: what ``memory`` made of this context, which is then not read again.

        Raises:
            InputError: ``y`` or ``guidance`` is missing where it is needed, or given where it has
                no use.
        """
        features, time, read = self._told(x, t, context, y, guidance, residuals, memory)
        h = features.pop()
        for level in self.up:
            h = level(h, features, time, read)
        return self.leave(h)

    def with_deep(self, blocks: int, x: Tensor, *told: Any, **named: Any) -> tuple[Tensor, Tensor]:
        """``forward``, and what comes up from below to the last ``blocks`` blocks (b, c, …)."""
        features, time, read = self._told(x, *told, **named)
        h = features.pop()
        for level in self.up[:-1]:
            h = level(h, features, time, read)
        finest = list(cast("_UpLevel", self.up[-1]).blocks)
        deep = _up(finest[:-blocks], h, features, time, read)
        return self.leave(_up(finest[-blocks:], deep, features, time, read)), deep

    def shallow(
        self,
        blocks: int,
        deep: Tensor,
        x: Tensor,
        t: Tensor,
        context: Tensor,
        y: Tensor | None = None,
        guidance: Tensor | None = None,
        residuals: Sequence[Tensor] | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """``forward`` if the last ``blocks`` blocks on the way up are given ``deep`` from below.

        These, and the blocks on the way down that they need, read the prompt themselves, rather
        than in ``memory``.
        """
        time = self.embed(t, y, guidance, x.dtype)
        first = list(cast("_DownLevel", self.down[0]).blocks)[: blocks - 1]
        last = list(cast("_UpLevel", self.up[-1]).blocks)[-blocks:]
        read = (each.keys_values(context) for block in (*first, *last) for each in readers(block))
        features = [self.enter(x)]
        for block in first:
            features.append(block(features[-1], time, read))
        if residuals is not None:
            features = [own + more for own, more in zip(features, residuals, strict=False)]
        return self.leave(_up(last, deep, features, time, read))

    def _told(
        self,
        x: Tensor,
        t: Tensor,
        context: Tensor,
        y: Tensor | None = None,
        guidance: Tensor | None = None,
        residuals: Sequence[Tensor] | None = None,
        memory: Memory | None = None,
    ) -> tuple[list[Tensor], Tensor, Iterator[KeysValues]]:
        """The features of the way down and the middle, the time, and what is left to be read."""
        time = self.embed(t, y, guidance, x.dtype)
        read = pairs(self.memory(context) if memory is None else memory)
        features = self.contract(self.enter(x), time, read)
        if residuals is not None:
            features = [own + more for own, more in zip(features, residuals, strict=True)]
        return features, time, read

    def memory(self, context: Tensor) -> Memory:
        """What is remembered of prompts (b, n, context_width), whatever the picture and the time.

        Given to ``forward``, it spares reading them again, and no bit of the prediction changes.
        """
        return flat(each.keys_values(context) for each in self.readers())

    def readers(self) -> list[Attention]:
        """What reads prompts, in the order in which it does: of their weights is the memory."""
        return readers(self)

    def enter(self, x: Tensor) -> Tensor:
        """First features (b, channels[0], h/patch, w/patch) of latents (b, channels_in, h, w)."""
        return self.conv_in(F.pixel_unshuffle(x, self.params.patch))

    def leave(self, h: Tensor) -> Tensor:
        """The prediction (b, channels_out, h, w) of the last features."""
        return F.pixel_shuffle(self.conv_out(self.norm_out(h)), self.params.patch)

    def embed(
        self, t: Tensor, y: Tensor | None, guidance: Tensor | None, dtype: torch.dtype
    ) -> Tensor:
        """Time, ``y`` and guidance as the blocks read them, (b, time_width)."""
        p = self.params
        _check_given(guidance, self.guidance, f"guided {p.guided}: the guidance scale")
        _check_given(y, self.vector, f"y_width {p.y_width}: the vector y")
        told = sinusoidal(t, p.channels[0]).to(dtype)
        if self.guidance is not None and guidance is not None:
            told = told + self.guidance(_guidance_embedding(guidance).to(dtype))
        time = self.time(told)
        if self.vector is not None and y is not None:
            time = time + self.vector(y)
        return F.silu(time)

    def contract(self, h: Tensor, time: Tensor, read: Iterator[KeysValues]) -> list[Tensor]:
        """The way down and the middle.

        Args:
            h: what ``enter`` makes of the latents, (b, channels[0], h/patch, w/patch).
            time: as ``embed`` makes it.
            read: ``pairs`` of the prompt's ``memory``; those of the way up are left in it.

        Returns:
            Features (b, c, …) of the widths ``params.skips``, and last those of the middle.
        """
        features = [h]
        for level in self.down:
            features += level(features[-1], time, read)
        h = features[-1]
        for block in self.mid:
            h = block(h, time, read)
        return [*features, h]


def _check_given(value: Tensor | None, reader: nn.Module | None, what: str) -> None:
    if (value is None) != (reader is None):
        raise InputError(f"U-Net with {what} {'is missing' if value is None else 'was given'}")


def _guidance_embedding(scale: Tensor) -> Tensor:
    """[sin(v·ω), cos(v·ω)] of v = 1000·(scale − 1), ω from 1 to 1/10000, (b,) → (b, 256) float32.

    Luo et al. 2310.04378, 4.2, whose guidance scale is one less than ours. Unlike that of time, it
    reaches the lowest frequency, and begins with the sines.
    """
    half = GUIDANCE_WIDTH // 2
    ranks = torch.arange(half, dtype=torch.float32, device=scale.device)
    rates = torch.exp(ranks * -(math.log(10000) / (half - 1)))
    angles = ((scale.float() - 1) * 1000).unsqueeze(-1) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _attention(
    channels: int, depth: int, heads: int, p: UNetParams, *, cross_only: bool = False
) -> PixelTransformer | None:
    if not depth:
        return None
    return PixelTransformer(channels, p.context_width, heads, depth, p.groups, cross_only)


class _Block(nn.Module):
    """A residual block, and the transformer after it where there is one."""

    def __init__(
        self, wide_in: int, wide_out: int, attention: PixelTransformer | None, p: UNetParams
    ) -> None:
        super().__init__()
        self.residual = ResidualBlock(wide_in, wide_out, p.groups, EPS, p.time_width)
        self.attention = attention

    def forward(self, x: Tensor, time: Tensor, read: Iterator[KeysValues]) -> Tensor:
        x = self.residual(x, time)
        return x if self.attention is None else self.attention(x, read)


def _blocks(level: int, widths: Sequence[tuple[int, int]], p: UNetParams) -> nn.ModuleList:
    depth, heads, cross_only = p.depths[level], p.heads[level], level in p.cross_only
    return nn.ModuleList(
        _Block(a, b, _attention(b, depth, heads, p, cross_only=cross_only), p) for a, b in widths
    )


class _DownLevel(nn.Module):
    """Blocks of widths (in, out) at one resolution, then a step to the next coarser one."""

    def __init__(
        self, level: int, widths: Sequence[tuple[int, int]], steps: bool, p: UNetParams
    ) -> None:
        super().__init__()
        self.blocks = _blocks(level, widths, p)
        self.step = Downsample(widths[-1][1], centred=True) if steps else None

    def forward(self, x: Tensor, time: Tensor, read: Iterator[KeysValues]) -> list[Tensor]:
        """Everything the way up reads again; the last is what goes on down."""
        features: list[Tensor] = []
        for block in self.blocks:
            x = block(x, time, read)
            features.append(x)
        if self.step is not None:
            features.append(self.step(x))
        return features


class _UpLevel(nn.Module):
    """Blocks that read the way down's features, then a step to the next finer resolution."""

    def __init__(
        self, level: int, widths: Sequence[tuple[int, int]], steps: bool, p: UNetParams
    ) -> None:
        super().__init__()
        self.blocks = _blocks(level, widths, p)
        self.step = Upsample(widths[-1][1]) if steps else None

    def forward(
        self, x: Tensor, skips: list[Tensor], time: Tensor, read: Iterator[KeysValues]
    ) -> Tensor:
        """Take as many features from the end of ``skips`` as there are blocks."""
        x = _up(self.blocks, x, skips, time, read)
        return x if self.step is None else self.step(x, skips[-1].shape[2:])


def _up(
    blocks: Iterable[nn.Module],
    x: Tensor,
    skips: list[Tensor],
    time: Tensor,
    read: Iterator[KeysValues],
) -> Tensor:
    for block in blocks:
        x = block(torch.cat([x, skips.pop()], dim=1), time, read)
    return x
