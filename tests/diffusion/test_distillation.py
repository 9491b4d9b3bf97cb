from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mixture import MIXTURE, PROCESSES, double, noise, solve
from torch import Tensor, nn

from mezzotint.diffusion import Denoiser, Process, denoiser, times
from mezzotint.diffusion.distillation import distillation_loss, jump, path, through
from mezzotint.diffusion.guidance import cfg, pair
from mezzotint.diffusion.oracle import GaussianMixture
from mezzotint.diffusion.prediction import PREDICTIONS, Prediction, from_x0
from mezzotint.diffusion.samplers import SAMPLERS, ddim
from mezzotint.diffusion.samplers.grid import move, points
from mezzotint.errors import InputError

ERASING = ("zero_terminal", "cosine", "flow", "shifted_flow")


@pytest.mark.parametrize("name", PROCESSES)
@given(steps=st.integers(12, 60), stops=st.integers(1, 4))
def test_a_teacher_passes_where_the_student_stops(name: str, steps: int, stops: int):
    process = PROCESSES[name]
    own, theirs = times(process, steps, "linspace"), times(process, stops, "trailing")
    grid = through(own, theirs)
    assert set(theirs.tolist()) <= set(grid.tolist())
    assert len(grid) == steps + 1
    assert (grid.diff() < 0).all()
    assert int((grid != own).sum()) <= stops - 1


def test_a_teacher_of_too_few_steps_is_refused():
    process = Process.cosine()
    with pytest.raises(InputError, match=r"3 steps of the teacher are too few .* student's 4"):
        through(times(process, 3, "trailing"), times(process, 4, "trailing"))


@pytest.mark.parametrize("name", ["zero_terminal", "cosine", "edm", "flow"])
def test_a_jump_is_what_ddim_takes_back(name: str):
    """For samples at different times together, from pure noise to clean data."""
    process = PROCESSES[name]
    stops = times(process, 4, "trailing")
    x, x0 = noise(4, 3, 2), noise(4, 3, 2, seed=1)
    steps = pairwise(points(process, stops))
    end = torch.stack([move(x[k], x0[k], s, t) for k, (s, t) in enumerate(steps)])
    found = jump(x, end, stops[:-1], stops[1:], process)
    torch.testing.assert_close(found, x0)
    off = jump(x, end, stops[:-1], stops[1:] * 0.9, process)
    assert not torch.allclose(off[:-1], x0[:-1], rtol=1e-2)


def gaussian_map(process: Process, x: Tensor, s: Tensor, t: Tensor, mean: Tensor, std: float):
    """The exact ODE of N(mean, std²): what is left of x keeps its place among the deviations."""

    def moments(at: Tensor) -> tuple[Tensor, Tensor]:
        alpha, sigma = process.alpha(at), process.sigma(at)
        return alpha * mean, (alpha * std) ** 2 + sigma**2

    (here, wide), (there, narrow) = moments(s), moments(t)
    return there + (narrow / wide).sqrt() * (x - here)


@pytest.mark.parametrize("name", ERASING)
def test_the_exact_map_of_a_gaussian_costs_nothing(name: str):
    """A student that knows it is where the loss over a teacher's paths is least; another is not."""
    process, mean, std = PROCESSES[name], double(0.7, -0.4), 0.5
    teacher = GaussianMixture(mean[None], double(std), double(1.0)).denoiser(process)
    stops = times(process, 4, "trailing")
    grid = through(times(process, 400, "trailing"), stops)
    states = path(teacher, noise(64, 2), grid, stops, process, SAMPLERS["dpmpp_2m"])

    def cost(std: float) -> float:
        total = 0.0
        for (s, t), (x, end) in zip(pairwise(stops), pairwise(states), strict=True):
            known = jump(x, gaussian_map(process, x, s, t, mean, std), s, t, process)
            goal = jump(x, end, s, t, process)
            total += distillation_loss(known, goal, s.expand(64), process).mean().item()
        return total

    assert cost(std) < 1e-5
    assert cost(1.1 * std) > 1e-4


