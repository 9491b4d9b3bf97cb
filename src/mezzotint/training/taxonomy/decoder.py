"""The network that GAN and VAE draw with: a vector and a caption to a latent, in one go."""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.nn.embedding import Perceptron
from mezzotint.nn.norm import NormSiLU
from mezzotint.nn.residual import ResidualBlock, Upsample
from mezzotint.training.taxonomy.kind import Shape

EPS = 1e-5  # of the group normalisations


@dataclass(frozen=True)
class DecoderParams:
    """The sizes of a decoder, and of the network that looks the other way.

    Attributes:
        z: width of the vector that it draws from.
        channels: width of each level, coarsest first; each further level doubles the resolution.
        blocks: residual blocks of a level.
        groups: groups of the normalisation; see NormSiLU for what is quick.
    """

    z: int
    channels: tuple[int, ...]
    blocks: int
    groups: int

    def base(self, shape: Shape) -> int:
        """Side of the coarsest level.

        Raises:
            InputError: the latents cannot be halved that often.
        """
        factor = 2 ** (len(self.channels) - 1)
        if shape.side % factor:
            raise InputError(f"latents of side {shape.side}: it must be a multiple of {factor}")
        return shape.side // factor


class Decoder(nn.Module):
    """z (b, z) and what is asked for (b, told) to latents (b, c, h, w)."""

    def __init__(self, shape: Shape, params: DecoderParams) -> None:
        super().__init__()
        p, first, last = params, params.channels[0], params.channels[-1]
        self.base, width = p.base(shape), 2 * first
        self.asked = Perceptron(p.z + shape.told, width)
        self.start = nn.Linear(width, first * self.base**2)
        self.levels = nn.ModuleList(
            nn.ModuleList(
                ResidualBlock(a if k == 0 else b, b, p.groups, EPS, width) for k in range(p.blocks)
            )
            for a, b in pairwise((first, *p.channels))
        )
        self.steps = nn.ModuleList(Upsample(c) for c in p.channels[:-1])
        self.norm_out = NormSiLU(p.groups, last, EPS)
        self.conv_out = nn.Conv2d(last, shape.channels, 3, padding=1)

    def forward(self, z: Tensor, told: Tensor) -> Tensor:
        """Go from the coarsest level to the finest."""
        asked = F.silu(self.asked(torch.cat([z, told], 1)))
        x = self.start(asked).unflatten(1, (-1, self.base, self.base))
        for depth, level in enumerate(self.levels):
            if depth:
                side = self.base * 2**depth
                x = self.steps[depth - 1](x, (side, side))
            for block in level:  # pyright: ignore[reportGeneralTypeIssues]
                x = block(x, asked)
        return self.conv_out(self.norm_out(x))
