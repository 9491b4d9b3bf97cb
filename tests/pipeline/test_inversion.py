"""Inversion against data whose perfect denoiser is known, and edits that keep what they should."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mixture import MIXTURE, PROCESSES, double, silence, solve
from torch import Tensor

from mezzotint.diffusion import Denoiser, denoiser, times
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.errors import InputError
from mezzotint.families.base import Canvas, Model
from mezzotint.pipeline.inversion import aligned, inverted, kept
from mezzotint.pipeline.words import Reading, read

CANVAS = Canvas(32, 32)
FOX, APPLE = "a fox in the snow", "a red apple in the snow"


def last(steps) -> Tensor:
    *_, step = steps
    return step.x


@pytest.mark.parametrize("name", ["scaled_linear", "cosine", "edm", "flow"])
def test_a_sample_comes_back(name: str) -> None:
    process = PROCESSES[name]
    denoise = MIXTURE.denoiser(process)
    grid, x = times(process, 40, "karras"), MIXTURE.sample(16, torch.Generator().manual_seed(0))

    def error(rounds: int) -> float:
        noise = last(inverted(denoise, x, grid, process, rounds))
        back = last(SAMPLERS["ddim"](denoise, noise, grid, process, silence))
        return (back - x).abs().max().item()

    assert error(40) < 1e-6
    assert error(1) > 1e-3  # plain inversion is another thing
    assert error(4) < error(1) / 10


@pytest.mark.parametrize("name", ["cosine", "edm", "flow"])
@pytest.mark.parametrize("rounds", [1, 4])
def test_its_error_falls_with_the_step(name: str, rounds: int) -> None:
    """To the solution of the ODE, in proportion."""
    process = PROCESSES[name]
    denoise, x = MIXTURE.denoiser(process), MIXTURE.sample(8, torch.Generator().manual_seed(1))
    ends = [process.time_of(double(ratio))[0] for ratio in (8.0, 0.2)]
    exact = solve(process, x, ends[1], ends[0])
    errors: list[float] = []
    for n in (64, 128):
        levels = torch.linspace(1, 0, n + 1, dtype=torch.float64)
        grid = process.time_of(torch.lerp(double(0.2).log(), double(8.0).log(), levels).exp())
        errors.append(
            (last(inverted(denoise, x, grid, process, rounds)) - exact).abs().max().item()
        )
    assert 1.7 < errors[0] / errors[1] < 2.4


def prompted(model: Model, reading: Reading) -> Denoiser:
    network = model.network_for(reading.told)
    return denoiser(network, model.family.process, model.family.prediction)


@pytest.fixture(scope="module")
def grid(tiny_model: Model) -> Tensor:
    return times(tiny_model.family.process, 6)


@pytest.fixture(scope="module")
def noise() -> Tensor:
    return torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def plain(model: Model, noise: Tensor, reading: Reading, grid: Tensor) -> Tensor:
    with torch.no_grad():
        process = model.family.process
        return last(SAMPLERS["ddim"](prompted(model, reading), noise, grid, process, silence))


def edited(
    model: Model, noise: Tensor, prompts: list[str], grid: Tensor, cfg: float, **options
) -> Tensor:
    with torch.no_grad():
        return last(kept(model, noise, *read(model, prompts, CANVAS), grid, cfg, **options))


def test_the_same_prompt_gives_the_picture_back(
    tiny_model: Model, noise: Tensor, grid: Tensor
) -> None:
    """At every guidance, as nothing is to be guided to; and not of another prompt."""
    process = tiny_model.family.process
    (reading,) = read(tiny_model, [FOX], CANVAS)
    picture = plain(tiny_model, noise, reading, grid)
    with torch.no_grad():
        back = last(inverted(prompted(tiny_model, reading), picture, grid, process, 10))
    scale = picture.std()
    for cfg in (1.0, 4.0):
        same = edited(tiny_model, back, [FOX, FOX], grid, cfg, keep=1.0)
        assert (same - picture).square().mean().sqrt() < 1e-3 * scale  # 60 dB
    other = edited(tiny_model, back, [FOX, APPLE], grid, 4.0, keep=1.0)
    assert (other - picture).square().mean().sqrt() > 1e-2 * scale


def test_nothing_kept_is_the_target_alone(tiny_model: Model, noise: Tensor, grid: Tensor) -> None:
    _, target = read(tiny_model, [FOX, APPLE], CANVAS)
    alone = plain(tiny_model, noise, target, grid)
    found = edited(tiny_model, noise, [FOX, APPLE], grid, 1.0, keep=0.0)
    torch.testing.assert_close(found, alone, rtol=1e-3, atol=1e-3)
    keeping = edited(tiny_model, noise, [FOX, APPLE], grid, 1.0, keep=1.0)
    assert (keeping - alone).norm() > 100 * (found - alone).norm()


def test_what_lies_outside_stays(tiny_model: Model, noise: Tensor, grid: Tensor) -> None:
    source, _ = read(tiny_model, [FOX, APPLE], CANVAS)
    within = torch.zeros(1, 1, 8, 8)
    within[..., :4] = 1
    found = edited(tiny_model, noise, [FOX, APPLE], grid, 4.0, within=within)
    before = plain(tiny_model, noise, source, grid)
    torch.testing.assert_close(found[..., 4:], before[..., 4:], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(found[..., :4], before[..., :4], atol=1e-2)


def test_keeping_ends_with_its_share(tiny_model: Model, noise: Tensor, grid: Tensor) -> None:
    """And the network is left as it was; adapters are told how far it is."""
    told: list[float] = []
    readings = read(tiny_model, [FOX, APPLE], CANVAS)
    runs = {}
    with torch.no_grad():
        for keep in (0.5, 0.51, 1.0):
            steps = kept(tiny_model, noise, *readings, grid, 2.0, keep, at=told.append)
            runs[keep] = [step.x for step in steps]
    assert told[:6] == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])
    same = [torch.equal(a, b) for a, b in zip(runs[0.51], runs[1.0], strict=True)]
    assert same == [False] * 6 or same[:2] == [True] * 2  # self-attention ends sooner
    assert not any(module._forward_hooks for module in tiny_model.network.modules())


@pytest.mark.parametrize("keep", [-0.1, 1.5, float("nan")])
def test_shares_are_shares(tiny_model: Model, noise: Tensor, grid: Tensor, keep: float) -> None:
    with pytest.raises(InputError, match=r"keep .*: give a number from 0"):
        edited(tiny_model, noise, [FOX, APPLE], grid, 1.0, keep=keep)


WORDS = st.lists(st.sampled_from(["a", "fox", "red", "apple", "night", "snow"]), max_size=5)


@settings(max_examples=20)
@given(one=WORDS, other=WORDS)
def test_alignment_spreads_what_there_is(
    tiny_model: Model, one: list[str], other: list[str]
) -> None:
    source, target = read(tiny_model, [" ".join(one), " ".join(other)], CANVAS)
    moved, own = aligned(source, target)
    given_out, taken = moved.sum(1), moved.sum(0)
    assert (moved >= 0).all()
    assert ((given_out - 1).abs().minimum(given_out) < 1e-5).all()  # all of it, or none
    assert torch.equal(own == 1, taken == 0)  # what takes over nothing has its own
    if one == other:
        assert torch.equal(moved, torch.eye(len(own)))


def test_words_stay_with_themselves(tiny_model: Model) -> None:
    source, target = read(tiny_model, ["a fox at night", "a red fox in snow at night"], CANVAS)
    moved, own = aligned(source, target)
    for word in ("fox", "night"):
        assert moved[source.of(word)][:, target.of(word)].sum() == len(source.of(word))
    assert (own[target.of("red")] == 1).all()
    (swapped,) = read(tiny_model, ["a apple at night"], CANVAS)
    moved, _ = aligned(source, swapped)
    taken = moved[source.of("fox")][:, swapped.of("apple")].sum()
    assert taken == pytest.approx(len(source.of("fox")))
