"""Forward processes: the pair (α, σ) of x_t = α(t)·x₀ + σ(t)·ε, and nothing else."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mezzotint.errors import InputError


@dataclass(frozen=True)
class Process:
    """A forward process in its native time.

    The tables of published checkpoints run over timesteps 0…999, real-valued in between, with −1
    for clean data. Continuous processes run over t in [0, 1], and EDM's time is σ itself.

    Attributes:
        name: what it is called.
        curve: float64 t → (α, σ), each shaped like t.
        inverse: float64 σ/α (0 and ∞ included) → t.
        t_clean: where σ = 0.
        t_least: the cleanest time that a network is trained on.
        t_noise: the noisiest time.
        steps: the length of a discrete table; None for continuous time.
    """

    name: str
    curve: Callable[[Tensor], tuple[Tensor, Tensor]]
    inverse: Callable[[Tensor], Tensor]
    t_clean: float
    t_least: float
    t_noise: float
    steps: int | None = None

    def alpha(self, t: Tensor) -> Tensor:
        """α(t), shaped like ``t``; worked out in float64 and given in the dtype of ``t``."""
        return _typed(self.curve(_exact(t))[0], t)

    def sigma(self, t: Tensor) -> Tensor:
        """σ(t), shaped like ``t``."""
        return _typed(self.curve(_exact(t))[1], t)

    def at(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """α(t) and σ(t), shaped like ``t``, for half of what it takes to ask for each."""
        alpha, sigma = self.curve(_exact(t))
        return _typed(alpha, t), _typed(sigma, t)

    def alpha_bar(self, t: Tensor) -> Tensor:
        """ᾱ(t) = α², the cumulative product of DDPM (Ho et al. 2006.11239, eq. 4)."""
        return self.alpha(t).square()

    def snr(self, t: Tensor) -> Tensor:
        """α²/σ², the signal-to-noise ratio; ∞ where the data is clean."""
        alpha, sigma = self.curve(_exact(t))
        return _typed((alpha / sigma).square(), t)

    def lam(self, t: Tensor) -> Tensor:
        """λ(t) = ln(α/σ), half the log-SNR (DPM-Solver, Lu et al. 2206.00927)."""
        alpha, sigma = self.curve(_exact(t))
        return _typed((alpha / sigma).log(), t)

    def time_of(self, ratio: Tensor) -> Tensor:
        """The time where σ/α is ``ratio`` ≥ 0; a table's ends where it lies beyond them."""
        return _typed(self.inverse(_exact(ratio)), ratio)

    def diffuse(self, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """x_t = α(t)·x₀ + σ(t)·ε for ``x0`` and ``eps`` (b, …) at ``t`` () or (b,)."""
        alpha, sigma = self.at(t)
        return per_sample(alpha, x0) * x0 + per_sample(sigma, x0) * eps

    @cached_property
    def erases(self) -> bool:
        """Whether ``t_noise`` leaves next to nothing of the data: α/σ below a thousandth."""
        return self.snr(torch.tensor(self.t_noise, dtype=torch.float64)).item() < 1e-6

    @staticmethod
    def linear(beta_start: float = 1e-4, beta_end: float = 0.02) -> "Process":
        """β rises linearly over 1000 steps (DDPM, Ho et al. 2006.11239, section 4)."""
        betas = torch.linspace(beta_start, beta_end, 1000, dtype=torch.float64)
        return _table("linear", _alpha_bar(betas))

    @staticmethod
    def scaled_linear(beta_start: float = 0.00085, beta_end: float = 0.012) -> "Process":
        """√β rises linearly over 1000 steps (latent diffusion, Rombach et al. 2112.10752)."""
        return _table("scaled_linear", _alpha_bar(_scaled_linear(beta_start, beta_end)))

    @staticmethod
    def zero_terminal(beta_start: float = 0.00085, beta_end: float = 0.012) -> "Process":
        """Scaled-linear, stretched until α(999) = 0 (Lin et al. 2305.08891, algorithm 1)."""
        alpha = _alpha_bar(_scaled_linear(beta_start, beta_end)).sqrt()
        stretched = (alpha - alpha[-1]) * (alpha[0] / (alpha[0] - alpha[-1]))
        return _table("zero_terminal", stretched.square())

    @staticmethod
    def cosine(s: float = 0.008) -> "Process":
        """ᾱ = f(t)/f(0) with f(t) = cos²(π/2·(t+s)/(1+s)) (Nichol & Dhariwal 2102.09672, eq. 17).

        The noisiest time is where 1000 steps end when β is clipped to 0.999, as the paper does.
        """
        u0 = s / (1 + s) * math.pi / 2

        def curve(t: Tensor) -> tuple[Tensor, Tensor]:
            u = (t + s) / (1 + s) * (math.pi / 2)
            # 1 − cos²u/cos²u₀ without the cancellation
            variance = (u - u0).sin() * (u + u0).sin() / math.cos(u0) ** 2
            return u.cos() / math.cos(u0), variance.clamp(min=0).sqrt()

        def inverse(ratio: Tensor) -> Tensor:
            u = (math.cos(u0) / (1 + ratio.square()).sqrt()).acos()
            return (u / (math.pi / 2) * (1 + s) - s).clamp(min=0)

        alpha, _ = curve(torch.tensor(0.999, dtype=torch.float64))
        final = alpha * math.sqrt(1 - 0.999)
        t_noise = inverse((1 - final.square()).sqrt() / final).item()
        return Process("cosine", curve, inverse, 0.0, 1e-3, t_noise)

    @staticmethod
    def edm(sigma_min: float = 0.002, sigma_max: float = 80.0) -> "Process":
        """α = 1 and σ = t, the variance-exploding process of EDM (Karras et al. 2206.00364).

        Raises:
            InputError: ``sigma_min`` and ``sigma_max`` are not positive numbers in that order.
        """
        if not 0 < sigma_min < sigma_max < math.inf:
            raise InputError(f"edm: 0 < sigma_min < sigma_max, not {sigma_min} and {sigma_max}")
        return Process(
            "edm", lambda t: (torch.ones_like(t), t), lambda ratio: ratio, 0.0, sigma_min, sigma_max
        )

    @staticmethod
    def flow(shift: float = 1.0) -> "Process":
        """α = 1 − t' and σ = t' with t' = shift·t/(1 + (shift−1)·t).

        Rectified flow (Liu et al. 2209.03003), shifted towards noise as Stable Diffusion 3 does
        for larger pictures (Esser et al. 2403.03206, eq. 23). See ``flux_shift``, ``sd3_shift``.

        Raises:
            InputError: ``shift`` is not a positive number.
        """
        if not 0 < shift < math.inf:
            raise InputError(f"flow shift {shift} is not a positive number")

        def curve(t: Tensor) -> tuple[Tensor, Tensor]:
            whole = 1 + (shift - 1) * t
            return (1 - t) / whole, shift * t / whole

        return Process("flow", curve, lambda ratio: 1 / (1 + shift / ratio), 0.0, 1e-3, 1.0)


def sd3_shift(tokens: int, base_tokens: int = 256) -> float:
    """Shift √(m/n) for m image tokens where n were trained on (Esser et al. 2403.03206, eq. 23)."""
    return math.sqrt(tokens / base_tokens)


def flux_shift(tokens: int) -> float:
    """FLUX.1's shift: exp(μ), where μ runs from 0.5 at 256 image tokens to 1.15 at 4096."""
    return math.exp(0.5 + (1.15 - 0.5) * (tokens - 256) / (4096 - 256))


def per_sample(value: Tensor | float, x: Tensor) -> Tensor | float:
    """Shape a value () or one (b,) for each sample so that it multiplies ``x`` (b, …)."""
    if isinstance(value, Tensor) and value.ndim:
        return value.to(x).reshape(-1, *[1] * (x.ndim - 1))
    return value


def _scaled_linear(beta_start: float, beta_end: float) -> Tensor:
    ends = math.sqrt(beta_start), math.sqrt(beta_end)
    return torch.linspace(*ends, 1000, dtype=torch.float64).square()


def _alpha_bar(betas: Tensor) -> Tensor:
    if not ((betas > 0) & (betas < 1)).all():
        ends = betas[0].item(), betas[-1].item()
        raise InputError(f"betas from {ends[0]:g} to {ends[1]:g}: all lie between 0 and 1")
    return (1 - betas).cumprod(0)


def _table(name: str, alpha_bar: Tensor) -> Process:
    """A discrete process, log-linear in σ/α between its steps, as k-diffusion has it.

    Where one end of an interval is infinite (clean data, zero terminal SNR), σ/α or α/σ is linear
    instead, so that every time in [−1, steps − 1] has its α and σ.
    """
    steps = len(alpha_bar)
    log_ratio = ((1 - alpha_bar) / alpha_bar).log() / 2
    knots = torch.cat([log_ratio.new_tensor([-math.inf]), log_ratio])

    def curve(t: Tensor) -> tuple[Tensor, Tensor]:
        place = (t + 1).clamp(0, steps)
        k = place.floor().clamp(max=steps - 1).long()
        w = place - k
        a, b = knots.to(t.device)[k], knots.to(t.device)[k + 1]
        level = torch.lerp(a, b, w)
        level = torch.where(a.isinf(), b + w.log(), level)
        level = torch.where(b.isinf(), a - (1 - w).log(), level)
        return (-2 * level).sigmoid().sqrt(), (2 * level).sigmoid().sqrt()

    def inverse(ratio: Tensor) -> Tensor:
        level = ratio.log()
        k = (torch.searchsorted(knots.to(ratio.device), level, right=True) - 1).clamp(0, steps - 1)
        a, b = knots.to(ratio.device)[k], knots.to(ratio.device)[k + 1]
        w = (level - a) / (b - a)
        w = torch.where(a.isinf(), (level - b).exp(), w)
        w = torch.where(b.isinf(), 1 - (a - level).exp(), w)
        return k + w.clamp(0, 1) - 1

    return Process(name, curve, inverse, -1.0, 0.0, steps - 1.0, steps)


def _exact(t: Tensor) -> Tensor:
    """``t`` in float64, on the CPU where its device has no such numbers."""
    return (t.cpu() if t.device.type == "mps" else t).double()


def _typed(value: Tensor, like: Tensor) -> Tensor:
    dtype = like.dtype if like.is_floating_point() else torch.get_default_dtype()
    return value.to(dtype).to(like.device)
