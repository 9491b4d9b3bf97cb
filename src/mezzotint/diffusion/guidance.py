"""Guidance: a denoiser, or a pair of them, goes in; a denoiser comes out.

Guidance is linear in what a network predicts, and at one x and t all predictions are affine in each
other, so that guiding x̂₀ is guiding ε, v or the flow velocity.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from mezzotint.diffusion.prediction import Denoiser
from mezzotint.diffusion.process import Process
from mezzotint.errors import InputError

Pair: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(x, t) → (x̂₀ with the condition, x̂₀ without it)."""


def pair(cond: Denoiser, uncond: Denoiser) -> Pair:
    """A pair of two denoisers; ``uncond`` may as well know a negative prompt."""
    return lambda x, t: (cond(x, t), uncond(x, t))


def cfg(predict: Pair, scale: float) -> Denoiser:
    """Classifier-free guidance: x̂₀ᵘ + w·(x̂₀ᶜ − x̂₀ᵘ) (Ho & Salimans 2207.12598, eq. 6).

    With a negative prompt in the place of no prompt, away from it.

    Args:
        predict: the pair.
        scale: w, one more than the paper's; 1 is the conditional prediction alone, 0 the
            unconditional one.

    Raises:
        InputError: ``scale`` is not a finite number.
    """
    _check(scale)
    return lambda x, t: _guide(*predict(x, t), scale)


def rescaled_cfg(predict: Pair, scale: float, phi: float = 0.7) -> Denoiser:
    """Guidance that keeps the contrast of the conditional x̂₀ (Lin et al. 2305.08891, eq. 14–16).

    The paper rescales what its networks predict, v. This is not linear: it does another thing to v
    than to x̂₀, which is what is rescaled here, whatever the network predicts.

    Args:
        predict: the pair.
        scale: w of ``cfg``.
        phi: how much of the way back to the conditional standard deviation, 0 to 1.

    Raises:
        InputError: ``scale`` is not a finite number.
    """
    _check(scale)

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        cond, uncond = predict(x, t)
        guided = _guide(cond, uncond, scale)
        spread = _std(guided)
        back = torch.where(spread > 0, _std(cond) / spread, 1.0)  # what is flat stays as it is
        return (phi * back + 1 - phi) * guided

    return denoise


def apg(
    predict: Pair, scale: float, eta: float = 0.0, radius: float = math.inf, momentum: float = 0.0
) -> Denoiser:
    """Adaptive projected guidance (Sadat et al. 2410.02416, algorithm 1).

    What guidance adds along the conditional x̂₀ oversaturates; what it adds across it improves.
    With momentum, and only then, the denoiser remembers: make a new one for each run.

    Args:
        predict: the pair.
        scale: w of ``cfg``, which this is for ``eta`` 1, no radius and no momentum.
        eta: how much of the part along the conditional x̂₀ to keep.
        radius: the largest norm of x̂₀ᶜ − x̂₀ᵘ, for each sample.
        momentum: of that difference from step to step; negative pushes away from the last one.

    Raises:
        InputError: ``scale`` is not a finite number.
    """
    _check(scale)
    average: Tensor | float = 0.0

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        nonlocal average
        cond, uncond = predict(x, t)
        update = cond - uncond
        if momentum:
            update = average = update + momentum * average
        update = update * (radius / _norm(update)).clamp(max=1)
        along = _along(update, cond)
        return cond + (scale - 1) * (update - along + eta * along)

    return denoise


def autoguidance(denoise: Denoiser, weak: Denoiser, scale: float) -> Denoiser:
    """Away from what a weaker version of the model predicts (Karras et al. 2406.02507, eq. 3)."""
    return cfg(pair(denoise, weak), scale)


def interval(
    guided: Denoiser, plain: Denoiser, process: Process, low: float, high: float
) -> Denoiser:
    """Guidance at middling noise only: low < σ/α ≤ high (Kynkäänniemi et al. 2404.07724, eq. 5).

    Args:
        guided: the denoiser within the interval.
        plain: the one outside it, the conditional one, which is asked alone and so is cheaper.
        process: of both.
        low: σ/α from which, not included, guidance helps; 0 for all small noise.
        high: σ/α up to which it helps; ∞ for all large noise.
    """

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = process.at(t)
        ratio = sigma / alpha
        return (guided if low < ratio <= high else plain)(x, t)

    return denoise


def _check(scale: float) -> None:
    if not math.isfinite(scale):
        raise InputError(f"guidance scale {scale} is not a finite number")


def _guide(cond: Tensor, uncond: Tensor, scale: float) -> Tensor:
    return uncond + scale * (cond - uncond)


def _along(a: Tensor, b: Tensor) -> Tensor:
    """The part of each sample of ``a`` that lies along ``b``."""
    axis = F.normalize(b.flatten(1), dim=1)
    return ((a.flatten(1) * axis).sum(1, keepdim=True) * axis).view_as(a)


def _norm(x: Tensor) -> Tensor:
    """The norm of each sample, (b, 1, …), without squares that float16 could not hold."""
    return torch.linalg.vector_norm(x, dim=tuple(range(1, x.ndim)), keepdim=True)


def _std(x: Tensor) -> Tensor:
    """The standard deviation of each sample, (b, 1, …)."""
    return x.std(tuple(range(1, x.ndim)), keepdim=True)
