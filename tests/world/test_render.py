"""A scene's picture: the same bytes for ever, and what the scene says is what is seen."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.world.figures import drawings
from mezzotint.world.layout import WATERLINE, box, hat_spot
from mezzotint.world.render import render
from mezzotint.world.scene import (
    COLOURS,
    HOURLESS,
    HOURS,
    OUTDOORS,
    PLACES,
    SEASONAL,
    SEASONS,
    STYLES,
    WEATHERS,
    Scene,
    Spot,
    Thing,
)
from mezzotint.world.things import CORE, KINDS

pytestmark = pytest.mark.usefixtures("tarball")


def thing(name="fox", x=0.5, y=0.9, height=0.5, colour=None, hat=None) -> Thing:
    return Thing(name, "large", colour, hat, (Spot(x, y, height),))


def scene_of(*things: Thing, **changes) -> Scene:
    scene = Scene(things, None, "meadow", None, "summer", "day", "clear", "storybook", 7)
    changes.setdefault("background", "green" if changes.get("place") == "plain" else None)
    return replace(scene, **changes)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def mask(scene: Scene, size: int = 96) -> np.ndarray:
    """Where the things of a scene change its picture."""
    empty = render(replace(scene, things=()), size).astype(float)
    return np.abs(render(scene, size) - empty).max(axis=2) > 12


SCENES = st.builds(
    scene_of,
    st.builds(
        thing, st.sampled_from(CORE), st.floats(0.3, 0.7), st.floats(0.8, 0.95), st.floats(0.2, 0.7)
    ),
    place=st.sampled_from(PLACES),
    season=st.sampled_from(SEASONS),
    hour=st.sampled_from(HOURS),
    weather=st.sampled_from(WEATHERS),
    style=st.sampled_from(STYLES),
    variant=st.integers(0, 2**31),
)


@settings(max_examples=60, deadline=None)
@given(SCENES)
def test_any_scene_is_a_picture_and_the_same_again(scene):
    scene = replace(scene, background="green" if scene.place == "plain" else None)
    first = render(scene, 64)
    assert np.array_equal(first, render(scene, 64))
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    assert first.std() > 2


def test_a_new_process_draws_the_same_bytes():
    scenes = [
        scene_of(thing("cat"), place=place, style=style, hour=hour)
        for place, style, hour in zip(PLACES[:16], STYLES * 2, HOURS * 4, strict=False)
    ]
    here = hashlib.sha256(b"".join(render(scene, 64).tobytes() for scene in scenes)).hexdigest()
    code = (
        "import hashlib; from mezzotint.world.render import render;"
        "from mezzotint.world.scene import *;"
        f"scenes = {scenes!r};"
        "print(hashlib.sha256(b''.join(render(s, 64).tobytes() for s in scenes)).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "3"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert there == here + "\n"


def test_every_object_is_seen():
    empty = render(scene_of(place="plain"), 32)
    for name in KINDS:
        assert difference(render(scene_of(thing(name), place="plain"), 32), empty) > 1, name


def test_core_objects_look_different():
    small = np.stack(
        [render(scene_of(thing(name), place="plain"), 32).astype(float).ravel() for name in CORE]
    )
    squares = (small**2).sum(axis=1)
    distance = squares[:, None] + squares - 2 * small @ small.T
    np.fill_diagonal(distance, np.inf)
    assert np.sqrt(distance.min() / small.shape[1]) > 4


def test_places_hours_seasons_and_weathers_are_told_apart():
    def least(scenes: list[Scene]) -> float:
        pictures = [render(scene, 64) for scene in scenes]
        return min(difference(a, b) for a, b in combinations(pictures, 2))

    assert least([scene_of(place=place) for place in PLACES]) > 8
    for place in OUTDOORS:
        assert least([scene_of(place=place, hour=hour) for hour in HOURS]) > 12, place
        assert least([scene_of(place=place, weather=weather) for weather in WEATHERS]) > 4, place
    for place in SEASONAL:
        assert least([scene_of(place=place, season=season) for season in SEASONS]) > 4, place
    # the control: places without hours do not change with them
    assert least([scene_of(place=HOURLESS[0], hour=hour) for hour in HOURS]) == 0


@pytest.mark.parametrize("place", OUTDOORS)
def test_night_is_dark_and_golden_hour_warm(place):
    day, golden, night = (
        render(scene_of(place=place, hour=hour), 64).astype(float).mean(axis=(0, 1))
        for hour in ("day", "golden hour", "night")
    )
    assert night.mean() < 0.75 * day.mean()
    assert golden[0] - golden[2] > day[0] - day[2] + 20
    assert night[2] > night[0]


def test_the_season_leaves_the_sky_as_it_is_and_the_hour_the_land():
    summer, winter = (render(scene_of(place="farm", season=s), 128) for s in ("summer", "winter"))
    assert np.array_equal(summer[:38], winter[:38])
    assert difference(summer[90:], winter[90:]) > 40

    def contours(**changes):
        picture = (
            render(scene_of(place="mountains", **changes), 128)[45:].astype(float).mean(axis=2)
        )
        return np.abs(np.diff(picture, axis=1)).ravel()

    day = contours()
    assert np.corrcoef(day, contours(hour="dawn"))[0, 1] > 0.7
    assert np.corrcoef(day, contours(variant=8))[0, 1] < 0.4  # the control: another land


def test_a_thing_is_where_its_box_is():
    for name in CORE[::9]:
        scene = scene_of(thing(name, 0.6, 0.9, 0.4), place="plain")
        left, top, right, bottom = box(name, scene.things[0].spots[0])
        rows, columns = np.nonzero(mask(scene))
        seen = np.array((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)) / 96
        halo = 0.14  # reaches a little beyond the art
        assert np.all(seen[:2] <= np.clip((left + 0.05, top + 0.05), 0, 1))
        assert np.all(seen[:2] >= np.clip((left - halo, top - halo), 0, 1) - 0.02)
        assert np.all(seen[2:] <= np.clip((right + halo, bottom + halo), 0, 1) + 0.02)
        assert np.all(seen[2:] >= np.clip((right - 0.05, bottom - 0.05), 0, 1))


def test_colours_are_seen():
    for name in CORE:
        pictures = [
            render(scene_of(thing(name, colour=colour), place="plain"), 40)
            for colour in KINDS[name].colours
        ]
        for a, b in combinations(pictures, 2):
            assert difference(a, b) > 0.3, name


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("hour", ["day", "night"])
def test_a_thing_keeps_its_hue_in_every_style_and_light(style, hour):
    base = scene_of(thing("balloon", height=0.6), style=style, hour=hour)
    where = mask(base, 64)
    hue = {}
    for colour in ("red", "blue", "green"):
        scene = replace(base, things=(thing("balloon", height=0.6, colour=colour),))
        hue[colour] = render(scene, 64)[where].astype(float).mean(axis=0)
    for k, colour in enumerate(("red", "green", "blue")):
        others = [hue[other][k] for other in hue if other != colour]
        assert hue[colour][k] > max(others) + 8


def test_drawings_come_from_far_to_near():
    near, far = thing("cat", y=0.95), thing("dog", y=0.85)
    names = [each.name for each, _, _ in drawings(scene_of(near, far))]
    assert names == ["dog", "cat"]
    scene = scene_of(thing("cat", y=0.5), thing("house"), relation="on")
    assert [(each.name, on) for each, _, on in drawings(scene)] == [("house", False), ("cat", True)]
    three = Thing("apple", "small", None, None, tuple(Spot(0.3 * k, 0.9, 0.2) for k in (1, 2, 3)))
    assert len(list(drawings(scene_of(three)))) == 3


def test_what_is_in_front_hides_what_is_behind():
    red, blue = (thing("balloon", height=0.5, colour=colour) for colour in ("red", "blue"))
    for first, second, channel in ((red, blue, 0), (blue, red, 2)):
        middle = render(scene_of(first, second, relation="in front"), 64)[36, 32]
        assert middle.argmax() == channel


def test_the_water_cuts_what_is_afloat():
    boat = thing("sailboat", y=0.97, height=0.5)
    line = round(WATERLINE["sea"] * 96) + 3
    dry = mask(scene_of(boat, place="beach"))[line:].mean()
    wet = mask(scene_of(boat, place="sea"))
    assert dry > 0.1
    assert wet[line:].mean() < 0.7 * dry
    assert wet[: line - 10].mean() > 0.05


def test_a_hat_is_on_the_head():
    bare, worn = thing("dog"), thing("dog", hat="crown")
    changed = difference_map(scene_of(bare), scene_of(worn))
    left, top, right, bottom = (96 * at for at in box("crown", hat_spot(worn, worn.spots[0])))
    rows, columns = np.nonzero(changed > 12)
    assert rows.min() >= top - 2
    assert rows.max() <= bottom + 2
    assert columns.min() >= left - 2
    assert columns.max() <= right + 2
    assert len(rows) > 50


def difference_map(a: Scene, b: Scene) -> np.ndarray:
    return np.abs(render(a, 96).astype(float) - render(b, 96)).max(axis=2)


def test_shadows_fall_away_from_a_low_sun():
    shifts = []
    for variant in range(12):
        scene = scene_of(thing("ball"), place="desert", variant=variant)
        dark = {}
        for hour in ("day", "golden hour"):
            lit = replace(scene, hour=hour)
            empty = render(replace(lit, things=()), 96).astype(float).mean(axis=2)
            loss = (empty - render(lit, 96).mean(axis=2)).clip(0)[86:92]
            dark[hour] = (loss * np.arange(96)).sum() / loss.sum()
        shifts.append(dark["golden hour"] - dark["day"])
    assert min(abs(shift) for shift in shifts) > 1
    assert min(shifts) < 0 < max(shifts)  # the sun is on either side


@pytest.mark.parametrize("size", [16, 50, 257])
@pytest.mark.parametrize("style", STYLES)
def test_any_size(size: int, style):
    assert render(scene_of(thing(), style=style), size).shape == (size, size, 3)


def reduced(picture: np.ndarray) -> np.ndarray:
    height, width, _ = picture.shape
    return picture.astype(float).reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))


@pytest.mark.parametrize("place", PLACES)
def test_sizes_agree(place):
    scene = scene_of(thing(), place=place, hour="sunset", weather="snowfall")
    large = reduced(render(scene, 256))
    assert difference(render(scene, 128), large) < 2.5
    assert difference(render(replace(scene, variant=8), 128), large) > 3 or place == "plain"


@pytest.mark.parametrize("style", STYLES)
def test_sizes_agree_in_every_style(style):
    scene = scene_of(thing(), place="village", style=style)
    small, middle, large = (render(scene, size) for size in (128, 256, 512))
    assert difference(small, reduced(middle)) < 3
    other = difference(middle, reduced(render(replace(scene, variant=8), 512)))
    assert difference(middle, reduced(large)) < 0.6 * other


def test_relations_of_brightness_hold_over_the_hours():
    means = {hour: render(scene_of(hour=hour), 64).mean() for hour in HOURS}
    order = ("day", "sunset", "night")
    assert all(means[a] > means[b] for a, b in pairwise(order))


@pytest.mark.parametrize("size", [0, 15, 1025])
def test_sizes_out_of_range_are_named(size: int):
    with pytest.raises(InputError, match=f"size {size} is not between 16 and 1024"):
        render(scene_of(), size)


def test_unknown_object_is_named():
    with pytest.raises(InputError, match="unknown object 'foxx': did you mean 'fox'"):
        render(scene_of(thing("foxx")))


def test_colours_of_the_backdrop_are_told_apart():
    pictures = [render(scene_of(place="plain", background=colour), 16) for colour in COLOURS]
    assert min(difference(a, b) for a, b in combinations(pictures, 2)) > 15
