"""Pictures in and out of an edit: of any size, and never more changed than asked."""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from steered import steered

import mezzotint as mz
from mezzotint.errors import InputError
from mezzotint.models.unet import UNet
from mezzotint.pipeline.editing.pictures import Fit, read
from mezzotint.pipeline.editing.regions import weights
from mezzotint.pipeline.pipeline import Pipeline

FOX = "a fox in the snow at night"
PIXELS = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
PICTURE = Image.fromarray(PIXELS)

sides = st.integers(1, 150)


def picture_of(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8))


def edited(pipe: Pipeline, picture: Image.Image = PICTURE, **options) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = pipe.edit(picture, FOX, **({"seed": 3, "steps": 2, "cfg": 1.0} | options))
    return np.asarray(out.images[0])


@given(width=sides, height=sides)
@settings(max_examples=10)
def test_strength_0_is_the_picture_and_the_result_is_as_large(tiny: Pipeline, width, height):
    picture = picture_of(width, height)
    assert np.array_equal(edited(tiny, picture, strength=0), np.asarray(picture))
    assert edited(tiny, picture, steps=2, strength=0.5).shape == (height, width, 3)


def test_no_strength_is_no_step_and_still_a_stream(tiny: Pipeline):
    (step,) = tiny.stream_edit(PICTURE, FOX, strength=0, batch=2)
    assert (step.index, step.total) == (0, 1)
    assert [np.array_equal(np.asarray(each), PIXELS) for each in step.preview()] == [True, True]


def test_strength_1_is_what_is_drawn_without_the_picture(tiny: Pipeline):
    whole = edited(tiny, strength=1, cfg=3.0, steps=4)
    alone = tiny.generate(FOX, seed=3, steps=4, cfg=3.0, width=48, height=32).images[0]
    assert np.array_equal(whole, np.asarray(alone))
    assert not np.array_equal(edited(tiny, strength=0.75, cfg=3.0, steps=4), whole)


def test_a_changed_picture_follows_a_map(tmp_path: Path):
    """As a new one does: where strength is 1, bit for bit."""
    folder = steered(tmp_path)
    pipe, how = mz.load(folder), {"seed": 3, "steps": 2, "width": 48, "height": 32}
    drawn = {}
    for colour in ("black", "white"):
        shown = Image.new("RGB", (48, 32), colour)
        with pipe.attached(mz.controlnet(f"{folder}#edges", shown)):
            whole, half = (pipe.edit(PICTURE, FOX, strength=s, **how).latents for s in (1, 0.5))
            assert torch.equal(whole, pipe.generate(FOX, **how).latents)
        drawn[colour] = half
    assert not torch.equal(*drawn.values())


def test_a_plain_model_takes_six_tenths_of_the_steps(tiny: Pipeline):
    assert np.array_equal(edited(tiny, steps=5), edited(tiny, steps=5, strength=0.6))


@given(data=st.data(), width=st.integers(1, 90), height=st.integers(1, 90))
@settings(max_examples=15)
def test_what_is_not_masked_is_bit_for_bit_what_it_was(tiny: Pipeline, data, width, height):
    picture, rng = picture_of(width, height), np.random.default_rng(data.draw(st.integers(0, 99)))
    grey = rng.integers(0, 256, (height, width), np.uint8)
    grey[rng.random((height, width)) < data.draw(st.floats(0.0, 0.99))] = 0
    grey[rng.integers(height), rng.integers(width)] = 255
    strength = data.draw(st.sampled_from([0.5, 1.0]))
    found = edited(tiny, picture, mask=Image.fromarray(grey), strength=strength)
    own = np.asarray(picture)
    assert np.array_equal(found[grey == 0], own[grey == 0])
    assert not np.array_equal(found, own)


def test_strength_is_a_share_of_time_where_steps_are_even_in_noise(tiny: Pipeline):
    for strength in (0.3, 0.6, 0.9):
        told = {"steps": 20, "strength": strength, "cfg": 1.0}
        shares = {
            spacing: next(tiny.stream_edit(PICTURE, FOX, spacing=spacing, **told)).t
            for spacing in ("linspace", "karras", "exponential")
        }
        assert all(strength - 0.25 < t <= strength for t in shares.values()), shares


