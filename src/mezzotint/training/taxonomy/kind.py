"""What the four kinds of generator have in common: what they learn, and what is asked of them.

All learn the density p(x | c) of latents x, normalised to zero mean and unit variance, given what a
text tower makes of the caption. A likelihood of stored floats is a matter of their rounding, so all
see the same dequantised latents, whose likelihood is finite and can be told in bits.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from mezzotint.diffusion import Noise
from mezzotint.training.draw import Draw

GRAIN = 1 / 16  # of a standard deviation: coarser than float16, and nothing that the eye sees


@dataclass(frozen=True)
class Shape:
    """What is learnt: latents ``(b, channels, side, side)``, told of by vectors ``(b, told)``."""

    channels: int
    side: int
    told: int

    @property
    def dimensions(self) -> int:
        """Numbers of one latent."""
        return self.channels * self.side**2


@dataclass(frozen=True)
class Settings:
    """How a kind is optimised: Adam's learning rate at its peak, and its betas."""

    lr: float
    betas: tuple[float, float]


class Kind(Protocol):
    """A kind of generator, and how it learns."""

    @property
    def shape(self) -> Shape:
        """What it learns."""
        ...

    @property
    def settings(self) -> Settings:
        """How its players are optimised."""
        ...

    @property
    def players(self) -> dict[str, nn.Module]:
        """The networks that are trained, each on a loss of its own, in the order of their turns."""
        ...

    @property
    def generator(self) -> nn.Module:
        """What draws: all that is kept once the training is over."""
        ...

    @property
    def evaluations(self) -> int:
        """Calls of a network, one after the other, that a sample takes."""
        ...

    def loss(self, player: str, x: Tensor, told: Tensor, draw: Draw) -> Tensor:
        """The mean loss () of a player on latents (b, c, h, w) told of by (b, told)."""
        ...

    def sample(self, told: Tensor, noise: Noise) -> Tensor:
        """Latents (b, c, h, w) for (b, told)."""
        ...

    def bits(self, x: Tensor, told: Tensor, draw: Draw) -> Tensor | None:
        """Bits a dimension (b,) that latents cost, at most; None of what has no likelihood."""
        ...


def dequantised(x: Tensor, u: Tensor) -> Tensor:
    """Latents in steps of ``GRAIN``, spread over the step by ``u`` in [0, 1), all (b, c, h, w).

    A density's mean over the step bounds the probability of the step from below by Jensen's
    inequality (Theis et al. 1511.01844, section 3.1).
    """
    return ((x / GRAIN).floor() + u) * GRAIN


def bits_a_dimension(nats: Tensor, shape: Shape) -> Tensor:
    """−ln p(x) of dequantised latents (b,) as bits a dimension of the steps they came from.

    A standard normal that has learnt nothing costs ½·log₂(2πe) + 4 = 6.05 of normalised latents.
    """
    return nats / (shape.dimensions * math.log(2)) - math.log2(GRAIN)
