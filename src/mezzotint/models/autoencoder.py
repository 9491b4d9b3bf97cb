"""The KL autoencoder: pictures to latents and back (Rombach et al. 2022, Stable Diffusion's)."""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.nn.attention import PixelAttention
from mezzotint.nn.norm import activation
from mezzotint.nn.residual import Downsample, Entry, ResidualBlock, Upsample

EPS = 1e-6  # of every group normalisation


@dataclass(frozen=True)
class AutoencoderParams:
    """The sizes of an autoencoder.

    Attributes:
        image_channels: channels of a picture, 3 for RGB.
        latent_channels: channels of a latent.
        patch: pictures are cut into patch × patch pixels before the first convolution, 1 for none.
        channels: width of each level, finest first; each further level halves the resolution.
        blocks: residual blocks of an encoder level; a decoder level has one more.
        mid_attention: whether the pixels of the coarsest level attend to each other.
        latent_convs: whether a 1 × 1 convolution stands on either side of the latent.
        groups: groups of the normalisation, 0 for none; see NormSiLU for what is quick.
    """

    image_channels: int
    latent_channels: int
    patch: int
    channels: tuple[int, ...]
    blocks: int
    mid_attention: bool
    latent_convs: bool
    groups: int

    def __post_init__(self) -> None:
        """Raise InputError for attention without the normalisation that it needs."""
        if self.mid_attention and not self.groups:
            raise InputError("autoencoder with mid_attention: it needs groups of normalisation")

    @property
    def factor(self) -> int:
        """Pixels of a picture along one pixel of its latent."""
        return self.patch * 2 ** (len(self.channels) - 1)

    @property
    def patch_channels(self) -> int:
        """Channels of a picture cut into patches."""
        return self.image_channels * self.patch**2


class Autoencoder(nn.Module):
    """Encoder and decoder with a diagonal Gaussian between them."""

    def __init__(self, params: AutoencoderParams) -> None:
        super().__init__()
        self.params = params
        z = params.latent_channels
        self.encoder = Encoder(params)
        self.to_moments = nn.Conv2d(2 * z, 2 * z, 1) if params.latent_convs else nn.Identity()
        self.from_latent = nn.Conv2d(z, z, 1) if params.latent_convs else nn.Identity()
        self.decoder = Decoder(params)
        last = self.to_moments if params.latent_convs else self.encoder.conv_out
        _begin_nearly_certain(last)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (b, c, H/factor, W/factor) of images (b, 3, H, W) in [−1, 1].

        Raises:
            InputError: H or W is no multiple of ``params.factor``.
        """
        check_size(images, self.params.factor)
        return self.gaussian(self.encoder(images))

    def gaussian(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of what the encoder makes of images."""
        mean, logvar = self.to_moments(features).chunk(2, dim=1)
        return mean, logvar.clamp(-30, 20)

    def decode(self, z: Tensor) -> Tensor:
        """Images (b, 3, h·factor, w·factor), nominally in [−1, 1], of latents (b, c, h, w)."""
        return self.decoder(self.from_latent(z))


class Encoder(nn.Module):
    """Images (b, 3, H, W) to the latent's moments (b, 2c, H/factor, W/factor)."""

    def __init__(self, params: AutoencoderParams) -> None:
        super().__init__()
        first, last = params.channels[0], params.channels[-1]
        self.patch = params.patch
        self.conv_in = Entry(params.patch_channels, first, 3, padding=1)
        self.levels = nn.ModuleList(
            _Level(wide_in, wide_out, params.blocks, params.groups)
            for wide_in, wide_out in pairwise((first, *params.channels))
        )
        self.downs = nn.ModuleList(Downsample(c, centred=False) for c in params.channels[:-1])
        self.mid = _Middle(last, params)
        self.norm_out = activation(params.groups, last, EPS)
        self.conv_out = nn.Conv2d(last, 2 * params.latent_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Go from the finest level to the coarsest."""
        x = self.conv_in(F.pixel_unshuffle(images, self.patch))
        for depth, level in enumerate(self.levels):
            x = self.downs[depth - 1](x) if depth else x
            x = level(x)
        return self.finish(x)

    def finish(self, x: Tensor) -> Tensor:
        """What follows the levels, at the coarsest resolution."""
        return self.conv_out(self.norm_out(self.mid(x)))


class Decoder(nn.Module):
    """Latents (b, c, h, w) to images (b, 3, h·factor, w·factor)."""

    def __init__(self, params: AutoencoderParams) -> None:
        super().__init__()
        first, last = params.channels[0], params.channels[-1]
        coarse_to_fine = params.channels[::-1]
        self.patch = params.patch
        self.conv_in = Entry(params.latent_channels, last, 3, padding=1)
        self.mid = _Middle(last, params)
        self.levels = nn.ModuleList(
            _Level(wide_in, wide_out, params.blocks + 1, params.groups)
            for wide_in, wide_out in pairwise((last, *coarse_to_fine))
        )
        self.ups = nn.ModuleList(Upsample(c) for c in coarse_to_fine[:-1])
        self.norm_out = activation(params.groups, first, EPS)
        self.conv_out = nn.Conv2d(first, params.patch_channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Go from the coarsest level to the finest."""
        x = self.begin(z)
        for depth, level in enumerate(self.levels):
            x = self.ups[depth - 1](x, (2 * x.shape[2], 2 * x.shape[3])) if depth else x
            x = level(x)
        return F.pixel_shuffle(self.conv_out(self.norm_out(x)), self.patch)

    def begin(self, z: Tensor) -> Tensor:
        """What comes before the levels, at the coarsest resolution."""
        return self.mid(self.conv_in(z))


class _Level(nn.Sequential):
    """Residual blocks at one resolution, the first of which changes the width."""

    def __init__(self, wide_in: int, wide_out: int, blocks: int, groups: int) -> None:
        widths = (wide_in, *[wide_out] * blocks)
        super().__init__(*(ResidualBlock(a, b, groups, EPS) for a, b in pairwise(widths)))


class _Middle(nn.Module):
    """The coarsest level's residual blocks, with attention between them."""

    def __init__(self, channels: int, params: AutoencoderParams) -> None:
        super().__init__()
        attends = params.mid_attention
        self.first = ResidualBlock(channels, channels, params.groups, EPS)
        self.attention = PixelAttention(channels, params.groups, EPS) if attends else None
        self.last = ResidualBlock(channels, channels, params.groups, EPS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = x if self.attention is None else self.attention(x)
        return self.last(x)


def check_size(images: Tensor, factor: int) -> None:
    """Raise InputError where the sides of images (b, c, H, W) are no multiples of ``factor``."""
    height, width = images.shape[-2:]
    if height % factor or width % factor or not height or not width:
        raise InputError(f"image size {width}x{height}: both must be multiples of {factor}")


def sample_latents(mean: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    """z = μ + σ·noise, all (b, c, h, w) (Kingma & Welling 2014, eq. 10)."""
    return mean + (0.5 * logvar).exp() * noise


def kl_to_normal(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) per latent element, (b, c, h, w) (Kingma & Welling 2014, B)."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar)


@torch.no_grad()
def _begin_nearly_certain(conv: nn.Module) -> None:
    """Let training begin with σ = e⁻³ everywhere, else its noise hides the picture at first."""
    weight, bias = conv.get_parameter("weight"), conv.get_parameter("bias")
    weight.chunk(2)[1].zero_()
    bias.chunk(2)[1].fill_(-6)
