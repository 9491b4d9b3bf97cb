"""How near samplers come for how much work, beside diffusers': `python bench/samplers.py`.

Writes docs/samplers.md and docs/samplers.png. Every number in them is measured here.
"""

import math
import time
import warnings
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import diffusers
import matplotlib as mpl
import torch
from torch import Tensor

from mezzotint.diffusion import SPACINGS, Process, times
from mezzotint.diffusion.oracle import GaussianMixture, followed
from mezzotint.diffusion.prediction import target, to_eps
from mezzotint.diffusion.samplers import SAMPLERS

mpl.use("Agg")
import matplotlib.pyplot as plt

DOCS = Path(__file__).parents[1] / "docs"
PROCESS = Process.scaled_linear()
STEPS = (4, 6, 8, 12, 16, 24, 32, 48, 64)
TABLE = (10, 20, 40)

# seven clusters on a circle, from small to large
ANGLES = torch.arange(7).double() / 7 * 2 * math.pi
DATA = GaussianMixture(
    means=1.2 * torch.stack([ANGLES.cos(), ANGLES.sin()], 1)[:, :, None, None],
    stds=torch.linspace(0.05, 0.35, 7).double(),
    weights=torch.full((7,), 1 / 7).double(),
)

ODE = ("euler", "ddim", "heun", "dpm2", "pndm", "ipndm", "lms", "deis", "dpmpp_2m", "unipc")
SDE = (
    *("ddpm", "euler_ancestral", "dpm2_ancestral", "dpmpp_2s_ancestral"),
    *("dpmpp_sde", "dpmpp_2m_sde", "dpmpp_3m_sde", "lcm"),
)

