"""Depth is what the painters mean: the ground, feet on it, what covers what."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from mezzotint.errors import InputError
from mezzotint.world import Item, Scene, compose, depth, sample_scene
from mezzotint.world.layout import FREE
from mezzotint.world.render import painted
from mezzotint.world.scene import HOURLESS, HOURS, PLACES

pytestmark = pytest.mark.usefixtures("tarball")

SIZE = 96


def covered(scene: Scene) -> np.ndarray:
    """What of the canvas the painters lay things on."""
    return painted(scene, SIZE).cover


@pytest.mark.parametrize("place", PLACES)
def test_the_ground_comes_nearer_downwards_and_the_sky_is_far(place):
    near = depth(compose(0, [], place=place), SIZE)
    assert near.shape == (SIZE, SIZE)
    assert near.dtype == np.float32
    assert (near == near[:, :1]).all()
    assert (np.diff(near[:, 0]) >= 0).all()
    if place in FREE:
        assert not near.any()
    else:
        assert near[-1, 0] == pytest.approx(1, abs=0.03)
        assert (near[0, 0] > 0) == (place == "room")


def test_a_thing_is_as_near_as_the_ground_at_its_feet():
    for place in ("meadow", "beach", "room", "underwater", "village"):
        for seed in range(3):
            scene = compose(seed, [Item("car", size="small")], place=place)
            (spot,) = scene.things[0].spots
            ground = depth(replace(scene, things=()), SIZE)[:, 0]
            feet = np.interp(spot.y, (np.arange(SIZE) + 0.5) / SIZE, ground)
            inside = covered(scene) > 0.999
            assert inside.any()
            assert depth(scene, SIZE)[inside] == pytest.approx(feet, abs=0.02)


def test_silhouettes_are_the_painters():
    seen = 0
    for seed in range(160):
        scene = sample_scene(seed)
        if scene.place not in FREE or not scene.things:
            continue
        cover, near = covered(scene), depth(scene, SIZE)
        assert ((near > 0) == (cover > 0)).all()
        moved = replace(scene.things[0], spots=(replace(scene.things[0].spots[0], x=0.1),))
        other = depth(replace(scene, things=(moved, *scene.things[1:])), SIZE)
        assert ((other > 0) != (cover > 0)).any(), "the control"
        seen += 1
    assert seen > 8


def test_water_cuts_what_is_afloat():
    for place in ("sea", "lake"):
        scene = compose(1, [Item("whale")], place=place)
        without = depth(replace(scene, things=()), SIZE)
        cover = covered(scene)
        assert (cover > 0.999).any()
        assert ((depth(scene, SIZE) != without) <= (cover > 0)).all()
        assert np.ptp(depth(scene, SIZE)[cover > 0.999]) == 0


@pytest.mark.parametrize("place", ["meadow", "space", "room"])
def test_what_is_in_front_is_nearer_and_covers(place):
    for seed in range(4):
        scene = compose(seed, [Item("cat"), Item("house")], relation="in front", place=place)
        front, behind = (
            covered(replace(scene, things=(thing,), relation=None)) > 0.999
            for thing in scene.things
        )
        near = depth(scene, SIZE)
        assert (front & behind).any()
        assert np.ptp(near[front]) == 0
        assert near[front].min() > near[behind & ~front].min()


def test_a_hat_and_what_stands_on_a_thing_are_as_near_as_it():
    hatted = compose(0, [Item("fox", hat="crown")], place="meadow")
    stacked = compose(0, [Item("cat"), Item("house")], relation="on", place="meadow")
    for scene in (hatted, stacked):
        assert np.ptp(depth(scene, SIZE)[covered(scene) > 0.999]) < 1e-6
    bare = replace(hatted, things=(replace(hatted.things[0], hat=None),))
    assert (depth(bare, SIZE) != depth(hatted, SIZE)).any()


def test_what_floats_is_nearer_the_larger_it_is():
    near = [
        depth(compose(0, [Item("balloon", size=size)], place="sky"), SIZE).max()
        for size in ("small", "medium", "large")
    ]
    assert 0.3 < near[0] < near[1] < near[2] < 0.9


def test_no_hour_changes_it():
    scene = next(s for s in map(sample_scene, range(50)) if s.things and s.place not in HOURLESS)
    maps = [depth(replace(scene, hour=hour, weather="fog"), SIZE) for hour in HOURS]
    assert all((each == maps[0]).all() for each in maps)


def digest() -> str:
    maps = [depth(sample_scene(seed), 64).tobytes() for seed in range(8)]
    return hashlib.sha256(b"".join(maps)).hexdigest()


def test_another_process_gives_the_same():
    told = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, check=True, timeout=120
    )
    assert told.stdout.strip() == digest()


@pytest.mark.parametrize("size", [0, 15, 1025])
def test_sizes_out_of_range_are_named(size: int):
    with pytest.raises(InputError, match=f"size {size}"):
        depth(sample_scene(0), size)


if __name__ == "__main__":
    print(digest())