def test_a_source_is_drawn_again_with_its_attention(tiny: Pipeline):
    told = {"source": FOX, "steps": 4, "cfg": 10.0, "keep": 0.2, "mask": mz.box(0, 0, 0.5, 1)}
    with torch.no_grad():
        own = tiny.model.encode_images(torch.tensor(PIXELS).permute(2, 0, 1)[None] / 127.5 - 1)
    same, other = (tiny.edit(PICTURE, prompt, **told) for prompt in (FOX, "a red apple"))
    away = [(each.latents - own)[..., :6].abs().max() for each in (same, other)]
    assert away[0] < away[1] / 3
    assert np.array_equal(np.asarray(other.images[0])[:, 24:], PIXELS[:, 24:])


@pytest.mark.parametrize(
    "prompt", ["a fox AND an owl", "a fox :1.5", "a fox [in:by:0.3] snow", "a [fox|owl]"]
)
def test_a_prompt_that_a_source_cannot_be_compared_with_is_refused(tiny: Pipeline, prompt: str):
    with pytest.raises(InputError, match=rf"prompt {re.escape(repr(prompt))}: with source it says"):
        tiny.stream_edit(PICTURE, prompt, source=FOX)
    assert tiny.stream_edit(PICTURE, prompt, source=FOX, dialect="diffusers")
    assert tiny.stream_edit(PICTURE, prompt)


def test_a_distilled_network_is_told_one_guidance_all_the_way(tiny: Pipeline):
    torch.manual_seed(0)
    network = UNet(replace(tiny.model.network.params, guided=True)).eval()
    family = replace(tiny.model.family, guidance=3.0)
    model = replace(tiny.model, network=network, family=family)
    heard: list[float] = []
    network.register_forward_pre_hook(lambda _, args: heard.extend(args[4].tolist()))
    for guidance in (None, 7.0):
        heard.clear()
        Pipeline(model, "tiny").edit(PICTURE, "an owl", source=FOX, steps=2, guidance=guidance)
        assert len(heard) > 8
        assert len(set(heard)) == 1
    assert heard[0] == 7.0


def test_what_was_done_is_in_the_picture_and_inspected(tiny: Pipeline, tmp_path, capsys):
    from mezzotint.cli.inspect import inspect

    out = tiny.edit(PICTURE, FOX, mask=mz.box(0, 0, 0.5, 1), strength=0.5, passes=2, steps=4)
    out.images[0].save(tmp_path / "a.png")
    inspect(tmp_path / "a.png")
    said = "the picture that it began with (denoising strength 0.5, mask box:0,0,0.5,1, passes 2)"
    assert f"# cannot be matched: {said}" in capsys.readouterr().out


def test_a_white_mask_is_no_mask_but_for_the_noise_it_begins_with(tiny: Pipeline):
    white = Image.new("L", PICTURE.size, 255)
    assert np.array_equal(edited(tiny, mask=white), edited(tiny, strength=1))
    assert np.array_equal(edited(tiny, mask=white, strength=0.5), edited(tiny, strength=0.5))


def test_a_box_is_its_picture(tiny: Pipeline):
    mask = Image.new("L", PICTURE.size)
    mask.paste(255, (12, 8, 24, 24))
    painted = edited(tiny, mask=mask)
    assert np.array_equal(painted, edited(tiny, mask=mz.box(12, 8, 24, 24)))
    assert np.array_equal(painted, edited(tiny, mask=mz.box(0.25, 0.25, 0.5, 0.75)))
    assert not np.array_equal(painted, edited(tiny, mask=mz.box(12, 8, 26, 24)))