@pytest.mark.parametrize("name", ["cosine", "flow"])
def test_a_path_is_the_ode_of_a_mixture(name: str):
    process = PROCESSES[name]
    stops = times(process, 3, "trailing")[1:]  # SciPy begins where there is data
    grid = through(times(process, 300, "trailing")[100:], stops)
    x = noise(8, 2)
    states = path(MIXTURE.denoiser(process), x, grid, stops, process, SAMPLERS["dpmpp_2m"])
    exact = solve(process, x, stops[0], stops[1])
    torch.testing.assert_close(states[1], exact, atol=1e-4, rtol=0)
    coarse = path(MIXTURE.denoiser(process), x, stops, stops, process, SAMPLERS["dpmpp_2m"])
    assert (coarse[1] - exact).abs().max() > 1e-2


def test_a_teacher_that_draws_noise_is_refused():
    process = Process.flow()
    grid = times(process, 4, "trailing")
    with pytest.raises(InputError, match="deterministic"):
        path(MIXTURE.denoiser(process), noise(2, 2), grid, grid, process, SAMPLERS["ddpm"])


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_loss_is_that_of_v(prediction: Prediction):
    """(SNR + 1)·|x̂₀ − goal|² where α² + σ² = 1, whatever the network calls it."""
    process, t = Process.cosine(), double(0.1, 0.5, 0.9)
    x, found, goal = noise(3, 2, 2), noise(3, 2, 2, seed=1), noise(3, 2, 2, seed=2)
    alpha, sigma = process.alpha(t), process.sigma(t)
    outs = [from_x0("v", x0, x, alpha, sigma) for x0 in (found, goal)]
    v_loss = (outs[0] - outs[1]).square().flatten(1).mean(1)
    said = from_x0(prediction, found, x, alpha, sigma)
    back = denoiser(lambda x, t: said, process, prediction)(x, t)
    loss = distillation_loss(back, goal, t, process)
    torch.testing.assert_close(loss.double(), v_loss, rtol=1e-4, atol=0)


class Small(nn.Module):
    """(x (b, 2), t (b,) from 0 to 1) → what the prediction says, (b, 2)."""

    def __init__(self) -> None:
        super().__init__()
        wide = 96
        self.layers = nn.Sequential(
            nn.Linear(6, wide), nn.SiLU(), nn.Linear(wide, wide), nn.SiLU(), nn.Linear(wide, 2)
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        at = t.to(x).expand(len(x))
        waves = [(k * torch.pi * at).cos() for k in (0.5, 1, 2, 4)]
        return self.layers(torch.cat([x, torch.stack(waves, 1)], 1))


def drawn(denoise: Denoiser, x: Tensor, grid: Tensor, process: Process) -> Tensor:
    *_, last = ddim(denoise, x, grid, process, torch.randn_like)
    return last.x


@pytest.mark.parametrize(("name", "prediction"), [("cosine", "v"), ("flow", "flow")])
def test_four_steps_of_a_student_come_near_fifty_of_its_guided_teacher(
    name: str, prediction: Prediction
):
    """Four of the teacher itself do not."""
    process, scale = PROCESSES[name], 3.0
    part = GaussianMixture(MIXTURE.means[:1], MIXTURE.stds[:1], double(1.0))
    teacher = cfg(pair(part.denoiser(process), MIXTURE.denoiser(process)), scale)
    stops = times(process, 4, "trailing")
    grid = through(times(process, 50, "trailing"), stops)
    states = path(teacher, noise(2048, 2), grid, stops, process, SAMPLERS["dpmpp_2m"]).float()

    network = Small()
    student = denoiser(network, process, prediction)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    goals = torch.cat(
        [
            jump(a, b, *ts, process)
            for (a, b), ts in zip(pairwise(states), pairwise(stops), strict=True)
        ]
    )
    starts, at = states[:-1].flatten(0, 1), stops[:-1].repeat_interleave(2048)
    for step in range(steps := 300):
        optimizer.param_groups[0]["lr"] = 5e-3 * (1 - step / steps)
        rows = torch.randint(len(starts), (256,))
        found = student(starts[rows], at[rows])
        loss = distillation_loss(found, goals[rows], at[rows], process).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    fresh = noise(256, 2, seed=9)
    fine = drawn(teacher, fresh, times(process, 400, "trailing"), process)

    def missed(x: Tensor) -> float:
        return (x - fine).square().mean().sqrt().item()

    with torch.no_grad():
        ours = missed(drawn(student, fresh.float(), stops, process))
    fifty, four = (
        missed(drawn(teacher, fresh, times(process, n, "trailing"), process)) for n in (50, 4)
    )
    assert fifty < 0.1 * four
    assert ours < 0.4 * four
