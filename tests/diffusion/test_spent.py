"""What samplers spend, and one that goes on where another stopped."""

from itertools import pairwise

import pytest
import torch
from mixture import MIXTURE, PROCESSES, noise

from mezzotint.diffusion import times
from mezzotint.diffusion.noise import seeded
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.diffusion.spent import Spent, calls, metered, resumed, steps_within
from mezzotint.errors import InputError

PROCESS = PROCESSES["cosine"]
GRID = times(PROCESS, 8, "karras")
TWICE = ("heun", "dpm2", "dpm2_ancestral", "dpmpp_2s_ancestral", "dpmpp_sde")
# they go by x and t alone, and remember nothing from step to step
FORGETFUL = ("ddpm", "ddim", "euler", "euler_ancestral", "lcm", *TWICE)


def begun():
    """What all of them begin with, made anew: a denoiser, x, and the rest of what they take."""
    return MIXTURE.denoiser(PROCESS), noise(3, 2), GRID, PROCESS, seeded(range(3))


@pytest.mark.parametrize("name", SAMPLERS)
def test_counting_changes_nothing_and_counts_what_is_called(name: str) -> None:
    denoise, x, *rest = begun()
    asked: list[float] = []

    def listening(x, t):
        asked.append(float(t))
        return denoise(x, t)

    spent = Spent()
    told = [(step, spent.calls) for step in metered(SAMPLERS[name], spent)(listening, x, *rest)]
    assert [count for _, count in told] == sorted({count for _, count in told})
    assert spent.calls == len(asked) == calls(SAMPLERS[name], GRID, PROCESS)
    *_, alone = SAMPLERS[name](*begun())
    assert torch.equal(told[-1][0].x, alone.x)


def test_some_look_twice_in_a_step() -> None:
    cost = {name: calls(SAMPLERS[name], GRID, PROCESS) for name in SAMPLERS}
    assert cost["ddim"] == cost["dpmpp_2m"] == cost["unipc"] == 8
    assert {cost[name] for name in TWICE} == {15}  # the last step, to clean data, looks once
    assert cost["pndm"] == 9


@pytest.mark.parametrize("budget", [1, 2, 9, 50])
@pytest.mark.parametrize("name", ["ddim", "heun", "pndm"])
def test_the_most_steps_that_a_budget_allows(name: str, budget: int) -> None:
    def grid(steps: int):
        return times(PROCESS, steps, "karras")

    steps = steps_within(budget, SAMPLERS[name], grid, PROCESS)
    here, more = (calls(SAMPLERS[name], grid(n), PROCESS) for n in (steps, steps + 1))
    assert here <= budget < more
    with pytest.raises(InputError, match="0 calls"):
        steps_within(0, SAMPLERS[name], grid, PROCESS)


@pytest.mark.parametrize("name", FORGETFUL)
@pytest.mark.parametrize("done", [1, 5, 7])
def test_going_on_with_the_same_sampler_is_not_to_have_stopped(name: str, done: int) -> None:
    """Bit for bit, noise and all; a sampler that drew its noise again would be elsewhere."""
    spent = Spent()
    walk, after = metered(SAMPLERS[name], spent)(*begun()), []
    for step in walk:
        after.append((step, spent.draws))
    x, draws = after[done - 1][0].x, after[done - 1][1]
    there = list(resumed(SAMPLERS[name], x, done, draws)(*begun()))
    for step, (whole, _) in zip(there, after[done:], strict=True):
        assert torch.equal(step.x, whole.x)
        assert (step.index, step.total, step.t) == (whole.index, whole.total, whole.t)
    if draws and after[-1][1] > draws:
        *_, again = resumed(SAMPLERS[name], x, done)(*begun())
        assert not torch.equal(again.x, after[-1][0].x)


def test_another_goes_on_to_the_same_end() -> None:
    """Half by one, half by another of the ODE's samplers: nearer to each other the finer."""

    def apart(n: int) -> float:
        denoise, x, _, process, rng = begun()
        grid = times(process, n, "karras")
        *_, whole = SAMPLERS["heun"](denoise, x, grid, process, rng)
        half = list(SAMPLERS["ddim"](denoise, x, grid, process, rng))[n // 2 - 1].x
        *_, end = resumed(SAMPLERS["heun"], half, n // 2)(denoise, x, grid, process, rng)
        return (end.x - whole.x).abs().max().item()

    errors = [apart(n) for n in (16, 32, 64)]
    assert all(fine < coarse / 1.5 for coarse, fine in pairwise(errors))
    assert errors[0] > 1e-4