def test_a_word_is_where_it_is_seen(tiny: Pipeline, monkeypatch):
    from mezzotint.pipeline.editing import edit

    asked = []

    def seen(model, latents, prompt, word, dialect):
        asked.append((tuple(latents.shape), prompt, word))
        mask = torch.zeros(1, 1, 32, 48)
        mask[..., 8:24, 12:24] = 1
        return mask

    monkeypatch.setattr(edit, "word_mask", seen)
    painted = edited(tiny, picture_of(46, 31), mask=mz.word("snow"))
    assert np.array_equal(painted, edited(tiny, picture_of(46, 31), mask=mz.box(12, 8, 24, 24)))
    assert asked == [((1, 4, 8, 12), FOX, "snow")]


def test_weights_stay_within_the_mask_and_reach_1():
    own = torch.ones(1, 1, 12, 40)
    own[..., 4:5, 3] = own[..., 2:9, 10:30] = 0
    weight = weights(own, 1 - own, 3)
    assert not weight[own == 1].any()
    assert (weight[own == 0] > 0).all()
    assert weight[0, 0, 5, 10:16].tolist() == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    thin = 1 - torch.eye(9)[None, None]
    assert torch.equal(weights(thin, 1 - thin, 3), 1 - thin)  # no room for an edge


@given(width=st.integers(1, 9000), height=st.integers(1, 3000))
@settings(max_examples=200)
def test_a_fit_is_within_the_family_s_range_and_resizes_only_if_it_must(tiny_model, width, height):
    family = tiny_model.family
    fit = Fit.of((width, height), family)
    for side, scaled, padded in zip(fit.own, fit.scaled, fit.padded, strict=True):
        assert family.smallest <= padded <= family.largest
        assert padded % family.multiple == 0
        assert scaled <= padded
        if all(family.smallest <= each <= family.largest for each in fit.own):
            assert scaled == side
            assert padded - side < family.multiple


def test_a_picture_comes_back_from_its_fit(tiny_model):
    picture = picture_of(45, 31)
    fit = Fit.of(picture.size, tiny_model.family)
    image = fit.image(picture)
    assert image.shape == (1, 3, 32, 48)
    assert torch.equal(image[..., 45:], image[..., [43, 42, 41]])  # mirrored
    assert np.array_equal(np.asarray(fit.picture(image)), np.asarray(picture))
    mask = torch.rand(1, 1, 31, 45)
    assert torch.equal(fit.grey(fit.mask(mask)), mask)


