"""How much a caption tells of its picture: the noise that it lets a denoiser take off.

The mutual information of data and what is said of it is the area between two curves of loss, of a
denoiser that is told it and of one that is not. For λ = ln(α/σ),

    I(x; c) = ∫ E‖ε − ε̂(x_λ)‖² − E‖ε − ε̂(x_λ, c)‖² dλ,

which is theorem 1 of Guo, Shamai & Verdú (2005), "Mutual information and minimum mean-square error
in Gaussian channels", with both sides' errors told as noise (Kong et al. 2302.03792). It is exact
for perfect denoisers; a network that makes less of its caption than there is to be made of it gives
less.
"""

import math

import torch
from torch import Tensor

from mezzotint.diffusion.noise import Noise
from mezzotint.diffusion.prediction import Denoiser
from mezzotint.diffusion.process import Process

ENDS = (100.0, 0.01)  # of σ/α: beyond them pictures are noise, or as clean as if all were said


def nats(
    told: Denoiser,
    plain: Denoiser,
    x0: Tensor,
    process: Process,
    noise: Noise,
    levels: int = 32,
    ends: tuple[float, float] = ENDS,
) -> Tensor:
    """How much is told of each sample, (n,) float64, in nats; the mean is what counts.

    Args:
        told: the denoiser that is told something, else for each of the samples.
        plain: the same one, told nothing.
        x0: the samples, (n, …).
        process: of both.
        noise: for each level.
        levels: how many noise levels the area is added up from, evenly in λ.
        ends: σ/α from the most to the least noise.
    """
    high, low = (math.log(ratio) for ratio in ends)
    found = torch.zeros(len(x0), dtype=torch.float64)
    for level in range(levels):
        ratio = math.exp(high + (low - high) * (level + 0.5) / levels)
        t = process.time_of(torch.tensor(ratio, dtype=torch.float64)).to(x0)
        x = process.diffuse(x0, noise(x0), t)
        wrong, less = (
            (each(x, t) - x0).double().square().flatten(1).sum(1).cpu() for each in (plain, told)
        )
        found += (wrong - less) / ratio**2 * (high - low) / levels
    return found
