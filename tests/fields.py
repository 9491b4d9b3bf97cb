"""Random fields whose denoiser is exact, as a model: what an edit should be, is known."""

from dataclasses import replace
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mezzotint.families.base import Model

FACTOR = 2


class Shuffled(nn.Module):
    """An autoencoder that loses nothing: a latent has the pixels of its patch as channels."""

    params = SimpleNamespace(latent_channels=3 * FACTOR**2, factor=FACTOR)

    def encode(self, images: Tensor) -> Tensor:
        return F.pixel_unshuffle(images, FACTOR)

    def decode(self, latents: Tensor) -> Tensor:
        return F.pixel_shuffle(latents, FACTOR)


class Field(nn.Module):
    """The flow that x₀ ~ N(0, C) has, for pixels that are alike within ``length`` of each other.

    C is stationary, with wave numbers' variances that fall as a Gaussian: E[x₀ | x] is a filter.
    """

    def __init__(self, length: float, std: float = 0.3) -> None:
        super().__init__()
        self.length, self.std = length, std
        self.unused = nn.Parameter(torch.zeros(1))  # which tells dtype

    def variances(self, height: int, width: int) -> Tensor:
        y, x = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)
        power = torch.exp(-2 * (torch.pi * self.length) ** 2 * (x**2 + y**2)) + 1e-6
        return self.std**2 * power / power.mean()

    def sample(self, height: int, width: int) -> Tensor:
        noise = torch.fft.fft2(torch.randn(1, 3, height, width))
        return torch.fft.ifft2(noise * self.variances(height, width).sqrt()).real

    def forward(self, x: Tensor, steps: Tensor, *told: Tensor | None) -> Tensor:
        t = (steps / 1000).view(-1, 1, 1, 1)
        image = F.pixel_shuffle(x, FACTOR)
        power = self.variances(*image.shape[2:])
        gain = (1 - t) * power / ((1 - t) ** 2 * power + t**2)
        x0 = torch.fft.ifft2(torch.fft.fft2(image) * gain).real
        return (x - F.pixel_unshuffle(x0, FACTOR)) / t


def model(tiny: Model, length: float, size: int = 32) -> Model:
    """A model that draws such fields, whatever the prompt."""
    latents = Shuffled.params.latent_channels
    family = replace(tiny.family, size=size, smallest=8, largest=2 * size, multiple=4, cfg=1.0)
    return replace(
        tiny,
        family=family,
        network=Field(length).eval(),
        autoencoder=Shuffled(),
        latent_mean=torch.zeros(1, latents, 1, 1),
        latent_std=torch.ones(1, latents, 1, 1),
    )
