"""From a prompt to pictures: same seed, same picture, alone or in a batch."""

import socket
import warnings
from dataclasses import asdict

import numpy as np
import pytest
import torch

from mezzotint.diffusion.guidance import cfg
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.diffusion.spent import Spent, metered, resumed
from mezzotint.errors import InputError
from mezzotint.pipeline.metadata import parse, read
from mezzotint.pipeline.pipeline import Pipeline, to_picture

FOX = "a fox in the snow at night"


def pixels(out, k: int = 0) -> np.ndarray:
    return np.asarray(out.images[k])


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_an_image_of_a_batch_is_the_image_made_alone(tiny: Pipeline, sampler: str):
    batch = tiny.generate(FOX, seed=40, batch=3, sampler=sampler)
    for k in range(3):
        alone = tiny.generate(FOX, seed=40 + k, sampler=sampler)
        assert torch.equal(batch.latents[k], alone.latents[0])
        assert np.array_equal(pixels(batch, k), pixels(alone))
        assert batch.images[k].info == alone.images[0].info
    assert not np.array_equal(pixels(batch, 0), pixels(batch, 1))


def test_everything_asked_for_is_heard(tiny: Pipeline):
    asked = {"seed": 3, "steps": 3, "sampler": "euler", "spacing": "linspace"}
    picture = pixels(tiny.generate(FOX, **asked))
    assert np.array_equal(picture, pixels(tiny.generate(FOX, **asked)))
    for change in [
        {"seed": 4},
        {"steps": 4},
        {"cfg": 5.0},
        {"sampler": "heun"},
        {"spacing": "karras"},
        {"negative": "a red apple"},
        {"width": 48},
    ]:
        other = pixels(tiny.generate(FOX, **{**asked, **change}))
        assert not np.array_equal(picture, other), change
    assert not np.array_equal(picture, pixels(tiny.generate("a red apple", **asked)))


def test_without_guidance_the_negative_prompt_does_not_matter(tiny: Pipeline):
    one, two = (tiny.generate(FOX, seed=1, cfg=1, negative=n) for n in ("", "a red apple"))
    assert torch.equal(one.latents, two.latents)
    # and skipping the second prompt is what a scale of one means
    near = tiny.generate(FOX, seed=1, cfg=1 + 1e-6, negative="a red apple")
    torch.testing.assert_close(one.latents, near.latents, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("width", "height"), [(16, 64), (64, 16), (20, 28)])