MULTISTEP, SDE_MULTISTEP = "DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}
THEIRS: dict[str, tuple[str, dict[str, Any]]] = {
    "euler": ("EulerDiscreteScheduler", {}),
    "ddim": ("DDIMScheduler", {"clip_sample": False}),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True, "set_alpha_to_one": True}),
    "ipndm": ("IPNDMScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "deis": ("DEISMultistepScheduler", {"solver_order": 3}),
    "dpmpp_2m": (MULTISTEP, {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "ddpm": ("DDPMScheduler", {"clip_sample": False}),
    "euler_ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "dpm2_ancestral": ("KDPM2AncestralDiscreteScheduler", {}),
    "dpmpp_sde": ("DPMSolverSDEScheduler", {"noise_sampler_seed": 0}),
    "dpmpp_2m_sde": (MULTISTEP, SDE_MULTISTEP),
    "dpmpp_3m_sde": (MULTISTEP, {**SDE_MULTISTEP, "solver_order": 3, "solver_type": "heun"}),
    "lcm": ("LCMScheduler", {"timestep_scaling": 1e12}),
}
EXPLODING = {"euler", "heun", "dpm2", "lms", "euler_ancestral", "dpm2_ancestral", "dpmpp_sde"}


def ours(name: str, grid: Tensor, x: Tensor, **options: Any) -> tuple[Tensor, int]:
    """Where a run ends, and how often the network was asked."""
    asked, perfect = [], DATA.denoiser(PROCESS)

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        asked.append(t)
        return perfect(x, t)

    for step in SAMPLERS[name](denoise, x, grid, PROCESS, torch.randn_like, **options):
        x = step.x
    return x, len(asked)


def theirs(name: str, grid: Tensor, x: Tensor) -> tuple[Tensor, int]:
    """The same in diffusers, which is given the grid as the whole of its schedule."""
    scheduler, n = load(name, grid), len(grid) - 1
    x = x / PROCESS.alpha(grid[0]) if name in EXPLODING else x
    for k, t in enumerate(scheduler.timesteps):
        if name in EXPLODING:
            alpha = scheduler.scale_model_input(torch.ones((), dtype=torch.float64), t)
        else:
            alpha = PROCESS.alpha(grid[k if name == "ipndm" else n - 1 - int(t)])
        sigma = (1 - alpha.square()).sqrt()
        shown = scheduler.scale_model_input(x, t)
        x0 = DATA.denoise(shown, alpha, sigma)
        eps = to_eps(x0, shown, alpha, sigma)
        out = target("v" if name == "ipndm" else "eps", x0, eps, alpha, sigma)
        x = scheduler.step(out, t, x).prev_sample
    return x, len(scheduler.timesteps)


def load(name: str, grid: Tensor) -> Any:
    kind, config = THEIRS[name]
    n = len(grid) - 1
    if name == "ipndm":  # a schedule of its own, replaced
        scheduler = getattr(diffusers, kind)()
        scheduler.set_timesteps(n)
        scheduler.timesteps = grid[:-1]
        scheduler.alphas, scheduler.betas = PROCESS.alpha(grid), PROCESS.sigma(grid)
        return scheduler
    alpha_bar = PROCESS.alpha_bar(grid[:-1]).flip(0)
    betas = 1 - alpha_bar / torch.cat([torch.ones(1), alpha_bar[:-1]])
    config = {**config, "trained_betas": betas.numpy(), "num_train_timesteps": n}
    if name == "lcm":
        scheduler = getattr(diffusers, kind)(**config, original_inference_steps=n)
    else:
        scheduler = getattr(diffusers, kind)(**config, timestep_spacing="trailing")
    scheduler.set_timesteps(n)
    return scheduler


def start(grid: Tensor, b: int) -> Tensor:
    """Data at the noise of the first time, the same for all."""
    generator = torch.Generator().manual_seed(0)
    eps = torch.randn(b, 2, 1, 1, dtype=torch.float64, generator=generator)
    return PROCESS.diffuse(DATA.sample(b, generator), eps, grid[0])


def distance(samples: Tensor, quantiles: Tensor) -> float:
    """Wasserstein-1 distance to the data, the mean over both coordinates."""
    return (samples.flatten(1).sort(0).values - quantiles).abs().mean().item()


def quantiles(b: int) -> Tensor:
    many = DATA.sample(200 * b, torch.Generator().manual_seed(1)).flatten(1).sort(0).values
    return many.view(b, 200, 2).mean(1)


Curve = list[tuple[int, float]]


def measure() -> tuple[dict[str, Curve], dict[str, Curve], float]:
    """(NFE, error) of ours and of diffusers' for every sampler, and what chance alone gives."""
    truth = end()
    exact = quantiles(8192)
    found: tuple[dict[str, Curve], dict[str, Curve]] = ({}, {})
    for name in (*ODE, *SDE):
        for run, curves in zip((ours, theirs), found, strict=True):
            if run is theirs and name not in THEIRS:
                continue
            for n in STEPS:
                torch.manual_seed(0)
                grid = times(PROCESS, n, "karras")
                x, nfe = run(name, grid, start(grid, 256 if name in ODE else 8192))
                error = apart(x, truth) if name in ODE else distance(x, exact)
                curves.setdefault(name, []).append((nfe, error))
    fresh = [DATA.sample(8192, torch.Generator().manual_seed(k)) for k in range(2, 12)]
    return *found, sum(distance(x, exact) for x in fresh) / len(fresh)


def end() -> Tensor:
    """Where the curve from each of 256 noises ends, whatever grid a sampler has."""
    ends = times(PROCESS, 1, "karras")
    *_, truth = followed(DATA, PROCESS, start(ends, 256), ends)
    return truth


def floor() -> float:
    """What is left of the error of 10,000 steps: that of the grid's last one, to clean data."""
    fine = times(PROCESS, 10_000, "karras")
    x, _ = ours("heun", fine, start(fine, 256))
    return apart(x, end())


def apart(x: Tensor, truth: Tensor) -> float:
    return (x - truth).flatten(1).norm(dim=1).mean().item()


def orders() -> dict[str, float]:
    """Of the ODE's samplers between 48 and 96 steps, where nothing else than their rule matters.

    Levels from σ/α = 8 to 0.2, dense at both ends, so that the first-order step which begins a
    multistep method is short; and data that is as smooth as its noise.
    """
    smooth = GaussianMixture(DATA.means, DATA.stds + 0.5, DATA.weights)

    def sampled(name: str, n: int, **options: float) -> Tensor:
        u = torch.linspace(0, 1, n + 1, dtype=torch.float64)
        ends = torch.tensor([8.0, 0.2], dtype=torch.float64).log()
        grid = PROCESS.time_of(torch.lerp(ends[0], ends[1], u * u * (3 - 2 * u)).exp())
        x, denoise = start(grid, 32), smooth.denoiser(PROCESS)
        for step in SAMPLERS[name](denoise, x, grid, PROCESS, torch.randn_like, **options):
            x = step.x
        return x

    truth = sampled("heun", 10_000)
    found = {}
    for name in (*ODE, *SDE[1:-1]):
        options = {} if name in ODE else {"eta": 0.0}
        coarse, fine = (apart(sampled(name, n, **options), truth) for n in (48, 96))
        found[name] = math.log2(coarse / fine)
    return found


def spacings() -> dict[str, list[float]]:
    """The error of DPM-Solver++(2M) on each grid, for the steps of the table."""
    truth = end()
    found: dict[str, list[float]] = {}
    for spacing in sorted(set(SPACINGS) - {"leading"}):  # which begins from less noise
        for n in TABLE:
            grid = times(PROCESS, n, spacing)
            x, _ = ours("dpmpp_2m", grid, start(grid, 256))
            found.setdefault(spacing, []).append(apart(x, truth))
    return found


def at(curve: Curve, nfe: int) -> float:
    """The error at a number of evaluations, between the nearest two measured."""
    for (a, error_a), (b, error_b) in pairwise(curve):
        if a <= nfe <= b:
            w = math.log(nfe / a) / math.log(b / a)
            return error_a ** (1 - w) * error_b**w
    return math.nan


def draw(mine: dict[str, Curve], reference: dict[str, Curve], chance: float) -> None:
    figure, axes = plt.subplots(3, 6, figsize=(13, 7), sharex=True, layout="constrained")
    for axis, name in zip(axes.flat, (*ODE, *SDE), strict=True):
        group = ODE if name in ODE else SDE
        for other in group:
            axis.loglog(*zip(*mine[other], strict=True), color="0.8", lw=0.8, zorder=1)
        if name in reference:
            axis.loglog(
                *zip(*reference[name], strict=True), "o", mfc="none", mec="#d1495b", ms=6, zorder=2
            )
        axis.loglog(*zip(*mine[name], strict=True), color="#1d4e89", lw=1.8, zorder=3)
        axis.set_title(name, fontsize=10, fontweight="bold", loc="left")
        axis.set_ylim((5e-5, 1.5) if name in ODE else (4e-3, 3))
        axis.set_xticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
        axis.minorticks_off()
        axis.tick_params(labelsize=8, labelbottom=True)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_facecolor("white" if name in ODE else "#fbf7ef")
        if name in SDE:
            axis.axhline(chance, color="0.4", lw=0.8, ls=":")
    figure.suptitle(
        "Error against network evaluations: mezzotint (line), diffusers (circles), the other "
        "samplers of the kind (grey)\n"
        "white: distance to the ODE's solution; tinted: Wasserstein distance to the data "
        "(dotted: what chance gives)",
        fontsize=11,
    )
    figure.savefig(DOCS / "samplers.png", dpi=110)


def rows(names: Iterable[str], mine: dict[str, Curve], reference: dict[str, Curve]) -> str:
    lines = []
    for name in names:
        cells = []
        for nfe in TABLE:
            other = f"{at(reference[name], nfe):.1e}" if name in reference else "–"
            cells.append(f"{at(mine[name], nfe):.1e} / {other}")
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


PAGE = """\
# Samplers

This page is written by `python bench/samplers.py`, which measured every number in it.

The data is a mixture of seven Gaussians in the plane, from narrow to wide, for which the perfect
denoiser is known in closed form (`mezzotint.diffusion.oracle`). So what is seen here is the
sampler's error alone, with no network's in it. The process is Stable Diffusion's (scaled-linear),
the grid Karras et al.'s; diffusers {version} is given the very same grid, in float32, as it works.

![Error against NFE, a panel for each sampler](samplers.png)

Deterministic samplers are compared with the ODE's solution by a method of none of them
(`oracle.followed`): the mean distance from where each of 256 noises should end. The clusters are
1.0 apart and 0.05 to 0.35 wide. The grid's last step, from σ/α = 0.03 to clean data, is as long
however many steps there are. All but `lms` end it on x̂₀, and none of those comes nearer than that
allows: {floor:.1e} for 10,000 steps of `heun`.

| mezzotint / diffusers | {columns} |
|---|{rule}|
{ode}

Stochastic ones have no such place to be. 8,192 samples are compared with the data: the
Wasserstein-1 distance, mean over both coordinates. True samples of the data score {chance:.1e}, by
chance, so differences below that mean nothing.

| mezzotint / diffusers | {columns} |
|---|{rule}|
{sde}

## Order of convergence

Steps half as long make an error 2^order times smaller. Measured from 48 to 96 steps on a smooth
problem, stochastic samplers with `eta=0`; DDPM and LCM solve no ODE.

| sampler | order | sampler | order |
|---|---|---|---|
{orders}

UniPC's default is a predictor of second order, and its corrector adds one. PNDM and iPNDM have
fourth-order weights made for even steps, which no grid here has. 3M stays at two: the weight of its
quadratic term, in k-diffusion and diffusers alike, is half of the exact one.

## Which to choose

- **`dpmpp_2m`** unless there is a reason: one evaluation a step, second order, no surprises. 20 to
  30 steps.
- **`unipc`**, **`deis`** or **`ipndm`** for fewer evaluations than that, where they are several
  times nearer here. A polynomial through more predictions also trusts each of them more: try them
  at your guidance scale.
- **`dpmpp_2m_sde`** or **`dpmpp_3m_sde`** with 25 steps or more where noise on the way is welcome:
  it washes out earlier errors, the network's own among them. `ddpm` and `euler_ancestral` (one and
  the same step) need several times as many for the same.
- **`euler`** for networks distilled to few steps and for rectified flows that are nearly straight;
  **`lcm`** for consistency models only. Of other networks it takes x̂₀ for a sample, which it is
  not: its curve stays flat.
- **`heun`**, **`dpm2`** and the other two-stage samplers pay twice a step. Below 20 evaluations
  that is too dear; with many they are as good as any.

An error of a hundredth of the distance between pictures is hardly seen, and a real network's own
error is larger.

The grid matters as much. DPM-Solver++(2M), distance to the ODE's solution:

| spacing | {columns_steps} |
|---|{rule}|
{spacings}

`align_your_steps` was optimised for real pictures, not for this plane. `trailing` and `linspace`
leave the fine levels to the last step. `leading` begins from less than full noise, which makes it
another problem.

## Where diffusers differs

On equal grids every sampler equals diffusers' step by step to 1e-9 in float64
(`tests/parity/test_samplers.py`), but for these:

- diffusers' DEIS ends at the first timestep, not at clean data: its curve above stays flat.
- Its DPM-Solver++(3M) SDE has a wrong sign in its third-order term, which then doesn't vanish with
  the step; ours is k-diffusion's. The deterministic forms are equal.
- It has DPM-Solver++(2S) without ancestral noise only; with it ours is held to the distribution of
  the data, and to itself on other processes.
- A grid of its own, LCM's small share of x in x̂₀ (a matter of the network, here), and the last two
  steps of DEIS in short runs are given ours in that test, and the test says where.
- On processes whose last time is pure noise (rectified flow, zero terminal SNR, cosine) σ/α has no
  largest value. Samplers that step in σ/α there step in σ/(α+σ) instead, the time of rectified
  flow; so `heun` is diffusers' FlowMatchHeun on a flow, and its HeunDiscrete elsewhere.
- One step of "linspace" spacing begins at the noise, not at clean data.
"""


def main() -> None:
    warnings.simplefilter("ignore")
    began = time.perf_counter()
    mine, reference, chance = measure()
    draw(mine, reference, chance)
    pairs = sorted(orders().items(), key=lambda pair: pair[1])
    half = (len(pairs) + 1) // 2
    cells = [f"`{name}` | {order:.1f}" for name, order in pairs] + ["|"] * (len(pairs) % 2)
    grids = sorted(spacings().items(), key=lambda pair: pair[1][1])
    page = PAGE.format(
        version=diffusers.__version__,
        columns=" | ".join(f"NFE {nfe}" for nfe in TABLE),
        columns_steps=" | ".join(f"{n} steps" for n in TABLE),
        rule="|".join("---" for _ in TABLE),
        ode=rows(ODE, mine, reference),
        sde=rows(SDE, mine, reference),
        floor=floor(),
        chance=chance,
        orders="\n".join(f"| {a} | {b} |" for a, b in zip(cells[:half], cells[half:], strict=True)),
        spacings="\n".join(
            f"| `{name}` | {' | '.join(f'{error:.1e}' for error in errors)} |"
            for name, errors in grids
        ),
    )
    (DOCS / "samplers.md").write_text(page)
    print(f"docs/samplers.md and docs/samplers.png in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
