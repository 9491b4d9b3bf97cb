"""TAESD: a few plain convolutions that stand in for an autoencoder (Bohan 2023)."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.models.autoencoder import check_size

LIMIT = 3.0  # latents are bent into (−3, 3) before they are decoded


@dataclass(frozen=True)
class TinyAutoencoderParams:
    """The sizes of a tiny autoencoder.

    Attributes:
        image_channels: channels of a picture, 3 for RGB.
        latent_channels: channels of a latent.
        width: channels of every layer between.
        blocks: residual blocks of each level, finest first; each further level halves the
            resolution.
    """

    image_channels: int
    latent_channels: int
    width: int
    blocks: tuple[int, ...]

    @property
    def factor(self) -> int:
        """Pixels of a picture along one pixel of its latent."""
        return 2 ** (len(self.blocks) - 1)


class TinyAutoencoder(nn.Module):
    """Pictures to the latents of a larger autoencoder, scaled as the denoiser sees them, and back.

    It was trained to imitate: there is no variance, and no further scale or shift.
    """

    def __init__(self, params: TinyAutoencoderParams) -> None:
        super().__init__()
        self.params = params
        self.encoder = _encoder(params)
        self.decoder = _decoder(params)

    def encode(self, images: Tensor) -> Tensor:
        """Latents (b, c, H/factor, W/factor) of images (b, 3, H, W) in [−1, 1].

        Raises:
            InputError: H or W is no multiple of ``params.factor``.
        """
        check_size(images, self.params.factor)
        return self.encoder((images + 1) / 2)

    def decode(self, z: Tensor) -> Tensor:
        """Images (b, 3, h·factor, w·factor), nominally in [−1, 1], of latents (b, c, h, w)."""
        return 2 * self.decoder((z / LIMIT).tanh() * LIMIT) - 1


class TinyBlock(nn.Module):
    """Three 3×3 convolutions and a skip, with ReLU after each sum: (b, c, h, w) → (b, c, h, w)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            _conv(width, width), nn.ReLU(), _conv(width, width), nn.ReLU(), _conv(width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        return F.relu(x + self.convs(x))


def _encoder(p: TinyAutoencoderParams) -> nn.Sequential:
    first, *further = p.blocks
    layers: list[nn.Module] = [_conv(p.image_channels, p.width), *_blocks(p.width, first)]
    for blocks in further:
        halve = nn.Conv2d(p.width, p.width, 3, stride=2, padding=1, bias=False)
        layers += [halve, *_blocks(p.width, blocks)]
    return nn.Sequential(*layers, _conv(p.width, p.latent_channels))


def _decoder(p: TinyAutoencoderParams) -> nn.Sequential:
    finest, *coarser = p.blocks
    layers: list[nn.Module] = [_conv(p.latent_channels, p.width), nn.ReLU()]
    for blocks in reversed(coarser):
        smooth = nn.Conv2d(p.width, p.width, 3, padding=1, bias=False)
        layers += [*_blocks(p.width, blocks), nn.Upsample(scale_factor=2), smooth]
    return nn.Sequential(*layers, *_blocks(p.width, finest), _conv(p.width, p.image_channels))


def _blocks(width: int, number: int) -> list[nn.Module]:
    return [TinyBlock(width) for _ in range(number)]


def _conv(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1)
