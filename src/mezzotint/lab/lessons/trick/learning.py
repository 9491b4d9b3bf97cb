"""Small networks that learn a shape, alike in all but what they are asked to predict."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mezzotint.diffusion import Denoiser, Prediction, Process, denoiser, denoising_loss
from mezzotint.diffusion.losses import Weighting, sample_times
from mezzotint.diffusion.oracle import GaussianMixture
from mezzotint.diffusion.prediction import from_x0

PROCESS = Process.scaled_linear()
BATCH, WIDTH, RATE = 256, 96, 1e-2


@dataclass(frozen=True)
class Aim:
    """What a network is asked to predict, and how its error is weighed."""

    prediction: Prediction
    weighting: Weighting = "none"


AIMS = {
    "noise": Aim("eps"),
    "picture": Aim("x0"),
    "weighed": Aim("x0", "min_snr"),
    "velocity": Aim("v"),
}


class Network(nn.Module):
    """x (b, 2) and t () or (b,) → the prediction (b, 2).

    Places and the noise level λ are told as waves too, for a network of such breadth learns a
    curve's bends from x alone only slowly (Tancik et al. 2006.10739).
    """

    def __init__(self) -> None:
        super().__init__()
        self.waves = 2 ** torch.arange(4) * (math.pi / 5)
        told = 2 + 2 * len(self.waves) * (2 + 1)
        layers: list[nn.Module] = []
        for breadth in (told, WIDTH, WIDTH):
            layers += [nn.Linear(breadth, WIDTH), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(WIDTH, 2))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Predict."""
        lam = PROCESS.lam(t).to(x).expand(len(x))
        angles = (torch.cat([x, lam[:, None]], 1)[:, :, None] * self.waves).flatten(1)
        return self.layers(torch.cat([x, angles.cos(), angles.sin()], 1))


@dataclass(frozen=True)
class Learner:
    """A network while it is trained."""

    aim: Aim
    network: Network
    optimizer: torch.optim.Optimizer
    rate: torch.optim.lr_scheduler.LRScheduler

    @property
    def denoise(self) -> Denoiser:
        """What it has learned, as samplers take it."""
        return denoiser(self.network, PROCESS, self.aim.prediction)


def learner(aim: Aim, total: int, seed: int) -> Learner:
    """A network that knows nothing, the same for each seed, to be trained in ``total`` steps."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network()
    optimizer = torch.optim.Adam(network.parameters(), RATE, fused=True)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
    return Learner(aim, network, optimizer, rate)


def batch(shape: GaussianMixture, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """x₀ (b, 2), ε (b, 2) and t (b,), as a step is trained on."""
    x0 = shape.sample(BATCH, generator)
    eps = torch.randn(x0.shape, generator=generator)
    return x0, eps, sample_times(PROCESS, torch.rand(BATCH, generator=generator))


def learn(learner: Learner, x0: Tensor, eps: Tensor, t: Tensor) -> float:
    """One step of training; the loss before it."""
    out = learner.network(PROCESS.diffuse(x0, eps, t), t)
    loss = cost(out, learner.aim, x0, eps, t)
    learner.optimizer.zero_grad()
    loss.backward()
    learner.optimizer.step()
    learner.rate.step()
    return loss.item()


def cost(out: Tensor, aim: Aim, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """The mean loss () of an output (b, 2)."""
    alpha, sigma = PROCESS.alpha(t), PROCESS.sigma(t)
    return denoising_loss(out, x0, eps, alpha, sigma, aim.prediction, aim.weighting).mean()


def floor(shape: GaussianMixture, aim: Aim, generator: torch.Generator) -> float:
    """The loss of the perfect network, which no other comes below.

    x_t can have come from many x₀, and the best that can be said is their mean; the loss is how far
    they are apart.
    """
    losses: list[float] = []
    for t in torch.linspace(0, PROCESS.t_noise, 64).round():
        x0, eps, _ = batch(shape, generator)
        x, alpha, sigma = PROCESS.diffuse(x0, eps, t), PROCESS.alpha(t), PROCESS.sigma(t)
        out = from_x0(aim.prediction, shape.denoise(x, alpha, sigma), x, alpha, sigma)
        losses.append(cost(out, aim, x0, eps, t).item())
    return sum(losses) / len(losses)
