"""The residual block of diffusion U-Nets, and the changes of resolution between levels."""

import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.nn.init import zeroed
from mezzotint.nn.layout import channels_last
from mezzotint.nn.norm import activation


class Entry(nn.Conv2d):
    """The convolution that a network begins with; behind it the channels of a pixel are neighbours.

    So convolutions and matrix products take maps as they are, where they would turn them around,
    and back, at every call.
    """

    def forward(self, input: Tensor) -> Tensor:
        """As a convolution does, in channels-last."""
        return super().forward(channels_last(input))


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions and a skip, the time embedding added between them (Ho et al. 2020, B).

    ``time_width`` 0 makes a block without time, as in an autoencoder; ``groups`` 0 one without
    normalisation.
    """

    def __init__(
        self, channels_in: int, channels_out: int, groups: int, eps: float, time_width: int = 0
    ) -> None:
        super().__init__()
        self.norm_in = activation(groups, channels_in, eps)
        self.conv_in = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.time = nn.Linear(time_width, channels_out) if time_width else None
        self.norm_out = activation(groups, channels_out, eps)
        self.conv_out = zeroed(nn.Conv2d(channels_out, channels_out, 3, padding=1))
        same = channels_in == channels_out
        self.skip = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """x (b, c, h, w), and where the block has time its embedding after SiLU (b, time_width)."""
        h = self.conv_in(self.norm_in(x))
        if self.time is not None:
            h = h + self.time(time)[:, :, None, None]
        h = self.norm_out(h)  # each step lets go of the one before
        h = self.conv_out(h)
        return self.skip(x) + h


class Downsample(nn.Module):
    """Half the resolution by a 3×3 convolution of stride 2.

    ``centred`` pads one pixel on all sides (U-Net), else right and below only (autoencoder).
    """

    def __init__(self, channels: int, centred: bool) -> None:
        super().__init__()
        self.centred = centred
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1 if centred else 0)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) → (b, c, h/2, w/2), halves rounded up where centred, else down."""
        return self.conv(x if self.centred else F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Nearest-neighbour enlargement, smoothed by a 3×3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(b, c, h, w) → (b, c, *size)."""
        return self.conv(F.interpolate(x, size=size, mode="nearest"))
