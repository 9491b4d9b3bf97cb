"""Samplers that remember: a polynomial through earlier predictions, followed for one step."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import Tensor

from mezzotint.diffusion.noise import Noise
from mezzotint.diffusion.prediction import Denoiser
from mezzotint.diffusion.process import Process
from mezzotint.diffusion.samplers.grid import (
    Point,
    Step,
    follow,
    lagrange,
    langevin,
    move,
    points,
    slope,
)


def lms(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise, *, order: int = 4
) -> Iterator[Step]:
    """Linear multistep: the slope as a polynomial in the level (k-diffusion)."""
    path = points(process, times)
    past: list[tuple[float, Tensor]] = []
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        past = [(s.level, slope(x, x0, s)), *past[: order - 1]]
        weights = lagrange([level for level, _ in past], s.level, t.level, lambda _: 1.0)
        d = _mean(weights, [d for _, d in past])
        x = follow(x, d, s, t)
        yield Step(i, len(path) - 1, float(t.t), x, x0)


def deis(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise, *, order: int = 3
) -> Iterator[Step]:
    """DEIS: the slope as a polynomial in ln(level) (Zhang & Chen 2204.13902, AB-DEIS; diffusers).

    The last step, to clean data, where ln(level) is −∞, is Euler's.
    """
    path = points(process, times)
    past: list[tuple[float, Tensor]] = []
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        d = slope(x, x0, s)
        past = [(math.log(s.level), d), *past[: order - 1]]
        if t.level:
            nodes = [u for u, _ in past]
            weights = lagrange(nodes, math.log(s.level), math.log(t.level), math.exp)
            d = _mean(weights, [d for _, d in past])
        x = follow(x, d, s, t)
        yield Step(i, len(path) - 1, float(t.t), x, x0)


def ipndm(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise
) -> Iterator[Step]:
    """Adams–Bashforth on the slope, as if steps were even (Zhang & Chen 2204.13902, iPNDM)."""
    path = points(process, times)
    past: list[Tensor] = []
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        past = [slope(x, x0, s), *past[:3]]
        x = follow(x, _adams_bashforth(past), s, t)
        yield Step(i, len(path) - 1, float(t.t), x, x0)


def pndm(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise
) -> Iterator[Step]:
    """PNDM begun by one step of Heun's, as Stable Diffusion has it (Liu et al. 2202.09778)."""
    path = points(process, times)
    past: list[Tensor] = []
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        past = [slope(x, x0, s), *past[:3]]
        d = _adams_bashforth(past)
        if i == 0 and t.sigma:
            trial = follow(x, d, s, t)
            d = (d + slope(trial, denoise(trial, t.t), t)) / 2
        x = follow(x, d, s, t)
        yield Step(i, len(path) - 1, float(t.t), x, x0)


def dpmpp_2m(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise
) -> Iterator[Step]:
    """DPM-Solver++(2M) (Lu et al. 2211.01095, algorithm 2)."""
    return dpmpp_2m_sde(denoise, x, times, process, rng, eta=0.0)


def dpmpp_2m_sde(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise, *, eta: float = 1.0
) -> Iterator[Step]:
    """DPM-Solver++(2M) on the reverse SDE (Lu et al. 2211.01095, section 5)."""
    path = points(process, times)
    past: list[tuple[float, Tensor]] = []
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        past = [(s.lam, x0), *past[:1]]
        up = langevin(s, t, eta)
        x = move(x, _over(s, t, past), s, t, up)
        if up:
            x = x + up * rng(x)
        yield Step(i, len(path) - 1, float(t.t), x, x0)


def dpmpp_3m_sde(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise, *, eta: float = 1.0
) -> Iterator[Step]:
    """DPM-Solver++(3M) on the reverse SDE (k-diffusion), with φ₂ and φ₃ of Lu et al. 2211.01095."""
    path = points(process, times)
    past: list[tuple[float, Tensor]] = []
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        past = [(s.lam, x0), *_finite(past[:2])]
        up = langevin(s, t, eta)
        x = move(x, x0, s, t, up)
        if len(past) > 1 and t.sigma:
            h = t.lam - s.lam
            H = (1 + eta) * h
            phi2 = math.expm1(-H) / H + 1
            phi3 = phi2 / H - 0.5
            r = [(lam - older) / h for (lam, _), (older, _) in pairwise(past)]
            d = [(D - older) / r[k] for k, ((_, D), (_, older)) in enumerate(pairwise(past))]
            curve = (d[0] - d[1]) / (r[0] + r[1]) if len(d) > 1 else 0.0
            x = x + t.alpha * (phi2 * (d[0] + r[0] * curve) - phi3 * curve)
        if up:
            x = x + up * rng(x)
        yield Step(i, len(path) - 1, float(t.t), x, x0)


def unipc(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rng: Noise, *, order: int = 2
) -> Iterator[Step]:
    """UniPC with B₂(h): predict, look, then take the same step again knowing its end.

    Zhao et al. 2302.04867, algorithms 1 and 2. The look of the corrector is the next predictor's,
    so that a step costs one prediction.
    """
    path = points(process, times)
    past: list[tuple[float, Tensor]] = []
    before, start = path[0], x
    used = 0
    for i, (s, t) in enumerate(pairwise(path)):
        x0 = denoise(x, s.t)
        past = [(s.lam, x0), *past[:order]]
        if i > 0:
            x = move(start, _over(before, s, past[: used + 1]), before, s)
        before, start = s, x
        used = min(order, i + 1, len(path) - 1 - i)
        x = move(x, _over(s, t, past[:used]), s, t)
        yield Step(i, len(path) - 1, float(t.t), x, x0)


def _over(s: Point, t: Point, past: Sequence[tuple[float, Tensor]]) -> Tensor:
    """The x̂₀ that does over a step what the polynomial through past (λ, x̂₀) does.

    One prediction is taken as it is. Of two, it is the line's value half-way in λ: what 2M is, and
    what UniPC's B₂(h) comes to. Of more, it is the mean under the ODE's kernel e^(λ − λ_t), as in
    Lu et al. 2211.01095, eq. 8.
    """
    near = _finite(past)
    if len(near) < 2 or not t.sigma:
        return past[0][1]
    if len(near) == 2:
        (lam0, D0), (lam1, D1) = near
        return D0 + ((s.lam + t.lam) / 2 - lam0) / (lam0 - lam1) * (D0 - D1)
    nodes, predictions = zip(*near, strict=True)
    return _mean(lagrange(nodes, s.lam, t.lam, lambda u: math.exp(u - t.lam)), predictions)


def _finite(past: Sequence[tuple[float, Tensor]]) -> list[tuple[float, Tensor]]:
    """Without pure noise: at λ = −∞, its prediction says nothing about a slope in λ."""
    return [(lam, x0) for lam, x0 in past if math.isfinite(lam)]


def _mean(weights: Sequence[float], values: Sequence[Tensor]) -> Tensor:
    terms = [weight / sum(weights) * value for weight, value in zip(weights, values, strict=True)]
    return sum(terms[1:], terms[0])


def _adams_bashforth(past: Sequence[Tensor]) -> Tensor:
    """The mean slope of the next of even steps, by as many past ones as there are, up to four."""
    return _mean(_ADAMS_BASHFORTH[len(past) - 1], past)


_ADAMS_BASHFORTH = ((1.0,), (3.0, -1.0), (23.0, -16.0, 5.0), (55.0, -59.0, 37.0, -9.0))
