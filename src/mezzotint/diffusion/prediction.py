"""What a network's output means: ε, x₀, v or the flow velocity, converted both ways."""

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from mezzotint.diffusion.process import Process, per_sample
from mezzotint.errors import unknown

Prediction = Literal["eps", "x0", "v", "flow"]
PREDICTIONS: tuple[Prediction, ...] = get_args(Prediction)

Denoiser: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(x (b, …), t () in native time) → x̂₀ (b, …). Samplers give t in float64 on the CPU."""

Scalar: TypeAlias = Tensor | float
"""α or σ: one for all, () or a float, or one for each sample, (b,)."""


def target(prediction: Prediction, x0: Tensor, eps: Tensor, alpha: Scalar, sigma: Scalar) -> Tensor:
    """What a perfect network would output for x = α·x₀ + σ·ε.

    v = α·ε − σ·x₀ is Salimans & Ho's (2202.00512, section 4 and appendix D), and the flow velocity
    ε − x₀ is the time derivative of the straight path (Liu et al. 2209.03003).

    Raises:
        InputError: an unknown prediction.
    """
    alpha, sigma = per_sample(alpha, x0), per_sample(sigma, x0)
    match prediction:
        case "eps":
            return eps
        case "x0":
            return x0
        case "v":
            return alpha * eps - sigma * x0
        case "flow":
            return eps - x0
        case _:
            raise unknown("prediction", prediction, PREDICTIONS)


def to_x0(prediction: Prediction, out: Tensor, x: Tensor, alpha: Scalar, sigma: Scalar) -> Tensor:
    """x̂₀ from a network's output at ``x`` (b, …), for any α and σ that are not both 0.

    Pure noise (α = 0) with ε known says nothing about x₀: the mean of normalised data, 0, is given.

    Raises:
        InputError: an unknown prediction.
    """
    alpha, sigma = per_sample(alpha, x), per_sample(sigma, x)
    match prediction:
        case "eps":
            return _divide(x - sigma * out, alpha)
        case "x0":
            return out
        case "v":
            return (alpha * x - sigma * out) / (alpha**2 + sigma**2)
        case "flow":
            return (x - sigma * out) / (alpha + sigma)
        case _:
            raise unknown("prediction", prediction, PREDICTIONS)


def from_x0(prediction: Prediction, x0: Tensor, x: Tensor, alpha: Scalar, sigma: Scalar) -> Tensor:
    """The output that ``to_x0`` would turn into ``x0``.

    Clean data (σ = 0) says nothing about ε: its mean, 0, is taken.
    """
    return target(prediction, x0, to_eps(x0, x, alpha, sigma), alpha, sigma)


def to_eps(x0: Tensor, x: Tensor, alpha: Scalar, sigma: Scalar) -> Tensor:
    """ε̂ from x̂₀: (x − α·x̂₀)/σ, and 0 where σ = 0."""
    return _divide(x - per_sample(alpha, x) * x0, per_sample(sigma, x))


def denoiser(
    network: Callable[[Tensor, Tensor], Tensor], process: Process, prediction: Prediction
) -> Denoiser:
    """A denoiser from a network ``(x, t) → output`` that was trained on ``process``.

    Raises:
        InputError: an unknown prediction.
    """
    if prediction not in PREDICTIONS:
        raise unknown("prediction", prediction, PREDICTIONS)

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        # a sampler may look between step 0 and clean data, where no table's network was trained
        seen = t if process.steps is None else t.clamp(min=process.t_least)
        return to_x0(prediction, network(x, seen), x, *process.at(t))

    return denoise


def _divide(a: Tensor, b: Scalar) -> Tensor:
    """a/b, and 0 where b = 0."""
    if isinstance(b, Tensor):
        return a * torch.where(b == 0, torch.zeros_like(b), 1 / b)
    return a / b if b else torch.zeros_like(a)
