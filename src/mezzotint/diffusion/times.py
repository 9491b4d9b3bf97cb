"""Time grids: which noise levels a sampler visits, and in how many steps."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from mezzotint.diffusion.process import Process
from mezzotint.errors import InputError, choose

# Where nothing of the data is left at t_noise, σ/α has no largest value to space from: EDM's 80
# stands in for it, and the first time is t_noise all the same.
_MOST_NOISE = 80.0


def times(process: Process, n: int, spacing: str = "linspace", **options: float | str) -> Tensor:
    """The times of ``n`` steps: (n + 1,) float64, noisiest first, ``process.t_clean`` last.

    Args:
        process: whose native times they are.
        n: how many steps, at least 1.
        spacing: one of ``SPACINGS``.
        options: what the spacing takes, such as ``rho`` for "karras".

    Raises:
        InputError: no steps, an unknown spacing, or steps that are not all different times.
    """
    spaced = choose("spacing", spacing, SPACINGS)
    if n < 1:
        raise InputError(f"{n} steps: at least 1 is needed")
    grid = torch.cat([spaced(process, n, **options), _number(process.t_clean)])
    if not (grid.diff() < 0).all():
        given = "".join(f" ({name} {value})" for name, value in options.items())
        raise InputError(
            f"{n} steps of {spacing!r} spacing{given} repeat or leave the times of {process.name!r}"
        )
    return grid


def linspace(process: Process, n: int) -> Tensor:
    """Even in time, both ends included (Lin et al. 2305.08891, table 2)."""
    t = torch.linspace(process.t_noise, process.t_least, n, dtype=torch.float64)
    return t.round() if _whole(process, n) else t


def leading(process: Process, n: int, offset: float = 1.0) -> Tensor:
    """Even in time from the clean end, as DDIM has it (Lin et al. 2305.08891, table 2).

    Its first time is short of the noise. ``offset`` moves all times up by that many timesteps
    (thousandths of continuous time), as far as there is room; published checkpoints use 1.
    """
    span = process.t_noise - process.t_clean
    stride = process.steps // n if process.steps and _whole(process, n) else span / n
    base = process.t_least if process.steps else process.t_clean
    room = process.t_noise - base - stride * (n - 1)
    return base + stride * torch.arange(n - 1, -1, -1).double() + min(offset * span / 1000, room)


def trailing(process: Process, n: int) -> Tensor:
    """Even in time from the noisy end (Lin et al. 2305.08891, table 2)."""
    left = torch.linspace(process.t_noise - process.t_clean, 0, n + 1, dtype=torch.float64)[:-1]
    return process.t_clean + (left.round() if _whole(process, n) else left)


def lcm(process: Process, n: int, original: int = 50) -> Tensor:
    """Some of the steps that a latent consistency model was distilled over (Luo et al. 2310.04378).

    They are ``trailing`` in ``original`` steps, or in as many as are asked for if those are more.
    """
    original = max(n, int(original))
    return trailing(process, original)[torch.arange(n) * original // n]


def karras(process: Process, n: int, rho: float = 7.0) -> Tensor:
    """Even in (σ/α)^(1/ρ) (Karras et al. 2206.00364, eq. 5).

    Raises:
        InputError: ``rho`` is not a number from 1 up.
    """
    if not 1 <= rho < math.inf:
        raise InputError(f"karras spacing of rho {rho}: it is a number from 1 up")
    most, least = _ratios(process)
    root = torch.linspace(most ** (1 / rho), least ** (1 / rho), n, dtype=torch.float64)
    return _at(process, root**rho)


def exponential(process: Process, n: int) -> Tensor:
    """Even in ln(σ/α), the λ of DPM-Solver (Lu et al. 2206.00927)."""
    most, least = _ratios(process)
    ends = math.log(most), math.log(least)
    return _at(process, torch.linspace(*ends, n, dtype=torch.float64).exp())


def beta(process: Process, n: int, a: float = 0.6, b: float = 0.6) -> Tensor:
    """Quantiles of Beta(a, b) over time: dense at both ends (Lee et al. 2407.12173).

    Raises:
        InputError: ``a`` or ``b`` is less than 0.5.
    """
    if not (a >= 0.5 and b >= 0.5):
        raise InputError(f"beta spacing of a {a} and b {b}: both are at least 0.5")
    # with x = sin²θ the density x^(a−1)(1−x)^(b−1) dx has no poles, so its sum converges
    theta = (torch.arange(100_000).double() + 0.5) / 100_000 * (math.pi / 2)
    density = theta.sin() ** (2 * a - 1) * theta.cos() ** (2 * b - 1)
    cumulative = (density.cumsum(0) - density / 2) / density.sum()
    quantile = 1 - torch.arange(n).double() / n
    place = torch.searchsorted(cumulative, quantile).clamp(1, len(theta) - 1)
    low, high = cumulative[place - 1], cumulative[place]
    x = torch.lerp(theta[place - 1], theta[place], (quantile - low) / (high - low)).sin().square()
    x[0] = 1.0
    return process.t_least + (process.t_noise - process.t_least) * x


def align_your_steps(process: Process, n: int, model: str = "sd15") -> Tensor:
    """Levels optimised for a model: "sd15", "sdxl" or "svd" (Sabour et al. 2404.14507).

    The ten steps published, log-linear in between for other numbers of steps.
    """
    knots = _number(*choose("align-your-steps model", model, _ALIGNED)).log()
    place = torch.linspace(0, len(knots) - 1, n + 1, dtype=torch.float64)[:-1]
    k = place.floor().long()
    return _at(process, torch.lerp(knots[k], knots[k + 1], place - k).exp())


def flow_shift(process: Process, n: int, shift: float = 3.0) -> Tensor:
    """Even in σ/(α+σ), the time of rectified flow, then σ/α times ``shift``.

    What Stable Diffusion 3 does for resolution (Esser et al. 2403.03206, eq. 23) on any process:
    t' = shift·t/(1 + (shift−1)·t) is t'/(1−t') = shift·t/(1−t).
    """
    t = torch.linspace(_unshifted(process, shift), 0, n + 1, dtype=torch.float64)[:-1]
    return _at(process, shift * t / (1 - t))


def flow_linspace(process: Process, n: int, shift: float = 3.0) -> Tensor:
    """As ``flow_shift``, but down to the cleanest time trained on, which is itself shifted.

    What diffusers does for Stable Diffusion 3: from t = 1 to the shifted thousandth, then shifted.
    """
    least = shift * 1e-3 / (1 + (shift - 1) * 1e-3)
    t = torch.linspace(_unshifted(process, shift), least, n, dtype=torch.float64)
    return _at(process, shift * t / (1 - t))


SPACINGS: dict[str, Callable[..., Tensor]] = {
    "linspace": linspace,
    "leading": leading,
    "trailing": trailing,
    "lcm": lcm,
    "karras": karras,
    "exponential": exponential,
    "beta": beta,
    "align_your_steps": align_your_steps,
    "flow_shift": flow_shift,
    "flow_linspace": flow_linspace,
}

# fmt: off
_ALIGNED = {
    "sd15": (14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092,
             0.9642583904, 0.6523686016, 0.3977456272, 0.1515232662, 0.0291671582),
    "sdxl": (14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141,
             0.5550693289, 0.3798540708, 0.2332364134, 0.1114188177, 0.0291671582),
    "svd": (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002),
}
# fmt: on


def _unshifted(process: Process, shift: float) -> float:
    """The time of rectified flow that is shifted to the noisiest of ``process``."""
    end = _number(process.t_noise)
    return (1 / (1 + shift * process.alpha(end) / process.sigma(end))).item()


def _ratios(process: Process) -> tuple[float, float]:
    """The largest and the smallest σ/α to space between."""
    ends = _number(process.t_noise, process.t_least)
    ratio = process.sigma(ends) / process.alpha(ends)
    return (_MOST_NOISE if process.erases else ratio[0].item()), ratio[1].item()


def _at(process: Process, ratio: Tensor) -> Tensor:
    """The times of these σ/α, the first of them t_noise."""
    return torch.cat([_number(process.t_noise), process.time_of(ratio[1:])])


def _whole(process: Process, n: int) -> bool:
    """Whether times are whole timesteps: a table's are, while there are enough of them."""
    return process.steps is not None and n <= process.steps


def _number(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
