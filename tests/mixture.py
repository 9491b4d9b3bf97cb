"""A problem with a known answer: data that is a Gaussian mixture, and its ODE solved by SciPy."""

import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from mezzotint.diffusion import Process
from mezzotint.diffusion.oracle import GaussianMixture


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


MIXTURE = GaussianMixture(
    means=torch.tensor([[1.0, 0.5], [-1.0, 0.2], [0.2, -1.0]], dtype=torch.float64),
    stds=double(0.6, 0.7, 0.8),
    weights=double(0.3, 0.4, 0.3),
)
PROCESSES = {
    "linear": Process.linear(),
    "scaled_linear": Process.scaled_linear(),
    "zero_terminal": Process.zero_terminal(),
    "cosine": Process.cosine(),
    "edm": Process.edm(),
    "flow": Process.flow(),
    "shifted_flow": Process.flow(shift=3.0),
}
# stochastic samplers solve the ODE for this
ODE = {
    name: {"eta": 0.0}
    for name in (
        "euler_ancestral",
        "dpm2_ancestral",
        "dpmpp_2s_ancestral",
        "dpmpp_sde",
        "dpmpp_2m_sde",
        "dpmpp_3m_sde",
    )
}


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def silence(x: Tensor) -> Tensor:
    """For samplers that need no noise."""
    raise AssertionError("noise was drawn")


def solve(process: Process, x: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The probability-flow ODE from one time to another, to about 1e-11.

    In the coordinates y = x/(α + σ) over τ = σ/(α + σ), where dy/dτ = ε̂ − x̂₀ for every process.
    """

    def scale(t: Tensor) -> Tensor:
        return process.alpha(t) + process.sigma(t)

    def velocity(tau: float, y: Tensor) -> Tensor:
        y = torch.as_tensor(y).view(x.shape)
        return ((y - MIXTURE.denoise(y, 1 - tau, tau)) / tau).flatten()

    span = [(process.sigma(t) / scale(t)).item() for t in (start, end)]
    y = (x / scale(start)).flatten()
    solution = solve_ivp(velocity, span, y, method="DOP853", rtol=1e-12, atol=1e-12)
    return torch.from_numpy(solution.y[:, -1]).view(x.shape) * scale(end)
