"""The conditional U-Net (Ho et al. 2020; Rombach et al. 2022; Podell et al. 2023)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.nn.embedding import Perceptron, sinusoidal
from mezzotint.nn.init import zeroed
from mezzotint.nn.norm import NormSiLU
from mezzotint.nn.residual import Downsample, ResidualBlock, Upsample
from mezzotint.nn.transformer import PixelTransformer

EPS = 1e-5  # of the group normalisations outside the transformers


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


class UNet(nn.Module):
    """Noisy latents, time and context to a prediction."""

    def __init__(self, params: UNetParams) -> None:
        super().__init__()
        p = self.params = params
        first, last = p.channels[0], p.channels[-1]
        levels = list(zip(p.channels, p.depths, p.heads, strict=True))
        coarsest = len(levels) - 1

        self.time = Perceptron(first, p.time_width)
        self.vector = Perceptron(p.y_width, p.time_width) if p.y_width else None

        self.conv_in = nn.Conv2d(p.channels_in, first, 3, padding=1)
        skips = [first]  # widths of what the way down leaves for the way up
        self.down = nn.ModuleList()
        for i, (c, depth, heads) in enumerate(levels):
            widths = [(skips[-1], c)] + [(c, c)] * (p.blocks - 1)
            self.down.append(_DownLevel(widths, depth, heads, i < coarsest, p))
            skips += [c] * (p.blocks + (i < coarsest))

        self.mid = nn.ModuleList(
            [_Block(last, last, p.mid_depth, p.heads[-1], p), _Block(last, last, 0, 1, p)]
        )

        wide = last
        self.up = nn.ModuleList()
        for i, (c, depth, heads) in reversed(list(enumerate(levels))):
            widths = [(w + skips.pop(), c) for w in [wide] + [c] * p.blocks]
            self.up.append(_UpLevel(widths, depth, heads, i > 0, p))
            wide = c

        self.norm_out = NormSiLU(p.groups, first, EPS)
        self.conv_out = zeroed(nn.Conv2d(first, p.channels_out, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor, context: Tensor, y: Tensor | None = None) -> Tensor:
        """Predict (b, channels_out, h, w) of latents (b, channels_in, h, w) of any h and w.

        Args:
            x: noisy latents (b, channels_in, h, w).
            t: network timesteps (b,), 0…1000 in published checkpoints.
            context: prompt tokens (b, n, context_width).
            y: vector conditioning (b, y_width), exactly where the parameters have it.

        Raises:
            InputError: ``y`` is missing where it is needed, or given where it has no use.
        """
        time = F.silu(self._embed(t, y, x.dtype))
        h = self.conv_in(x)
        skips = [h]
        for level in self.down:
            skips += level(skips[-1], time, context)
        h = skips[-1]
        for block in self.mid:
            h = block(h, time, context)
        for level in self.up:
            h = level(h, skips, time, context)
        return self.conv_out(self.norm_out(h))

    def _embed(self, t: Tensor, y: Tensor | None, dtype: torch.dtype) -> Tensor:
        time = self.time(sinusoidal(t, self.params.channels[0]).to(dtype))
        if self.vector is None and y is None:
            return time
        if self.vector is None or y is None:
            given = "is missing" if y is None else "was given"
            raise InputError(f"U-Net with y_width {self.params.y_width}: the vector y {given}")
        return time + self.vector(y)


class _Block(nn.Module):
    """A residual block, and a transformer of ``depth`` blocks where that is not 0."""

    def __init__(self, wide_in: int, wide_out: int, depth: int, heads: int, p: UNetParams) -> None:
        super().__init__()
        self.residual = ResidualBlock(wide_in, wide_out, p.groups, EPS, p.time_width)
        self.attention = (
            PixelTransformer(wide_out, p.context_width, heads, depth, p.groups) if depth else None
        )

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        x = self.residual(x, time)
        return x if self.attention is None else self.attention(x, context)


class _DownLevel(nn.Module):
    """Blocks of widths (in, out) at one resolution, then a step to the next coarser one."""

    def __init__(
        self, widths: Sequence[tuple[int, int]], depth: int, heads: int, steps: bool, p: UNetParams
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(a, b, depth, heads, p) for a, b in widths)
        self.step = Downsample(widths[-1][1], centred=True) if steps else None

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> list[Tensor]:
        """Everything the way up reads again; the last is what goes on down."""
        features: list[Tensor] = []
        for block in self.blocks:
            x = block(x, time, context)
            features.append(x)
        if self.step is not None:
            features.append(self.step(x))
        return features


class _UpLevel(nn.Module):
    """Blocks that read the way down's features, then a step to the next finer resolution."""

    def __init__(
        self, widths: Sequence[tuple[int, int]], depth: int, heads: int, steps: bool, p: UNetParams
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(a, b, depth, heads, p) for a, b in widths)
        self.step = Upsample(widths[-1][1]) if steps else None

    def forward(self, x: Tensor, skips: list[Tensor], time: Tensor, context: Tensor) -> Tensor:
        """Take as many features from the end of ``skips`` as there are blocks."""
        for block in self.blocks:
            x = block(torch.cat([x, skips.pop()], dim=1), time, context)
        return x if self.step is None else self.step(x, skips[-1].shape[2:])
