"""Guidance within an interval: only there is the negative prompt asked."""

from dataclasses import replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from mezzotint.diffusion import times
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.families.base import Conditioning
from mezzotint.pipeline.conditioning import Told
from mezzotint.pipeline.guided import Asked, guided
from mezzotint.pipeline.pipeline import Pipeline

FOX = "a fox in the snow at night"


class Rows:
    """The eager engine, which notes at which time how many rows the network gets."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []

    def __call__(self, run, /, *inputs: Tensor, **named):
        if run.__class__.__name__ == "UNet":
            self.seen.append((float(inputs[1][0]), len(inputs[0])))
        return run(*inputs, **named)


def drawn(pipe: Pipeline, **options) -> tuple[Tensor, list[int]]:
    engine = Rows()
    pipe = Pipeline(replace(pipe.model, engine=engine), pipe.source)
    out = pipe.generate(FOX, **({"seed": 3, "sampler": "euler"} | options))
    return out.latents, [rows for _, rows in engine.seen]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, [2, 2, 2, 2]),
        ({"cfg_interval": None}, [2, 2, 2, 2]),
        ({"cfg_interval": (0, 1)}, [2, 2, 2, 2]),
        ({"cfg_interval": (0.25, 0.75)}, [1, 2, 2, 1]),
        ({"cfg_interval": (0.3, 0.7)}, [1, 1, 2, 1]),
        ({"cfg_interval": (0, 0.1)}, [2, 1, 1, 1]),
        ({"cfg_interval": (0.9, 1)}, [1, 1, 1, 1]),
        ({"cfg_interval": (0.25, 0.75), "cfg": 1}, [1, 1, 1, 1]),
        ({"cfg_interval": (0.25, 0.75), "spacing": "karras", "steps": 8}, [1, 1, 2, 2, 2, 2, 1, 1]),
        ({"cfg_interval": (0.5, 1), "sampler": "heun"}, [1, 1, 1, 2, 2, 2, 2]),
    ],
)
def test_outside_of_the_interval_the_negative_prompt_is_not_asked(tiny: Pipeline, options, rows):
    latents, seen = drawn(tiny, **options)
    assert seen == rows
    throughout, all_rows = drawn(tiny, **(options | {"cfg_interval": None}))
    assert torch.equal(latents, throughout) == (rows == all_rows)


@settings(max_examples=25)
@example(sampler="dpmpp_2s_ancestral", steps=4, start=0, length=6)
@given(
    sampler=st.sampled_from(sorted(SAMPLERS)),
    steps=st.integers(1, 9),
    start=st.integers(0, 9),
    length=st.integers(1, 10),
)
def test_steps_that_begin_in_the_interval_are_guided(tiny: Pipeline, sampler, steps, start, length):
    """With every sampler: also where it looks between two steps, or at the next one's time."""
    shares = start / 10, min(1.0, (start + length) / 10)
    engine = Rows()
    model = replace(tiny.model, engine=engine)
    told = model.encode_prompts([FOX])
    part = Told(1.0, ((steps, told),))
    grid = times(model.family.process, steps)
    denoise = guided(
        model, Asked([part], part, 3.0, None, None, 1.0, interval=shares), grid, lambda _: None
    )
    with torch.no_grad():
        for _ in SAMPLERS[sampler](
            denoise, torch.randn(1, 4, 4, 4), grid, model.family.process, torch.randn_like
        ):
            pass
    for t, rows in engine.seen:
        allowed: set[int] = set()
        for slack in (-1e-3, 1e-3):  # between two steps may be at the next one's time, as rounded
            begun = sum(float(each) * model.family.time_scale >= t - slack for each in grid[:-1])
            allowed.add(1 + (shares[0] <= (begun - 1) / steps < shares[1]))
        assert rows in allowed, (t, rows)


def test_weighted_parts_keep_the_negative_prompt(tiny: Pipeline):
    """Outside they are what a scale of one makes of them."""
    model = tiny.model
    fox, apple, none = (
        Told(weight, ((4, model.encode_prompts([text])),))
        for weight, text in ((0.7, FOX), (0.5, "a red apple"), (1.0, ""))
    )
    grid = times(model.family.process, 4)
    asked = Asked([fox, apple], none, 5.0, None, None, 1.0)
    within = replace(asked, interval=(0.5, 1.0))
    x, early, late = torch.randn(1, 4, 4, 4), grid[0], grid[3]
    with torch.no_grad():
        for t, like in ((early, replace(asked, scale=1.0)), (late, asked)):
            ours = guided(model, within, grid, lambda _: None)(x, t)
            torch.testing.assert_close(ours, guided(model, like, grid, lambda _: None)(x, t))
        weak = guided(model, replace(asked, scale=1.0), grid, lambda _: None)(x, late)
        assert not torch.allclose(ours, weak)


def test_guidance_by_a_picture_ends_as_well(tiny: Pipeline):
    seen: list[int] = []

    class Sees(torch.nn.Module):
        def forward(self, x: Tensor, t: Tensor, context: Tensor, vector: Tensor) -> Tensor:
            seen.append(len(x))
            return x[:, :4] + x[:, 4:]

    network = Sees()
    network.register_parameter("dtype", torch.nn.Parameter(torch.zeros(())))
    model = replace(tiny.model, network=network)
    part = Told(1.0, ((4, Conditioning(torch.zeros(1, 2, 3), None)),))
    grid, beside = times(model.family.process, 4), torch.ones(1, 4, 4, 4)
    asked = Asked([part], part, 5.0, None, beside, 1.5, interval=(0.5, 1.0))
    denoise = guided(model, asked, grid, lambda _: None)
    x = torch.randn(1, 4, 4, 4)
    for t in grid[:-1]:
        denoise(x, t)
    assert seen == [1, 1, 3, 3]
