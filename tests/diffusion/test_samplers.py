"""What holds for every sampler, whatever its rule."""

import inspect
import math

import pytest
import torch
from devices import WithoutDoubles
from mixture import MIXTURE, ODE, PROCESSES, double, noise, silence
from scipy.stats import kstest, norm
from torch import Tensor

from mezzotint.diffusion import Process, denoiser, times
from mezzotint.diffusion.guidance import apg, interval, pair, rescaled_cfg
from mezzotint.diffusion.noise import Noise, seeded
from mezzotint.diffusion.oracle import GaussianMixture
from mezzotint.diffusion.prediction import PREDICTIONS, Denoiser, Prediction, from_x0
from mezzotint.diffusion.samplers import SAMPLERS, Step
from mezzotint.errors import InputError

STOCHASTIC = sorted([*ODE, "ddpm"])
WITH_ETA = [name for name in SAMPLERS if "eta" in inspect.signature(SAMPLERS[name]).parameters]


def run(
    name: str,
    denoise: Denoiser,
    process: Process,
    grid: Tensor,
    rng: Noise,
    b: int = 4,
    **options: float,
) -> list[Step]:
    x = process.sigma(grid[0]) * noise(b, 2)
    return list(SAMPLERS[name](denoise, x, grid, process, rng, **options))