def test_what_is_drawn_smaller_is_said(tiny: Pipeline):
    with pytest.warns(UserWarning, match="100x60 and tiny draws up to 64.*drawn at 64x38"):
        tiny.edit(picture_of(100, 60), FOX, steps=1, strength=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny.edit(picture_of(5, 7), FOX, steps=1, strength=1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK", "PA"])
def test_pictures_of_every_mode(tiny: Pipeline, mode: str):
    picture = PICTURE.convert("RGBA").convert(mode) if mode != "PA" else PICTURE.convert("P")
    assert edited(tiny, picture).shape == (32, 48, 3)


def test_what_is_transparent_is_white(tiny: Pipeline):
    clear = PICTURE.convert("RGBA")
    clear.putalpha(Image.fromarray(np.repeat(np.uint8([[0], [255]]), 16, 0).repeat(48, 1)))
    found = edited(tiny, clear, strength=0)
    assert (found[:16] == 255).all()
    assert np.array_equal(found[16:], PIXELS[16:])


def test_pictures_are_turned_upright(tiny: Pipeline, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    PICTURE.save(tmp_path / "a.png", exif=exif)
    found = edited(tiny, tmp_path / "a.png", strength=0)
    assert np.array_equal(found, np.rot90(PIXELS, -1))


def test_pictures_that_cannot_be_edited_are_refused_in_one_line(tmp_path):
    Image.new("L", (8000, 5000)).save(tmp_path / "large.png")
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    whole = (tmp_path / "a.png", tmp_path / "b.png")
    PICTURE.save(whole[0])
    whole[1].write_bytes(whole[0].read_bytes()[:900])
    (tmp_path / "c.png").write_bytes(b"not a picture")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep.png")
    for name, says in {
        "large.png": "large.png is 8000x5000, 40 megapixels: make it 32 or less",
        "moving.gif": "moving.gif is animated: save one of its 2 frames",
        "b.png": "cannot read picture",
        "c.png": "cannot read picture",
        "none.png": "cannot read picture",
        "deep.png": "8 bits a channel",
    }.items():
        with pytest.raises(InputError, match=re.escape(says)) as error:
            read(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="the picture is 0x3"):
        read(Image.new("RGB", (0, 3)))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"strength": -0.1}, "strength -0.1: give a number from 0"),
        ({"strength": 1.1}, "strength 1.1"),
        ({"strength": float("nan")}, "strength nan"),
        ({"strength": 0.2, "steps": 4}, "strength 0.2 of 4 steps is no step: raise either"),
        ({"mask": Image.new("L", (48, 33), 255)}, "the mask is 48x33, the picture 48x32"),
        ({"mask": Image.new("L", (48, 32))}, "the mask is black all over"),
        ({"mask": Image.new("RGBA", (48, 32))}, "the mask is black all over"),
        ({"mask": "none.png"}, "cannot read picture none.png"),
        ({"mask": mz.box(8, 8, 49, 16)}, "box:8,8,49,16 reaches outside of the picture, which is"),
        ({"mask": mz.box(0.5, 0.5, 0.501, 1)}, "has no pixel of the picture"),
        ({"passes": 0}, "passes 0: give a whole number from 1 to 20"),
        ({"passes": 1.5}, "passes 1.5"),
        ({"keep": 2.0}, "keep 2.0"),
        ({"instruct": True}, "tiny is tiny, which is told what the result shows"),
        ({"image_cfg": 1.5}, "image_cfg 1.5: not for tiny, leave it out"),
        ({"expand": -1}, "expand -1"),
        ({"expand": 0}, "expand 0: it adds nothing"),
        ({"expand": (0, 0.001, 0, 0)}, "it adds nothing"),
        ({"expand": (1, 2, 3)}, "one number or left, top, right, bottom, not 3"),
        ({"expand": float("inf")}, "expand inf"),
        ({"expand": 9000}, "megapixels, stay within 32"),
        ({"expand": 8, "mask": mz.box(0, 0, 1, 1)}, "expand and mask: one at a time"),
        ({"expand": 8, "source": "a fox"}, "expand and source: one at a time"),
        ({"expand": 8, "width": 64}, "leave out width"),
        ({"expand": 8, "strength": 0}, "strength 0: what expand adds"),
        ({"source": "a fox", "sampler": "heun"}, "sampler 'heun': source is drawn again with ddim"),
        ({"source": "a fox", "passes": 2}, "passes 2: not with source"),
        ({"source": "a fox", "cfg_interval": (0.1, 0.5)}, "cfg_interval: source is guided through"),
        ({"source": "a fox", "negative": "fog"}, "negative: source is what is guided away from"),
        ({"source": "a fox", "prompts": {"text": "an owl"}}, "prompts: source says one text"),
        ({"source": "a fox", "clip_skip": 2}, "clip_skip: source is read by the layer"),
        (
            {"source": "a fox AND an owl"},
            "source 'a fox AND an owl': with source it says one thing",
        ),
        ({"source": "a fox [by day:0.5]"}, "source 'a fox [by day:0.5]'"),
        ({"source": "a fox", "dialect": "x"}, "unknown dialect 'x'"),
        ({"width": 33}, "width 33"),
    ],
)
def test_bad_input_is_one_line(tiny: Pipeline, options, says: str):
    with pytest.raises(InputError, match=re.escape(says)) as error:
        tiny.stream_edit(PICTURE, FOX, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "four", [(0.5, 0, 0.5, 1), (0.5, 0, 0.2, 1), (-0.1, 0, 1, 1), (0, float("nan"), 1, 1)]
)
def test_a_box_that_is_none_is_refused_when_it_is_made(four):
    with pytest.raises(InputError, match="give left < right"):
        mz.box(*four)
    with pytest.raises(InputError, match="word: is empty"):
        mz.word(" ")
