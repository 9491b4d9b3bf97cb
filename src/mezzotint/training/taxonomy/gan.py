"""Generative adversarial network: two networks play, and no density is ever written down.

The game is R3GAN's (Huang et al. 2501.05441): the non-saturating loss (Goodfellow et al. 1406.2661)
of the difference between a real latent and a drawn one, so that no real one is given up, and the
gradient penalty of Mescheder et al. (1801.04406) on both, with which play near an equilibrium
converges to it.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.diffusion import Noise
from mezzotint.nn.init import zeroed
from mezzotint.training.draw import Draw
from mezzotint.training.taxonomy.decoder import Decoder, DecoderParams
from mezzotint.training.taxonomy.kind import Settings, Shape

GAMMA = 0.5  # weight of the gradient penalty, R3GAN's for pictures of as many numbers
SLOPE = 0.2  # of leaky ReLUs where they leak


class GAN:
    """A decoder of noise, and a critic of the decoder's own sizes that is dropped in the end."""

    evaluations = 1

    def __init__(self, shape: Shape, params: DecoderParams) -> None:
        self.shape = shape
        self.settings = Settings(lr=2e-4, betas=(0.0, 0.99))
        self.width = params.z
        self.generator = Decoder(shape, params)
        self.critic = Critic(shape, params)
        self.players: dict[str, nn.Module] = {
            "critic": self.critic,
            "generator": self.generator,
        }

    def loss(self, player: str, x: Tensor, told: Tensor, draw: Draw) -> Tensor:
        """One side of the game (Huang et al. eq. 2): −ln σ(D(real) − D(drawn)), or its mirror.

        The critic's side has γ/2·(‖∇D(real)‖² + ‖∇D(drawn)‖²) besides, R₁ and R₂.
        """
        z = draw.normal(f"z of the {player}", self.width)
        if player == "generator":
            return F.softplus(
                self.critic(x, told) - self.critic(self.generator(z, told), told)
            ).mean()
        with torch.no_grad():
            drawn = self.generator(z, told)
        real, steep_real = self._judged(x, told)
        made, steep_made = self._judged(drawn, told)
        return (F.softplus(made - real) + GAMMA / 2 * (steep_real + steep_made)).mean()

    def sample(self, told: Tensor, noise: Noise) -> Tensor:
        """Latents (b, c, h, w) for (b, told), of noise that is not truncated."""
        return self.generator(noise(told.new_empty(len(told), self.width)), told)

    def bits(self, x: Tensor, told: Tensor, draw: Draw) -> None:
        """It has no likelihood."""
        return None

    def _judged(self, x: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """The critic's scores (b,) of latents, and how steep they are there: ‖∇D(x)‖², (b,)."""
        # torch's counter of operations refuses the slope of a leaf, so it is a view of one
        x = x.detach().requires_grad_().view_as(x)
        scores = self.critic(x, told)
        (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
        return scores, slope.square().flatten(1).sum(1)


class Critic(nn.Module):
    """Latents (b, c, h, w) with what was asked for (b, told) to a score (b,).

    It has no normalisation, whose statistics over the picture would mix with the penalty's slopes.
    """

    def __init__(self, shape: Shape, params: DecoderParams) -> None:
        super().__init__()
        fine_to_coarse = params.channels[::-1]
        first, last = fine_to_coarse[0], fine_to_coarse[-1]
        self.conv_in = nn.Conv2d(shape.channels, first, 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(*(_Block(c) for _ in range(params.blocks))) for c in fine_to_coarse
        )
        self.steps = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(fine_to_coarse))
        self.features = nn.Linear(last * params.base(shape) ** 2, last)
        self.plain = nn.Linear(last, 1)
        self.asked = nn.Linear(shape.told, last, bias=False)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """wᵀφ(x) + cᵀVφ(x)/√d, the projection of Miyato & Koyama 2018 (1802.05637, eq. 3)."""
        x = self.conv_in(x)
        for depth, level in enumerate(self.levels):
            if depth:
                x = self.steps[depth - 1](F.avg_pool2d(x, 2))
            x = level(x)
        features = F.leaky_relu(self.features(F.leaky_relu(x, SLOPE).flatten(1)), SLOPE)
        match = (self.asked(told) * features).sum(1) * features.shape[1] ** -0.5
        return self.plain(features).squeeze(1) + match


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = zeroed(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(F.leaky_relu(x, SLOPE))
        return x + self.last(F.leaky_relu(h, SLOPE))