def network(process: Process, prediction: Prediction):
    def perfect(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = process.alpha(t), process.sigma(t)
        return from_x0(prediction, MIXTURE.denoise(x, alpha, sigma), x, alpha, sigma)

    return perfect


@pytest.mark.parametrize("process", sorted(PROCESSES))
@pytest.mark.parametrize("name", SAMPLERS)
def test_few_steps_of_every_process_and_prediction(name: str, process: str) -> None:
    forward = PROCESSES[process]
    for prediction in PREDICTIONS:
        denoise = denoiser(network(forward, prediction), forward, prediction)
        for n in (1, 2, 5):
            for spacing in ("trailing", "karras"):
                grid = times(forward, n, spacing)
                steps = run(name, denoise, forward, grid, seeded(range(4)))
                assert [step.index for step in steps] == list(range(n))
                assert [step.t for step in steps] == grid[1:].tolist()
                assert {step.total for step in steps} == {n}
                assert all(step.x.isfinite().all() and step.x0.isfinite().all() for step in steps)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("name", WITH_ETA)
@pytest.mark.parametrize("process", ["scaled_linear", "zero_terminal", "flow"])
def test_every_eta(name: str, eta: float, process: str) -> None:
    forward = PROCESSES[process]
    for n in (1, 2, 5):
        rng = silence if eta == 0 else seeded(range(4))
        steps = run(name, MIXTURE.denoiser(forward), forward, times(forward, n), rng, eta=eta)
        assert steps[-1].x.isfinite().all()


@pytest.mark.parametrize("eta", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("name", WITH_ETA)
def test_refuses_what_is_no_eta(name: str, eta: float) -> None:
    process = Process.flow()
    with pytest.raises(InputError, match="eta"):
        run(name, MIXTURE.denoiser(process), process, times(process, 3), seeded(range(4)), eta=eta)


@pytest.mark.parametrize("name", SAMPLERS)
def test_refuses_times_that_do_not_fall(name: str) -> None:
    process = Process.flow()
    for grid in (double(1.0), double(0.5, 1.0), double(1.0, 0.5, 0.5, 0.0)):
        with pytest.raises(InputError, match="each below the last"):
            run(name, MIXTURE.denoiser(process), process, grid, seeded(range(4)))


def test_refuses_times_that_are_none_of_the_process() -> None:
    process = Process.scaled_linear()
    for grid, says in (
        (double(999.0, math.nan, -1.0), "each below the last"),
        (double(1001.0, 1000.0, 500.0, -1.0), "1001 to -1 go beyond"),
        (double(500.0, -1.0, -2.0), "500 to -2 go beyond"),
    ):
        with pytest.raises(InputError, match=says):
            run("ddim", MIXTURE.denoiser(process), process, grid, silence)


ON_X_OVER_SCALE = {"heun", "dpm2", "dpm2_ancestral", "pndm", "ipndm", "lms", "deis"}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("process", ["scaled_linear", "linear", "flow"])
def test_all_processes_are_one(name: str, process: str) -> None:
    """x/α is a sample of EDM's at σ/α, with the same noise: a sampler cannot tell them apart.

    On a flow some step in σ/(α+σ) instead of σ/α, which is another rule.
    """
    if process == "flow" and name in ON_X_OVER_SCALE:
        pytest.skip("another rule, see grid.Point")
    forward, exploding = PROCESSES[process], Process.edm()
    grid = forward.time_of(double(12.0, 7.0, 3.0, 1.0, 0.4, 0.1, 0.0))
    alpha, sigma = forward.alpha(grid), forward.sigma(grid)
    steps = run(name, MIXTURE.denoiser(forward), forward, grid, seeded(range(4)))
    start = run_from(name, exploding, sigma / alpha, sigma[0] / alpha[0] * noise(4, 2))
    for step, expected, a in zip(steps, start, alpha[1:], strict=True):
        assert torch.allclose(step.x / a, expected.x, atol=1e-9)


def run_from(name: str, process: Process, grid: Tensor, x: Tensor) -> list[Step]:
    return list(SAMPLERS[name](MIXTURE.denoiser(process), x, grid, process, seeded(range(len(x)))))


@pytest.mark.parametrize("name", SAMPLERS)
def test_asks_no_float64_of_a_device(name: str) -> None:
    """Nor waits for one: time and levels stay on the CPU, and nothing is read back."""
    x = torch.empty(2, 3, 4, 4, device="meta")
    for process in (Process.scaled_linear(), Process.flow()):
        grid = times(process, 4)
        for prediction in PREDICTIONS:
            denoise = denoiser(lambda x, _: x, process, prediction)
            both = pair(denoise, denoise)
            guided = interval(apg(both, 3.0, momentum=-0.5), denoise, process, 0.5, 50.0)
            for guide in (guided, rescaled_cfg(both, 3.0)):
                with WithoutDoubles():
                    steps = list(SAMPLERS[name](guide, x, grid, process, torch.empty_like))
                assert all(step.x.is_meta and step.x.dtype == x.dtype for step in steps)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_point_is_found_in_one_step(name: str) -> None:
    """With one possible picture every step's x̂₀ is right, so that every sampler ends on it."""
    point = GaussianMixture(double(0.3, -2.0)[None], double(0.0), double(1.0))
    for process in PROCESSES.values():
        for n in (1, 2, 7):
            grid = times(process, n, "karras")
            x = run(name, point.denoiser(process), process, grid, seeded(range(4)))[-1].x
            assert torch.allclose(x, double(0.3, -2.0).expand(4, 2), atol=1e-9)


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_image_of_a_batch_is_the_image_alone(name: str) -> None:
    """And a second run is the first: nothing is remembered."""
    process = Process.scaled_linear()
    grid, denoise = times(process, 6, "karras"), MIXTURE.denoiser(process)
    start = noise(3, 2)

    def sample(seeds: list[int], x: Tensor) -> Tensor:
        return list(SAMPLERS[name](denoise, x, grid, process, seeded(seeds)))[-1].x

    batch = sample([7, 8, 9], start)
    assert torch.equal(batch, sample([7, 8, 9], start))
    assert torch.allclose(batch[1:2], sample([8], start[1:2]), atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("name", SAMPLERS)
def test_keeps_the_dtype(name: str, dtype: torch.dtype) -> None:
    process = Process.flow()
    denoise = denoiser(lambda x, _: 0.5 * x, process, "flow")
    x = noise(2, 2).to(dtype)
    for step in SAMPLERS[name](denoise, x, times(process, 5), process, seeded([1, 2])):
        assert (step.x.dtype, step.x0.dtype) == (dtype, dtype)


@pytest.mark.parametrize("name", SAMPLERS)
def test_is_lazy(name: str) -> None:
    """Who stops asking pays for no more steps."""
    process, asked = Process.flow(), []
    denoise = denoiser(lambda x, t: asked.append(t) or x, process, "flow")
    steps = SAMPLERS[name](denoise, noise(2, 2), times(process, 50), process, seeded([1, 2]))
    assert not asked
    next(steps)
    assert len(asked) <= 2


@pytest.mark.parametrize("name", STOCHASTIC)
def test_stochastic_samplers_have_the_datas_distribution(name: str) -> None:
    """Kolmogorov–Smirnov distance in one dimension of 20,000 samples after 80 steps.

    Chance alone stays below 0.014 but for once in a thousand; the bias of 80 steps of first order
    comes on top. Noise that is 15 % too weak is beyond either.
    """
    data = GaussianMixture(double(-1.0, 1.2)[:, None], double(0.6, 0.4), double(0.6, 0.4))
    process, b = Process.edm(), 20_000
    grid = times(process, 80, "karras")

    def cdf(x: float) -> float:
        return 0.6 * norm(-1.0, 0.6).cdf(x) + 0.4 * norm(1.2, 0.4).cdf(x)

    def distance(strength: float) -> float:
        generator = torch.Generator().manual_seed(0)

        def rng(x: Tensor) -> Tensor:
            return strength * torch.randn(x.shape, dtype=x.dtype, generator=generator)

        x = process.sigma(grid[0]) * noise(b, 1)
        for step in SAMPLERS[name](data.denoiser(process), x, grid, process, rng):
            x = step.x
        return kstest(x[:, 0].numpy(), cdf).statistic

    assert distance(1.0) < (0.025 if name in {"ddpm", "euler_ancestral"} else 0.014)
    assert distance(0.85) > 0.03


def test_consistency_sampling_of_a_consistency_function() -> None:
    """For one Gaussian the end of the ODE is known from any x, and LCM keeps its distribution."""
    mean, std, process = 0.7, 0.5, Process.scaled_linear()

    def consistent(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = process.alpha(t), process.sigma(t)
        return mean + std * (x - alpha * mean) / (alpha**2 * std**2 + sigma**2).sqrt()

    generator = torch.Generator().manual_seed(1)

    def rng(x: Tensor) -> Tensor:
        return torch.randn(x.shape, dtype=x.dtype, generator=generator)

    grid = times(process, 4, "trailing")
    x = process.diffuse(mean + std * noise(20_000, 1), noise(20_000, 1, seed=2), grid[0])
    for step in SAMPLERS["lcm"](consistent, x, grid, process, rng):
        x = step.x
    assert kstest(x[:, 0].numpy(), norm(mean, std).cdf).statistic < 0.014


def test_the_same_step_by_many_names() -> None:
    """DDIM with η = 1 is DDPM and Euler ancestral, and with η = 0 Euler, on every process."""
    for process in PROCESSES.values():
        grid, denoise = times(process, 9, "karras"), MIXTURE.denoiser(process)

        def end(
            name: str, rng: Noise, process=process, grid=grid, denoise=denoise, **options: float
        ):
            return run(name, denoise, process, grid, rng, **options)[-1].x

        posterior = end("ddim", seeded(range(4)), eta=1.0)
        assert torch.equal(posterior, end("ddpm", seeded(range(4))))
        assert torch.equal(posterior, end("euler_ancestral", seeded(range(4))))
        assert torch.allclose(end("ddim", silence), end("euler", silence), atol=1e-9)
