"""Pictures that grow: the old pixels stay, and nobody sees where they end."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fields import FACTOR, Field, model
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from steered import steered

import mezzotint as mz
from mezzotint.errors import InputError
from mezzotint.pipeline.drawing import to_picture
from mezzotint.pipeline.editing import edit, outpaint
from mezzotint.pipeline.editing.change import PASSES
from mezzotint.pipeline.editing.outpaint import margins, mirrored, windows
from mezzotint.pipeline.pipeline import Pipeline

SEEDS = range(3)


@pytest.fixture(scope="module")
def smooth(tiny_model) -> Pipeline:
    """Draws random fields that are smooth over six pixels, up to 32 × 32 at once."""
    return Pipeline(model(tiny_model, length=6.0), "field")


def field(pipe: Pipeline, width: int, height: int) -> Image.Image:
    network = pipe.model.network
    assert isinstance(network, Field)
    return to_picture(network.sample(2 * height, 2 * width)[0, :, :height, :width])


def grown(pipe: Pipeline, picture: Image.Image, expand, **options) -> np.ndarray:
    out = pipe.edit(picture, "", expand=expand, **({"seed": 3, "steps": 12, "passes": 1} | options))
    return np.asarray(out.images[0]).astype(float)


sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))


@given(size=sizes, added=st.tuples(*[st.integers(0, 60)] * 4).filter(any), side=st.integers(16, 40))
@settings(max_examples=20)
def test_windows_paint_all_that_is_new_and_each_knows_something(size, added, side):
    left, top, right, bottom = added
    whole = left + size[0] + right, top + size[1] + bottom
    window = min(side, whole[0]), min(side, whole[1])
    known = np.zeros((whole[1], whole[0]), bool)
    known[top : whole[1] - bottom, left : whole[0] - right] = True
    for each in windows(whole, added, window, 2):
        x, y, to_x, to_y = each.place
        assert (to_x - x, to_y - y) == window
        part, mask = known[y:to_y, x:to_x], each.mask[0, 0].numpy() > 0
        assert part.any()
        assert np.array_equal(mask, ~part)
        own = np.zeros_like(known)
        own[top : whole[1] - bottom, left : whole[0] - right] = True
        assert not each.weight[0, 0].numpy()[own[y:to_y, x:to_x]].any()
        part[:] = True
    assert known.all()


@given(size=sizes, expand=st.tuples(*[st.sampled_from([0, 0.3, 1, 7.0, 50])] * 4).filter(any))
@example(size=(1, 5), expand=(0, 0, 0, 50))
@settings(max_examples=10)
def test_the_old_pixels_stay_and_the_size_is_what_was_asked(smooth: Pipeline, size, expand):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    left, top, right, bottom = added = margins([*expand[:3], 2], size)
    found = grown(smooth, Image.fromarray(pixels), [*expand[:3], 2], steps=1)
    assert found.shape == (top + size[1] + bottom, left + size[0] + right, 3)
    assert np.array_equal(found[top : top + size[1], left : left + size[0]], pixels)
    assert added[3] == 2


def across(image: np.ndarray, column: int) -> float:
    """The mean step from one column to the next."""
    return np.abs(image[:, column] - image[:, column - 1]).mean()


def test_seams_are_no_steeper_than_the_rest(smooth: Pipeline):
    """Where old meets new, and where each window meets the next, in 32 + 64 columns."""
    seams, rest = [], []
    for seed in SEEDS:
        image = grown(smooth, field(smooth, 32, 32), (0, 0, 64, 0), seed=seed)
        steps = [across(image, column) for column in range(1, 96)]
        edges = {32, 48, 64, 80}
        seams += [step for column, step in enumerate(steps, 1) if column in edges]
        rest += [step for column, step in enumerate(steps, 1) if column not in edges]
    assert np.mean(seams) < 1.25 * np.mean(rest)
    assert max(seams) < 1.25 * max(rest)


def test_a_seam_is_seen_where_nothing_is_known_and_nothing_blended(smooth, monkeypatch):
    """The measure above tells: independent fields side by side are found out."""
    monkeypatch.setattr(
        edit.regions,
        "in_latents",
        lambda mask, factor: torch.ones_like(mask[..., ::FACTOR, ::FACTOR]),
    )
    monkeypatch.setattr(outpaint, "weights", lambda own, new, feather: new)
    image = grown(smooth, field(smooth, 32, 32), (0, 0, 16, 0))
    steps = [across(image, column) for column in range(1, 48)]
    assert steps[31] > 2 * np.mean(steps[:31])


def test_flat_stays_flat(tiny_model):
    """Of what is grey all over, a model of grey makes more of the same grey."""
    pipe = Pipeline(model(tiny_model, length=1e6), "grey")
    pipe.model.network.std = 1e-4
    found = grown(pipe, Image.new("RGB", (20, 12), (128, 128, 128)), (0.5, 3, 70, 1.0))
    assert np.abs(found - 128).max() <= 1


def test_windows_of_a_batch_go_on_from_their_own_picture(smooth: Pipeline):
    picture, told = field(smooth, 24, 24), {"expand": (0, 0, 30, 0), "steps": 3, "passes": 1}
    batch = smooth.edit(picture, "", seed=7, batch=2, **told)
    for k in range(2):
        alone = smooth.edit(picture, "", seed=7 + k, **told)
        assert np.array_equal(np.asarray(batch.images[k]), np.asarray(alone.images[0]))
    assert not np.array_equal(*map(np.asarray, batch.images))


def test_every_step_shows_the_whole_picture(smooth: Pipeline):
    seen = list(smooth.stream_edit(field(smooth, 24, 24), "", expand=(0, 0, 30, 0), steps=3))
    assert [step.index for step in seen] == list(range(seen[0].total))
    assert seen[0].total == 3 * 3 * PASSES  # windows, steps
    assert {image.size for step in seen for image in step.preview()} == {(54, 24)}


def test_margins_are_shares_up_to_1_and_pixels_above():
    assert margins(0.5, (20, 12)) == (10, 6, 10, 6)
    assert margins(1, (20, 12)) == (20, 12, 20, 12)
    assert margins((0, 3, 0.25, 130), (20, 12)) == (0, 3, 5, 130)
    picture = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    assert mirrored(picture, (3, 0, 0, 1)).size == (5, 3)


def test_strengths_in_between_are_in_between(smooth: Pipeline):
    picture = field(smooth, 32, 32)
    far = [
        np.abs(np.asarray(out.images[0]).astype(float) - picture).mean()
        for out in (
            smooth.edit(picture, "", strength=strength, seed=1, steps=20)
            for strength in (0.05, 0.3, 0.6, 1.0)
        )
    ]
    assert far == sorted(far)
    assert far[0] < far[-1] / 3


@pytest.mark.parametrize("passes", [1, 3])
def test_what_is_painted_goes_on_from_what_is_around_it(smooth: Pipeline, passes: int):
    """A strip in a smooth field, from its edges; a strip of another field does not."""
    picture = field(smooth, 32, 32)
    mask = Image.new("L", (32, 32))
    mask.paste(255, (8, 0, 14, 32))
    own = np.asarray(picture).astype(float)
    steps = {"steps": 12, "passes": passes}
    away = [
        np.abs(np.asarray(out.images[0]) - own)[:, 8:14].mean()
        for out in (
            smooth.edit(picture, "", mask=mask, seed=1, **steps),
            smooth.edit(picture, "", strength=1, seed=1, **steps),
        )
    ]
    assert away[0] < away[1] / 2


def test_a_map_of_the_whole_is_not_put_into_windows(tmp_path: Path):
    """But for one that is the whole."""
    folder = steered(tmp_path)
    pipe, plain = mz.load(folder), {"seed": 1, "steps": 2, "passes": 1}
    small, whole = Image.new("RGB", (16, 32), "red"), Image.new("RGB", (32, 32), "red")
    maps = [Image.new("RGB", (32, 32), colour) for colour in ("black", "white")]
    drawn = []
    for image in maps:
        with pipe.attached(mz.controlnet(f"{folder}#edges", image)):
            drawn.append(pipe.edit(small, "", expand=(0, 0, 16, 0), **plain).latents)
            for expand in ((0, 0, 8, 0), (32, 0, 32, 0)):
                with pytest.raises(InputError, match="expand: a part of the picture is drawn at a"):
                    pipe.edit(whole, "", expand=expand, **plain)
    assert not torch.equal(*drawn)
    assert pipe.edit(whole, "", expand=(0, 0, 8, 0), **plain).images[0].size == (40, 32)
