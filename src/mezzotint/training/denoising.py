"""The loss that every denoiser and everything that steers one is trained by."""

from dataclasses import dataclass

from torch import Tensor

from mezzotint.diffusion.losses import Distribution, Weighting, denoising_loss, sample_times
from mezzotint.errors import InputError
from mezzotint.families.base import Conditioning, Model
from mezzotint.training.draw import Draw


@dataclass(frozen=True)
class Times:
    """The distribution of training times; ``mean`` and ``std`` are of ln(σ/α) where it has them."""

    distribution: Distribution
    mean: float
    std: float


def denoising_losses(
    model: Model,
    x0: Tensor,
    told: Conditioning,
    draw: Draw,
    times: Times,
    weighting: Weighting = "none",
    direction: float = 0.0,
    where: Tensor | None = None,
) -> Tensor:
    """The loss (b,) of a model's network at noised latents, in the family's own prediction.

    Args:
        model: whose network, with whatever adapters are in it.
        x0: clean latents (b, c, h, w) of zero mean and unit variance.
        told: what the network is told of each of them.
        draw: where noise ("noise") and times ("time") come from.
        times: which times.
        weighting, direction, where: as ``denoising_loss`` has them.
    """
    family = model.family
    x, t, eps = noised(model, x0, draw, times)
    out = model.network_for(told)(x, t)
    alpha, sigma = family.process.alpha(t), family.process.sigma(t)
    return denoising_loss(
        out, x0, eps, alpha, sigma, family.prediction, weighting, direction, where=where
    )


def noised(model: Model, x0: Tensor, draw: Draw, times: Times) -> tuple[Tensor, Tensor, Tensor]:
    """Latents (b, c, h, w) with noise in them, their times (b,), and the noise.

    The arguments are those of ``denoising_losses``.
    """
    process = model.family.process
    # stratified over the batch of all processes, so drawn for all of them
    u = draw.whole.uniform("time")
    t = sample_times(process, u, times.distribution, times.mean, times.std)[draw.rows]
    eps = draw.normal("noise", *x0.shape[1:])
    return process.diffuse(x0, eps, t), t, eps


def refuse_direction(model: Model, what: str, direction: float) -> None:
    """See that a model whose loss has the velocity-direction term predicts a velocity.

    Args:
        model: what learns, or is steered.
        what: what it is called.
        direction: weight of the term.

    Raises:
        InputError: it predicts none.
    """
    if direction and model.family.prediction not in ("v", "flow"):
        raise InputError(f"task.direction {direction:g}: {what} predicts no velocity, give 0")