def test_pictures_have_the_size_asked_for(tiny: Pipeline, width: int, height: int):
    out = tiny.generate(FOX, width=width, height=height, batch=2)
    assert [image.size for image in out.images] == [(width, height)] * 2
    factor = tiny.model.factor
    assert out.latents.shape == (2, 4, height // factor, width // factor)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_pipeline_is_a_generator(tiny: Pipeline, steps: int):
    seen = list(tiny.stream(FOX, seed=5, steps=steps, batch=2))
    assert [step.index for step in seen] == list(range(steps))
    assert {step.total for step in seen} == {steps}
    assert all(step.x.shape == step.x0.shape == seen[0].x.shape for step in seen)
    assert all(image.size == (32, 32) for step in seen for image in step.preview())
    whole = tiny.generate(FOX, seed=5, steps=steps, batch=2)
    assert torch.equal(seen[-1].output().latents, whole.latents)
    assert np.array_equal(pixels(seen[-1].output(), 1), pixels(whole, 1))


def test_a_stream_may_be_left_and_leaves_nothing_behind(tiny: Pipeline):
    state = torch.get_rng_state()
    stream = tiny.stream(FOX, seed=5)
    next(stream)
    assert torch.is_grad_enabled()
    stream.close()
    assert torch.equal(state, torch.get_rng_state())


def test_a_stream_refuses_at_once(tiny: Pipeline):
    with pytest.raises(InputError, match="steps 0"):
        tiny.stream(FOX, steps=0)


def test_a_drawing_may_be_handed_from_one_sampler_to_another(tiny: Pipeline):
    asked = {"seed": 5, "steps": 6}
    spent, begun = Spent(), []
    for step in tiny.stream_by(FOX, metered(SAMPLERS["ddpm"], spent), **asked):
        begun.append((step, spent.draws))
    whole = begun[-1][0]
    step, draws = begun[2]
    *_, again = tiny.stream_by(FOX, resumed(SAMPLERS["ddpm"], step.x, 3, draws), **asked)
    *_, other = tiny.stream_by(FOX, resumed(SAMPLERS["heun"], step.x, 3, draws), **asked)
    assert torch.equal(again.x, whole.x)
    assert (other.index, other.total) == (whole.index, whole.total) == (5, 6)
    assert not torch.allclose(other.x, whole.x)
    assert torch.equal(whole.x, tiny.generate(FOX, sampler="ddpm", **asked).latents)


@pytest.mark.parametrize("scale", [0, 1, 3.5])
def test_guidance_of_ones_own_sees_both_predictions(tiny: Pipeline, scale: float):
    asked = {"seed": 5, "steps": 3, "cfg": scale, "sampler": "ddim", "negative": "an apple"}
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def watched(predict, scale):
        def told(x, t):
            seen.append(predict(x, t))
            return seen[-1]

        return cfg(told, scale)

    steps = list(tiny.stream_by(FOX, guide=watched, **asked))
    for step, (cond, uncond) in zip(steps, seen, strict=True):
        torch.testing.assert_close(step.x0, uncond + scale * (cond - uncond))
        assert not torch.allclose(cond, uncond)
    # a scale of one asks for one prompt alone, and so rounds otherwise
    same = tiny.generate(FOX, **asked).latents
    torch.testing.assert_close(steps[-1].x, same, rtol=1e-4, atol=1e-4)


def test_a_picture_keeps_its_recipe_when_it_is_saved(tiny: Pipeline, tmp_path):
    image = tiny.generate("🦊", seed=5, steps=1).images[0]
    image.save(tmp_path / "fox.png")
    assert read(tmp_path / "fox.png") == parse(image.info["parameters"])
    image.save(tmp_path / "fox.jpg")  # which has no place for it, and is no error


def test_the_recipe_in_a_picture_makes_it_again(tiny: Pipeline):
    out = tiny.generate(FOX, negative="an apple", cfg=2.5, width=48, batch=2, cfg_interval=(0, 0.6))
    assert not torch.equal(out.latents[0], out.latents[1])  # a random seed, and the next
    for image in out.images:
        recipe = asdict(parse(image.info["parameters"]))
        assert (recipe.pop("model"), recipe.pop("model_hash")) == ("tiny", "0123456789")
        recipe.pop("version")
        assert (recipe.pop("place"), recipe.pop("adapters")) == (0, ())
        assert (recipe.pop("dtype"), recipe.pop("engine")) == ("fp32", "eager")
        assert np.array_equal(np.asarray(image), pixels(tiny.generate(**recipe)))


@pytest.mark.parametrize(
    "prompt", ["", "🦊🌨️🌃", "ثعلب في الثلج", "שועל בשלג", "a\nb\t\r", "<end>" * 3]
)
def test_prompts_of_every_script_draw_something(tiny: Pipeline, prompt: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = tiny.generate(prompt, seed=1, steps=2)
    assert torch.isfinite(out.latents).all()
    assert parse(out.images[0].info["parameters"]).prompt == prompt


def test_what_is_cut_off_is_said(tiny: Pipeline):
    words = "snow " * 10_000 + "and then the end"
    with pytest.warns(UserWarning, match="prompt is too long for tiny") as caught:
        cut = tiny.generate(words, seed=1)
    assert len(caught) == 1
    assert len(str(caught[0].message)) < 200
    assert "\n" not in str(caught[0].message)
    with pytest.warns(UserWarning, match="negative"):
        tiny.generate("snow", negative=words, seed=1)
    # what is said to be left out is: other words there change nothing
    with pytest.warns(UserWarning, match="too long"):
        same = tiny.generate(words + " another end", seed=1)
    assert torch.equal(cut.latents, same.latents)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny.generate(FOX, seed=1, steps=1)


def test_the_network_is_out_of_reach_of_every_test():
    with pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 443), timeout=1)


def test_every_level_of_grey_is_its_own_pixel():
    levels = torch.arange(256.0).div(127.5).sub(1).expand(3, 1, 256)
    picture = np.asarray(to_picture(levels))
    assert np.array_equal(picture[0, :, 0], np.arange(256))
