"""Variational autoencoder (Kingma & Welling 1312.6114): a bound on the density, and a way back.

x is a decoder's picture of a vector z, plus white noise of one learnt size: p(x | z, c) =
N(μ(z, c), s²). Where z does not say what x shows, the best μ is a mean of all that it may show.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.diffusion import Noise
from mezzotint.nn.norm import NormSiLU
from mezzotint.nn.residual import Downsample, ResidualBlock
from mezzotint.training.draw import Draw
from mezzotint.training.taxonomy.decoder import EPS, Decoder, DecoderParams
from mezzotint.training.taxonomy.kind import Settings, Shape, bits_a_dimension


class VAE:
    """A decoder, and an encoder of the decoder's own sizes that is dropped in the end."""

    evaluations = 1

    def __init__(self, shape: Shape, params: DecoderParams) -> None:
        self.shape = shape
        self.settings = Settings(lr=5e-4, betas=(0.9, 0.99))
        self.width = params.z
        self.generator = Decoder(shape, params)
        self.encoder = Encoder(shape, params)
        self.log_s = _Number()
        parts = {"decoder": self.generator, "encoder": self.encoder, "log_s": self.log_s}
        self.players: dict[str, nn.Module] = {"vae": nn.ModuleDict(parts)}

    def loss(self, player: str, x: Tensor, told: Tensor, draw: Draw) -> Tensor:
        """The negative ELBO in nats a dimension."""
        return self._nats(x, told, draw).mean() / self.shape.dimensions

    def sample(self, told: Tensor, noise: Noise) -> Tensor:
        """Latents (b, c, h, w) for (b, told): the means μ, as is usual, without the white noise."""
        return self.generator(noise(told.new_empty(len(told), self.width)), told)

    def bits(self, x: Tensor, told: Tensor, draw: Draw) -> Tensor:
        """Bits a dimension (b,) by the ELBO, with one z each: an upper bound in the mean."""
        return bits_a_dimension(self._nats(x, told, draw), self.shape)

    def _nats(self, x: Tensor, told: Tensor, draw: Draw) -> Tensor:
        """−ELBO (b,) = KL(q(z | x, c) ‖ N(0, 1)) − E ln p(x | z, c) (eq. 3; appendix B).

        s is learnt along, which settles how much a nat of z is worth (Rybkin et al. 2006.13202).
        """
        mean, log_var = self.encoder(x, told)
        z = mean + (log_var / 2).exp() * draw.normal("z", self.width)
        divergence = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(1)
        log_s = self.log_s()
        error = (x - self.generator(z, told)).square().flatten(1).sum(1)
        constant = self.shape.dimensions * (log_s + 0.5 * math.log(2 * math.pi))
        return divergence + constant + error * (-2 * log_s).exp() / 2


class Encoder(nn.Module):
    """Latents (b, c, h, w) told of by (b, told) to mean and log variance (b, z) of q(z | x, c)."""

    def __init__(self, shape: Shape, params: DecoderParams) -> None:
        super().__init__()
        p, fine_to_coarse = params, params.channels[::-1]
        first, last = fine_to_coarse[0], fine_to_coarse[-1]
        self.asked = nn.Linear(shape.told, 2 * last)
        self.conv_in = nn.Conv2d(shape.channels, first, 3, padding=1)
        self.levels = nn.ModuleList(
            nn.ModuleList(
                ResidualBlock(a if k == 0 else b, b, p.groups, EPS, 2 * last)
                for k in range(p.blocks)
            )
            for a, b in pairwise((first, *fine_to_coarse))
        )
        self.steps = nn.ModuleList(Downsample(c, centred=True) for c in fine_to_coarse[:-1])
        self.norm_out = NormSiLU(p.groups, last, EPS)
        self.moments = nn.Linear(last * p.base(shape) ** 2, 2 * p.z)

    def forward(self, x: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Go from the finest level to the coarsest."""
        asked = F.silu(self.asked(told))
        x = self.conv_in(x)
        for depth, level in enumerate(self.levels):
            x = self.steps[depth - 1](x) if depth else x
            for block in level:  # pyright: ignore[reportGeneralTypeIssues]
                x = block(x, asked)
        mean, log_var = self.moments(self.norm_out(x).flatten(1)).chunk(2, dim=1)
        return mean, log_var.clamp(-20, 10)


class _Number(nn.Module):
    """One learnt number, 0 at first."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(()))

    def forward(self) -> Tensor:
        return self.value
