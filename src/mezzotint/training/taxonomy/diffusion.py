"""Diffusion (Ho et al. 2006.11239): a denoiser learns, and a sampler asks it again and again.

The process, the prediction and the sampler are those of the embedded model.
"""

import math

import torch
from torch import Tensor, nn

from mezzotint.diffusion import Noise, Process, denoiser, denoising_loss, sample_times, times
from mezzotint.diffusion.prediction import to_eps, to_x0
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.training.draw import Draw
from mezzotint.training.taxonomy.kind import Settings, Shape, bits_a_dimension

TIME_SCALE = 1000.0
LEVELS = 4  # noise levels that the bound looks at for each latent


class Diffusion:
    """v-prediction on the cosine process, told of the caption by one token and one vector."""

    def __init__(self, shape: Shape, params: UNetParams, evaluations: int) -> None:
        self.shape = shape
        self.settings = Settings(lr=5e-4, betas=(0.9, 0.99))
        self.process = Process.cosine()
        self.generator = UNet(params)
        self.players: dict[str, nn.Module] = {"unet": self.generator}
        self.evaluations = evaluations

    def loss(self, player: str, x: Tensor, told: Tensor, draw: Draw) -> Tensor:
        """The mean squared error of v."""
        t = sample_times(self.process, draw.uniform("time"))
        eps = draw.normal("noise", *x.shape[1:])
        out = self._network(self.process.diffuse(x, eps, t), t, told)
        alpha, sigma = self.process.alpha(t), self.process.sigma(t)
        return denoising_loss(out, x, eps, alpha, sigma, "v").mean()

    def sample(self, told: Tensor, noise: Noise) -> Tensor:
        """Latents (b, c, h, w) for (b, told), by DPM-Solver++(2M), unguided."""
        c, side = self.shape.channels, self.shape.side
        denoise = denoiser(lambda x, t: self._network(x, t, told), self.process, "v")
        grid = times(self.process, self.evaluations, "karras")
        x = noise(told.new_empty(len(told), c, side, side)) * self.process.sigma(grid[0])
        for step in SAMPLERS["dpmpp_2m"](denoise, x, grid, self.process, noise):
            x = step.x
        return x

    def bits(self, x: Tensor, told: Tensor, draw: Draw) -> Tensor:
        """Bits a dimension (b,) by the variational bound: an upper bound in the mean.

        Kingma et al. 2107.00630, eq. 11 and 17, with γ = ln(α²/σ²) drawn evenly:
        KL(q(z_T | x) ‖ N(0, 1)) + ½·(γ_0 − γ_T)·E‖ε − ε̂‖² − E ln p(x | z_0), the last one for
        p(x | z_0) = N(z_0/α_0, (σ_0/α_0)²).
        """
        process = self.process
        ends = torch.tensor([process.t_least, process.t_noise], dtype=torch.float64)
        gamma_0, gamma_T = (2 * process.lam(ends)).tolist()
        squares = x.square().flatten(1).sum(1)
        noisy = ends[1]
        alpha, sigma = process.alpha(noisy).item(), process.sigma(noisy).item()
        n = self.shape.dimensions
        prior = 0.5 * (n * (sigma**2 - 1 - math.log(sigma**2)) + alpha**2 * squares)
        last = n / 2 * (math.log(2 * math.pi) - gamma_0 + 1)
        errors = [self._error(x, told, draw, k, gamma_0, gamma_T) for k in range(LEVELS)]
        path = 0.5 * (gamma_0 - gamma_T) * torch.stack(errors).mean(0)
        return bits_a_dimension(prior + path + last, self.shape)

    def _error(
        self, x: Tensor, told: Tensor, draw: Draw, k: int, gamma_0: float, gamma_T: float
    ) -> Tensor:
        """‖ε − ε̂‖² (b,) at a γ from the k-th of ``LEVELS`` equal parts of its range."""
        # rows share one offset and lie evenly behind it, which evens out their mean
        rows = torch.arange(len(x), device=x.device) / len(x)
        u = (k + (draw.uniform(f"level {k}")[0] + rows).frac().double()) / LEVELS
        gamma = gamma_0 + u * (gamma_T - gamma_0)
        t = self.process.time_of((-gamma / 2).exp())
        alpha, sigma = self.process.alpha(t), self.process.sigma(t)
        eps = draw.normal(f"noise {k}", *x.shape[1:])
        noisy = self.process.diffuse(x, eps, t)
        x0 = to_x0("v", self._network(noisy, t, told), noisy, alpha, sigma)
        return (eps - to_eps(x0, noisy, alpha, sigma)).square().flatten(1).sum(1)

    def _network(self, x: Tensor, t: Tensor, told: Tensor) -> Tensor:
        seen = (t * TIME_SCALE).float().to(x.device).expand(len(x))
        return self.generator(x, seen, told.unsqueeze(1), told)
