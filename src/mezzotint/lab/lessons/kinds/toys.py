"""A GAN, a VAE, a flow and a diffusion model of points on a plane, each a few lines.

Their losses are those of ``mezzotint.training.taxonomy``, where the four learn pictures; their
generators have as many weights as each other.
"""

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.diffusion import Process, denoiser, denoising_loss, sample_times, times
from mezzotint.diffusion.samplers import SAMPLERS

WIDTH = 128  # of hidden layers
WAVES = 7  # numbers that ``Waves`` makes of one
Z = 2  # numbers of noise that a point is made of


class Toy(Protocol):
    """A kind of generator, and how it learns."""

    @property
    def players(self) -> dict[str, nn.Module]:
        """The networks that are trained, each on a loss of its own, in turn."""
        ...

    @property
    def generator(self) -> nn.Module:
        """What draws: all that is kept after the training."""
        ...

    @property
    def calls(self) -> int:
        """Calls of the generator, one after the other, that a point takes."""
        ...

    @property
    def lr(self) -> float:
        """Adam's learning rate at its peak."""
        ...

    @property
    def betas(self) -> tuple[float, float]:
        """Adam's."""
        ...

    def loss(self, player: str, x: Tensor, rng: torch.Generator) -> Tensor:
        """The mean loss () of a player on points (b, 2)."""
        ...

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Points (n, 2)."""
        ...


class GAN:
    """Two networks play: one draws, the other tells drawn from real."""

    calls, lr, betas = 1, 1e-3, (0.0, 0.99)

    def __init__(self, game: str) -> None:
        self.generator, self.critic = mlp(Z, 2), mlp(2, 1)
        self.players: dict[str, nn.Module] = {"critic": self.critic, "generator": self.generator}
        self.gamma = 0.2 if game == "paired" else 0.0
        self.paired = game == "paired"

    def loss(self, player: str, x: Tensor, rng: torch.Generator) -> Tensor:
        """−ln σ(D(real) − D(drawn)), or its mirror for the generator (R3GAN, 2501.05441, eq. 2).

        The critic's side has γ/2·(‖∇D(real)‖² + ‖∇D(drawn)‖²) besides. Unpaired is the game of
        2014, −ln σ(D(real)) − ln σ(−D(drawn)) against −ln σ(D(drawn)) (Goodfellow, 1406.2661).
        """
        drawn = self.generator(normal(len(x), Z, rng))
        if player == "generator":
            real = self.critic(x) if self.paired else 0.0
            return F.softplus(real - self.critic(drawn)).mean()
        x, drawn = x.clone().requires_grad_(), drawn.detach().requires_grad_()
        real, made = self.critic(x), self.critic(drawn)
        if not self.paired:
            return (F.softplus(-real) + F.softplus(made)).mean()
        slopes = torch.autograd.grad((real + made).sum(), (x, drawn), create_graph=True)
        steep = sum(slope.square().sum(1).mean() for slope in slopes)
        return F.softplus(made - real).mean() + self.gamma / 2 * steep

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """G(z)."""
        return self.generator(normal(n, Z, rng))


class VAE:
    """A decoder of noise, and an encoder that says which noise would have made a point."""

    calls, lr, betas = 1, 2e-3, (0.9, 0.99)

    def __init__(self) -> None:
        self.generator, self.encoder = mlp(Z, 2), mlp(2, 2 * Z)
        self.log_s = nn.Parameter(torch.tensor(-2.0))  # begun at 1, z would never be used
        learnt = nn.ParameterList([self.log_s])
        self.players: dict[str, nn.Module] = {
            "vae": nn.ModuleList([self.generator, self.encoder, learnt])
        }

    def loss(self, player: str, x: Tensor, rng: torch.Generator) -> Tensor:
        """−ELBO = KL(q(z | x) ‖ N(0, 1)) − E ln N(x; μ(z), s²), in nats (Kingma, 1312.6114, eq. 3).

        s is learnt along (Rybkin et al. 2006.13202).
        """
        mean, log_var = self.encoder(x).chunk(2, 1)
        z = mean + (log_var / 2).exp() * normal(len(x), Z, rng)
        divergence = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(1)
        error = (x - self.generator(z)).square().sum(1) * (-2 * self.log_s).exp() / 2
        constant = 2 * (self.log_s + 0.5 * math.log(2 * math.pi))
        return (divergence + error).mean() + constant

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """μ(z), as is usual, without the white noise s."""
        return self.generator(normal(n, Z, rng))


class Flow:
    """A bijection of points and noise, whose density is exact."""

    calls, lr, betas = 1, 2e-3, (0.9, 0.99)

    def __init__(self, couplings: int = 8) -> None:
        self.couplings = couplings
        self.generator = nn.ModuleList(mlp(1, 2, WIDTH // 3) for _ in range(couplings))
        self.players: dict[str, nn.Module] = {"flow": self.generator}

    def loss(self, player: str, x: Tensor, rng: torch.Generator) -> Tensor:
        """−ln p(x) = −ln N(f(x)) − ln |det ∂f/∂x|, in nats (Dinh et al. 1605.08803, eq. 2, 3)."""
        log_det = torch.zeros(len(x))
        for net in self.generator:
            kept, moved = x[:, :1], x[:, 1:]
            shift, log_scale = self._moments(net, kept)
            x = torch.cat([(moved - shift) * (-log_scale).exp(), kept], 1)
            log_det = log_det - log_scale.squeeze(1)
        return (x.square().sum(1) / 2 - log_det).mean() + math.log(2 * math.pi)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """f⁻¹(z), coupling by coupling."""
        x = normal(n, 2, rng)
        for net in reversed(self.generator):
            moved, kept = x[:, :1], x[:, 1:]
            shift, log_scale = self._moments(net, kept)
            x = torch.cat([kept, moved * log_scale.exp() + shift], 1)
        return x

    def _moments(self, net: nn.Module, kept: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = net(kept).chunk(2, 1)
        return shift, 3 * (log_scale / 3).tanh()  # no coupling may stretch without bound


class Diffusion:
    """A denoiser, asked again and again: the process, prediction and sampler of the lab's model."""

    lr, betas = 2e-3, (0.9, 0.99)

    def __init__(self, calls: int = 20) -> None:
        self.calls = calls
        self.process = Process.cosine()
        self.generator = mlp(3, 2, WIDTH - 4)
        self.players: dict[str, nn.Module] = {"denoiser": self.generator}

    def loss(self, player: str, x: Tensor, rng: torch.Generator) -> Tensor:
        """‖v − v̂(x_t, t)‖² with x_t = α·x + σ·ε and v = α·ε − σ·x (Salimans & Ho 2202.00512)."""
        t = sample_times(self.process, torch.rand(len(x), generator=rng))
        eps = normal(len(x), 2, rng)
        out = self._network(self.process.diffuse(x, eps, t), t)
        alpha, sigma = self.process.alpha(t), self.process.sigma(t)
        return denoising_loss(out, x, eps, alpha, sigma, "v").mean()

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """DPM-Solver++(2M) from noise."""
        grid = times(self.process, self.calls, "karras")
        x = normal(n, 2, rng) * self.process.sigma(grid[0]).float()
        denoise = denoiser(self._network, self.process, "v")
        for step in SAMPLERS["dpmpp_2m"](denoise, x, grid, self.process, torch.zeros_like):
            x = step.x
        return x

    def _network(self, x: Tensor, t: Tensor) -> Tensor:
        lam = self.process.lam(t).float().expand(len(x))
        return self.generator(torch.cat([x, lam[:, None] / 4], 1))


class Waves(nn.Module):
    """Numbers (b, n) with sines and cosines of each: a small network is slow to learn any itself.

    Tancik et al. 2006.10739.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(b, n) → (b, ``WAVES``·n)."""
        angles = torch.cat([x, 2 * x, 4 * x], 1)
        return torch.cat([x, angles.sin(), angles.cos()], 1)


def mlp(inputs: int, outputs: int, width: int = WIDTH) -> nn.Sequential:
    """Two hidden layers behind ``Waves``."""
    return nn.Sequential(
        Waves(),
        *(nn.Linear(WAVES * inputs, width), nn.SiLU()),
        *(nn.Linear(width, width), nn.SiLU()),
        nn.Linear(width, outputs),
    )


def normal(n: int, width: int, rng: torch.Generator) -> Tensor:
    """Standard normal numbers (n, width)."""
    return torch.randn(n, width, generator=rng)


def weights(network: nn.Module) -> int:
    """How many numbers a network has learnt."""
    return sum(weight.numel() for weight in network.parameters())
