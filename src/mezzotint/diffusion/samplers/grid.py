"""What samplers are made of: points on a time grid, and the moves between them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from numpy.polynomial.legendre import leggauss
from torch import Tensor

from mezzotint.diffusion.process import Process
from mezzotint.errors import InputError


@dataclass(frozen=True)
class Step:
    """What a sampler yields after each of its steps.

    Attributes:
        index: which step, from 0.
        total: how many there are.
        t: the native time of ``x``.
        x: (b, …), the sample at ``t``.
        x0: (b, …), the newest prediction of the clean sample.
    """

    index: int
    total: int
    t: float
    x: Tensor
    x0: Tensor


@dataclass(frozen=True)
class Point:
    """A time with its α and σ as Python floats, so that no step waits for a device.

    ``scale`` makes the probability-flow ODE a straight line: with y = x/scale and
    level = σ/scale,

        dy/dlevel = (y − x̂₀)/level,

    whether scale = α (then level is Karras et al.'s σ and the slope is ε̂; 2206.00364, eq. 4) or
    scale = α + σ (then level is the time of rectified flow and the slope its velocity).
    """

    t: Tensor
    alpha: float
    sigma: float
    scale: float

    @property
    def ratio(self) -> float:
        """σ/α; ∞ for pure noise, 0 for clean data."""
        return self.sigma / self.alpha if self.alpha else math.inf

    @property
    def lam(self) -> float:
        """λ = ln(α/σ); −∞ for pure noise, ∞ for clean data."""
        return -math.log(self.ratio) if self.ratio else math.inf

    @property
    def level(self) -> float:
        """How much of y is noise."""
        return self.sigma / self.scale


def points(process: Process, times: Tensor) -> list[Point]:
    """The points of a grid of native times (n + 1,), on the CPU wherever the grid is.

    Raises:
        InputError: fewer than two times, or noise that does not fall from each to the next.
    """
    times = times.detach().cpu().double()
    if times.ndim != 1 or len(times) < 2 or not (times.diff() < 0).all():
        raise InputError("a sampler needs a list of at least two times, each below the last")
    alphas, sigmas = process.at(times)
    if not ((sigmas / alphas).diff() < 0).all():
        first, last = times[0].item(), times[-1].item()
        raise InputError(f"times {first:g} to {last:g} go beyond those of {process.name!r}")
    curve = zip(times, alphas, sigmas, strict=True)
    return [_point(process, t, alpha.item(), sigma.item()) for t, alpha, sigma in curve]


def at_ratio(process: Process, ratio: float) -> Point:
    """The point where σ/α is ``ratio``."""
    t = process.time_of(torch.tensor(ratio, dtype=torch.float64))
    alpha, sigma = process.at(t)
    return _point(process, t, alpha.item(), sigma.item())


def at_level(process: Process, level: float) -> Point:
    """The point of this noise level."""
    return at_ratio(process, level / (1 - level) if process.erases else level)


def move(x: Tensor, x0: Tensor, s: Point, t: Point, up: float = 0.0) -> Tensor:
    """x from s to t as if x̂₀ were right, short of fresh noise of standard deviation ``up``.

    x_t = α_t·x̂₀ + √(σ_t² − up²)·ε̂ (+ up·z), with ε̂ = (x − α_s·x̂₀)/σ_s: DDIM (Song et al.
    2010.02502, eq. 12), and for up = 0 the exact solution of the ODE for a constant x̂₀.
    """
    keep = kept(t, up) / s.sigma
    return keep * x + (t.alpha - keep * s.alpha) * x0


def kept(t: Point, up: float) -> float:
    """The standard deviation of the noise at t that is not fresh: √(σ_t² − up²)."""
    return math.sqrt(max(t.sigma**2 - up**2, 0.0))


def slope(x: Tensor, x0: Tensor, s: Point) -> Tensor:
    """dy/dlevel at s, see ``Point``."""
    return (x / s.scale - x0) / s.level


def follow(x: Tensor, slope: Tensor, s: Point, t: Point) -> Tensor:
    """x from s to t along a constant ``slope``."""
    return t.scale / s.scale * x + t.scale * (t.level - s.level) * slope


def ancestral(s: Point, t: Point, eta: float) -> float:
    """Fresh noise of a step, DDIM's way: η times that of the DDPM posterior, at most all of σ_t.

    σ_t·√(1 − (σ_t α_s/σ_s α_t)²) is σ_η of Song et al. 2010.02502, eq. 16, for every process.
    """
    return min(_eta(eta) * t.sigma * math.sqrt(1 - (t.ratio / s.ratio) ** 2), t.sigma)


def langevin(s: Point, t: Point, eta: float) -> float:
    """Fresh noise of a step of the reverse SDE with η times its randomness: σ_t·√(1 − e^(−2ηh)).

    With h = λ_t − λ_s (Lu et al. 2211.01095, section 5; the same as ``ancestral`` for η = 0 and 1).
    """
    return t.sigma * math.sqrt(1 - (t.ratio / s.ratio) ** (2 * _eta(eta)))


def lagrange(
    nodes: Sequence[float], a: float, b: float, kernel: Callable[[float], float]
) -> list[float]:
    """∫ₐᵇ kernel(u)·ℓⱼ(u) du for the Lagrange polynomials ℓⱼ of the nodes.

    The weights of a multistep method: exact for what is a polynomial in u through its values at
    the nodes. By Gauss's rule with 16 points.
    """
    total = [0.0] * len(nodes)
    for place, weight in _GAUSS:
        u = (a + b) / 2 + (b - a) / 2 * place
        mass = (b - a) / 2 * weight * kernel(u)
        for j, node in enumerate(nodes):
            others = [other for k, other in enumerate(nodes) if k != j]
            total[j] += mass * math.prod((u - other) / (node - other) for other in others)
    return total


_GAUSS = list(zip(*(values.tolist() for values in leggauss(16)), strict=True))


def _point(process: Process, t: Tensor, alpha: float, sigma: float) -> Point:
    # σ/α would run off to infinity where nothing of the data is left
    return Point(t, alpha, sigma, alpha + sigma if process.erases else alpha)


def _eta(eta: float) -> float:
    if not 0 <= eta < math.inf:
        raise InputError(f"eta {eta} is not a number from 0 up")
    return eta
