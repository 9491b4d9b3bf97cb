"""Training: which times to visit, and what a network's output there costs."""

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.distributions import Normal
from torch.nn import functional as F

from mezzotint.diffusion.prediction import PREDICTIONS, Prediction, Scalar, target
from mezzotint.diffusion.process import Process
from mezzotint.errors import InputError, unknown

Distribution = Literal["uniform", "logit_normal"]
Weighting = Literal["none", "min_snr"]


def sample_times(
    process: Process,
    u: Tensor,
    distribution: Distribution = "uniform",
    mean: float = 0.0,
    std: float = 1.0,
) -> Tensor:
    """Training times (b,) in native time, one from each b-th of the distribution.

    Stratifying a batch, much as Kingma et al. do (2107.00630, appendix I.1), lowers the variance of
    its loss and leaves the distribution of each time as it is when the batch is in random order.

    Args:
        process: whose times; whole timesteps where it is a table.
        u: (b,) independent uniform numbers in [0, 1).
        distribution: "uniform" in native time, or "logit_normal": ln(σ/α) ~ N(mean, std²). On
            rectified flow this is SD3's logit-normal t (Esser et al. 2403.03206, eq. 19), on EDM
            its log-normal σ (Karras et al. 2206.00364, table 1).
        mean: of ln(σ/α), for "logit_normal"; ln(shift) trains for a shifted flow.
        std: its standard deviation.

    Raises:
        InputError: an unknown distribution.
    """
    quantile = (torch.arange(len(u), device=u.device) + u) / len(u)
    match distribution:
        case "uniform" if process.steps is not None:
            t = (quantile * process.steps).floor()
        case "uniform":
            t = process.t_clean + (process.t_noise - process.t_clean) * quantile
        case "logit_normal":
            t = process.time_of(Normal(mean, std).icdf(quantile).exp())
            t = t if process.steps is None else t.round()
        case _:
            raise unknown("time distribution", distribution, get_args(Distribution))
    return t.clamp(process.t_least, process.t_noise)


def denoising_loss(
    out: Tensor,
    x0: Tensor,
    eps: Tensor,
    alpha: Scalar,
    sigma: Scalar,
    prediction: Prediction,
    weighting: Weighting = "none",
    direction: float = 0.0,
    gamma: float = 5.0,
    where: Tensor | None = None,
) -> Tensor:
    """The loss (b,) of a network's output at x = α·x₀ + σ·ε.

    The mean squared error in the network's own terms: the simple loss of DDPM for ε (Ho et al.
    2006.11239, eq. 14), the v loss, the flow-matching loss.

    Args:
        out: (b, c, …), what the network said.
        x0: (b, c, …) clean data.
        eps: (b, c, …) the noise in it.
        alpha: () or (b,).
        sigma: () or (b,).
        prediction: what ``out`` means.
        weighting: "min_snr" weighs the x₀ error by min(SNR, γ), see ``min_snr``.
        direction: how much of ``1 − cos`` between predicted and true velocity, over channels, to
            add (FasterDiT, Yao et al. 2410.10356); for velocities ("v", "flow") only.
        gamma: γ of min-SNR.
        where: (b, 1, …) how much each place counts, 1 on the average; all the same if not given.

    Raises:
        InputError: an unknown prediction or weighting, or a direction that is none of a velocity.
    """
    out, goal = out.float(), target(prediction, x0, eps, alpha, sigma).float()
    places = 1.0 if where is None else where
    loss = ((out - goal).square() * places).flatten(1).mean(1)
    match weighting:
        case "none":
            pass
        case "min_snr":
            loss = loss * min_snr(prediction, alpha, sigma, gamma).to(loss)
        case _:
            raise unknown("loss weighting", weighting, get_args(Weighting))
    if direction:
        if prediction not in ("v", "flow"):
            raise InputError(f"a direction loss needs a v or flow prediction, not {prediction!r}")
        turned = 1 - F.cosine_similarity(out, goal, dim=1)[:, None]
        loss = loss + direction * (turned * places).flatten(1).mean(1)
    return loss


def min_snr(prediction: Prediction, alpha: Scalar, sigma: Scalar, gamma: float = 5.0) -> Tensor:
    """Min-SNR-γ weights (Hang et al. 2303.09556, section 3.4) for a loss in a prediction's terms.

    The loss on x₀ is weighed by min(SNR, γ); an error in the output is one in x₀ times ∂out/∂x̂₀,
    which is divided out here. Finite for α = 0 and for σ = 0.
    """
    alpha, sigma = torch.as_tensor(alpha), torch.as_tensor(sigma)
    signal, noise = alpha.square(), sigma.square()
    match prediction:
        case "eps":
            return (gamma * noise / signal).clamp(max=1)
        case "x0":
            return (signal / noise).clamp(max=gamma)
        case "v":
            return torch.minimum(signal, gamma * noise) / (signal + noise).square()
        case "flow":
            return torch.minimum(signal, gamma * noise) / (alpha + sigma).square()
        case _:
            raise unknown("prediction", prediction, PREDICTIONS)
