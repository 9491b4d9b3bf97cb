"""A scene's picture: the same bytes for ever, and what the scene says is what is seen."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.world import KINDS, Scene, Thing, render, sample_scene
from mezzotint.world.scene import COLOURS, HOURLESS, HOURS, PLACES, STYLES

pytestmark = pytest.mark.usefixtures("tarball")

SEEDS = st.integers(0, 2**63)


def scene_of(name: str, **changes) -> Scene:
    thing = Thing(name, "large", None, 0.5, 0.85, 0.6)
    return replace(Scene((thing,), "plain", "blue", "day", "clear", "modern", 7), **changes)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@settings(max_examples=30)
@given(SEEDS)
def test_a_seed_is_a_picture(seed: int):
    first = render(sample_scene(seed))
    assert np.array_equal(first, render(sample_scene(seed)))
    assert first.shape == (128, 128, 3)
    assert first.dtype == np.uint8


def test_a_new_process_draws_the_same_bytes():
    code = (
        "import hashlib; from mezzotint.world import *;"
        "scenes = [sample_scene(k) for k in range(40)];"
        "print(hashlib.sha256(b''.join(render(s).tobytes() + caption(s, 3).encode()"
        " for s in reversed(scenes))).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    from mezzotint.world import caption

    scenes = [sample_scene(k) for k in range(40)]
    here = b"".join(render(s).tobytes() + caption(s, 3).encode() for s in reversed(scenes))
    assert digests == {hashlib.sha256(here).hexdigest() + "\n"}


@pytest.mark.parametrize("style", STYLES)
def test_every_object_is_seen_in_every_style(style):
    empty = render(replace(scene_of("fox", style=style), things=()), 64)
    for name in KINDS:
        assert difference(render(scene_of(name, style=style), 64), empty) > 4, name


def test_different_objects_look_different():
    small = np.stack([render(scene_of(name), 32).astype(float).ravel() for name in KINDS])
    squares = (small**2).sum(axis=1)
    distance = squares[:, None] + squares - 2 * small @ small.T
    np.fill_diagonal(distance, np.inf)
    assert np.sqrt(distance.min() / small.shape[1]) > 4


@pytest.mark.parametrize("place", PLACES)
def test_place_hour_and_weather_are_seen(place):
    background = "green" if place == "plain" else None
    scene = scene_of("cat", place=place, background=background)
    others = [render(scene_of("cat", place=p, background="green")) for p in PLACES if p != place]
    assert min(difference(render(scene), other) for other in others) > 8
    hours = [render(replace(scene, hour=hour)) for hour in HOURS]
    if place not in HOURLESS:
        assert min(difference(hours[0], hours[1]), difference(hours[1], hours[2])) > 8
        assert hours[2].mean() < hours[0].mean()
    for weather in ("snowfall", "rain"):
        assert difference(render(replace(scene, weather=weather)), hours[0]) > 1


def test_colours_are_seen():
    for kind in KINDS.values():
        thing = scene_of(kind.name).things[0]
        pictures = [
            render(scene_of(kind.name, things=(replace(thing, colour=colour),)), 48)
            for colour in kind.colours
        ]
        for k, picture in enumerate(pictures):
            assert all(difference(picture, other) > 0.4 for other in pictures[:k]), kind.name


def test_a_red_thing_is_red_and_a_blue_one_blue():
    for name in (kind.name for kind in KINDS.values() if kind.colours == COLOURS):
        base = scene_of(name, background="white")
        red, blue = (
            render(replace(base, things=(replace(base.things[0], colour=colour),))).astype(float)
            for colour in ("red", "blue")
        )
        redder = (red - blue).mean(axis=(0, 1))
        assert redder[0] > 0 > redder[2], name


@settings(max_examples=20)
@given(SEEDS)
def test_the_sampled_position_is_where_the_object_is(seed: int):
    scene = replace(sample_scene(seed), style="modern", weather="clear")
    without = render(replace(scene, things=())).astype(float)
    for thing in scene.things:
        alone = render(replace(scene, things=(thing,))).astype(float)
        weight = np.abs(alone - without).sum(axis=(0, 2)) ** 2
        centre = (weight * (np.arange(128) + 0.5) / 128).sum() / weight.sum()
        # art is not symmetric: a ship's dark hull lies 0.12 from the middle of its box
        assert abs(centre - thing.x) < 0.15


@pytest.mark.parametrize("size", [16, 50, 256])
def test_any_size(size: int):
    assert render(sample_scene(3), size).shape == (size, size, 3)


def test_sizes_agree():
    large = render(scene_of("fox", place="meadow", background=None), 256).astype(float)
    halved = large.reshape(128, 2, 128, 2, 3).mean(axis=(1, 3))
    assert difference(render(scene_of("fox", place="meadow", background=None)), halved) < 4


@pytest.mark.parametrize("size", [0, 15, 1025])
def test_sizes_out_of_range_are_named(size: int):
    with pytest.raises(InputError, match=f"size {size} is not between 16 and 1024"):
        render(sample_scene(0), size)


def test_unknown_object_is_named():
    with pytest.raises(InputError, match="unknown object 'foxx': did you mean 'fox'"):
        render(scene_of("foxx"))
