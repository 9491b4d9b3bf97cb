"""A critic of pictures: what makes a decoder draw texture rather than the mean of all textures.

A latent does not say where each stroke of a brush is. What is then nearest to the picture, by any
distance of pixels, is no stroke at all. So a second network learns to tell pictures from decoded
ones, place by place, and the decoder learns to be taken for a picture (Esser et al. 2012.09841,
section 3.1; Isola et al. 1611.07004, section 3.2). Both are told the latent, for what looks like
a picture here has to be one of what was encoded.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTH = 32
SLOPE = 0.2  # of leaky ReLUs where they leak
MOST = 1e4  # times that one gradient may be enlarged to the other's length


class Critic(nn.Module):
    """How much each place of a picture looks like one with that latent.

    Three convolutions halve the sides, and no score sees more than 38 pixels across: textures, not
    compositions. Each layer's largest singular value is one, so that the scores change no faster
    than the picture (Miyato et al. 1802.05957).
    """

    def __init__(self, channels: int, latent_channels: int) -> None:
        super().__init__()
        widths = (channels, WIDTH, 2 * WIDTH, 4 * WIDTH)
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)) for a, b in pairwise(widths)
        )
        self.told = spectral_norm(nn.Conv2d(latent_channels, widths[-1], 1))
        self.joined = spectral_norm(nn.Conv2d(widths[-1], widths[-1], 3, padding=1))
        self.score = spectral_norm(nn.Conv2d(widths[-1], 1, 1))

    def forward(self, images: Tensor, latents: Tensor) -> Tensor:
        """Scores (b, 1, h/8, w/8) of images (b, channels, h, w) with latents (b, c, …)."""
        for layer in self.down:
            images = F.leaky_relu(layer(images), SLOPE)
        told = F.interpolate(self.told(latents), images.shape[2:])
        return self.score(F.leaky_relu(self.joined(images + told), SLOPE))


def critics_loss(critic: Critic, images: Tensor, decoded: Tensor, latents: Tensor) -> Tensor:
    """E[(1 − D(x))₊] + E[(1 + D(x̂))₊], the hinge loss (Lim & Ye 1705.02894, eq. 5)."""
    latents = latents.detach()
    real, drawn = critic(images, latents), critic(decoded.detach(), latents)
    return F.relu(1 - real).mean() + F.relu(1 + drawn).mean()


def decoders_loss(critic: Critic, decoded: Tensor, latents: Tensor) -> Tensor:
    """−E[D(x̂)], from which the critic itself learns nothing."""
    critic.requires_grad_(False)
    scores = critic(decoded, latents.detach())
    critic.requires_grad_(True)
    return -scores.mean()


def balanced(loss: Tensor, against: Tensor, at: Tensor) -> Tensor:
    """What makes the gradient of ``loss`` as long as that of ``against`` (Esser et al., eq. 7).

    Args:
        loss: of which the gradient is to be that long.
        against: how far decoded pictures are from those that they should be.
        at: the weight that both gradients are taken at, the last one that both go through.
    """
    (own,) = torch.autograd.grad(loss, at, retain_graph=True)
    (other,) = torch.autograd.grad(against, at, retain_graph=True)
    return (other.norm() / own.norm().clamp_min(1e-12)).clamp_max(MOST)
