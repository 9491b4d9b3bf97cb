"""The language of prompts reaches the picture."""

import warnings
from dataclasses import replace

import pytest
import torch

from mezzotint.families.base import Canvas
from mezzotint.pipeline.conditioning import encode
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.prompts import DIALECTS, parse

FOX, APPLE = "a fox", "a red apple"


def latents(pipe: Pipeline, prompt: str, **options) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pipe.generate(prompt, seed=1, **options).latents


@pytest.mark.parametrize("dialect", ["mezzotint", "a1111", "comfyui"])
def test_a_weight_of_one_is_no_weight(tiny: Pipeline, dialect: str):
    plain = latents(tiny, FOX)
    assert torch.equal(latents(tiny, FOX, dialect=dialect), plain)
    assert torch.allclose(latents(tiny, "(a fox:1.0)", dialect=dialect), plain, atol=1e-4)
    assert not torch.allclose(latents(tiny, "(a fox:2)", dialect=dialect), plain, atol=1e-3)


def test_weights_mean_what_the_dialect_says(tiny: Pipeline):
    pictures = [latents(tiny, "a (fox:2)", dialect=name) for name in ("a1111", "comfyui")]
    assert not torch.allclose(*pictures, atol=1e-3)
    # without a dialect, brackets are characters
    assert not torch.equal(latents(tiny, "(a fox)", dialect="diffusers"), latents(tiny, FOX))


def test_parts_add_up(tiny: Pipeline):
    """x̂ᵘ + 2·(1 + ½)·(x̂ᶜ − x̂ᵘ) is a guidance of three."""
    both = latents(tiny, f"{FOX} AND {FOX} :0.5", cfg=2.0)
    torch.testing.assert_close(both, latents(tiny, FOX, cfg=3.0), rtol=1e-3, atol=1e-3)
    none = latents(tiny, f"{FOX} AND {APPLE} :0", cfg=2.0)
    torch.testing.assert_close(none, latents(tiny, FOX, cfg=2.0), rtol=1e-3, atol=1e-3)
    other = latents(tiny, f"{FOX} AND {APPLE}", cfg=2.0)
    assert not torch.allclose(other, latents(tiny, FOX, cfg=2.0), atol=1e-2)


def test_a_part_alone_is_guided_by_its_weight(tiny: Pipeline):
    weighed = latents(tiny, f"{FOX} :0.5", cfg=1.0)
    torch.testing.assert_close(weighed, latents(tiny, FOX, cfg=0.5), rtol=1e-3, atol=1e-3)


def test_a_prompt_changes_at_its_step(tiny: Pipeline):
    """And not before, nor after."""
    steps = 4
    runs = {
        prompt: [step.x for step in tiny.stream(prompt, seed=1, steps=steps, sampler="euler")]
        for prompt in (f"[{FOX}:{APPLE}:0.5]", FOX, APPLE)
    }
    changing, fox, _ = runs.values()
    same = [torch.allclose(a, b, atol=1e-6) for a, b in zip(changing, fox, strict=True)]
    assert same == [True, True, False, False]
    for when, prompt in (("0", APPLE), ("1.0", FOX)):
        held = latents(tiny, f"[{FOX}:{APPLE}:{when}]", steps=steps)
        torch.testing.assert_close(held, latents(tiny, prompt, steps=steps))


def test_a_long_prompt_goes_on_in_further_windows(tiny: Pipeline):
    model = tiny.model
    encoder = model.encoders[0]
    frame = replace(encoder.frame, repeats=True)
    model = replace(model, encoders=(replace(encoder, frame=frame),))

    def windows(text: str, dialect: str = "a1111") -> int:
        chunks = parse(text, 1, DIALECTS[dialect]).parts[0].at(1)
        context = encode(model, [chunks], DIALECTS[dialect], Canvas(32, 32)).context
        assert context.shape[1] % frame.whole == 0
        return context.shape[1] // frame.whole

    assert windows(FOX) == 1
    assert windows("snow " * 40) > 1
    assert windows(f"{FOX} BREAK {APPLE}") == 2
    assert windows("snow " * 40, "diffusers") == 1
    # prompts of different lengths do not fit into one batch, and need not
    drawn = replace(tiny, model=model).generate("snow " * 40, negative=FOX, seed=1, steps=1)
    assert torch.isfinite(drawn.latents).all()
