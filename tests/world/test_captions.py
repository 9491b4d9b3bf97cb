"""What a caption says is what the scene holds."""

import itertools
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.world import KINDS, Scene, caption, sample_scene
from mezzotint.world.phrases import HOUR_PHRASES, PLACE_PHRASES, STYLE_PHRASES, WEATHER_PHRASES
from mezzotint.world.scene import DENSITIES, HOURLESS, STAGES

pytestmark = pytest.mark.usefixtures("tarball")

SEEDS = st.integers(0, 2**63)
SCENES = st.builds(sample_scene, SEEDS, st.sampled_from(STAGES))


def names(name: str) -> list[str]:
    """How an object may be called; a synonym loses its own colour when it gets another."""
    all_names = (name, *KINDS[name].synonyms)
    return [*all_names, *(n.removeprefix("red ").removeprefix("brown ") for n in all_names)]


def where(text: str, name: str) -> int:
    found = [m.start() for n in names(name) if (m := re.search(rf"\b{re.escape(n)}\b", text))]
    return min(found, default=-1)


def scenes_of(count: int) -> st.SearchStrategy[Scene]:
    """Scenes with so many objects."""

    def of(seed: int) -> Scene:
        scenes = map(sample_scene, itertools.count(seed))
        return next(scene for scene in scenes if len(scene.things) == count)

    return SEEDS.map(of)


def are_distinct(scene: Scene) -> bool:
    """Whether no name is part of another's, as an orange of an orange fish."""
    for one, other in itertools.permutations(scene.things, 2):
        told = " ".join([*names(other.name), other.colour or ""])
        if where(told, one.name) >= 0:
            return False
    return True


@given(SCENES, SEEDS, st.sampled_from(DENSITIES))
def test_every_caption_is_short_lower_case_and_repeatable(scene: Scene, seed: int, density):
    text = caption(scene, seed, density)
    assert text == caption(scene, seed, density) == text.lower()
    assert 0 < len(text.split()) <= 40
    assert "  " not in text
    assert "{" not in text
    assert "none" not in text


@given(SCENES, SEEDS)
def test_a_dense_caption_says_everything(scene: Scene, seed: int):
    text = caption(scene, seed)
    for thing in scene.things:
        assert where(text, thing.name) >= 0
        assert thing.colour is None or thing.colour in text
        assert thing.size != "small" or re.search(r"\b(small|little|tiny)\b", text)
    places = [phrase.format(scene.background) for phrase in PLACE_PHRASES[scene.place]]
    assert any(place in text for place in places)
    if scene.place not in HOURLESS:
        assert any(hour in text for hour in HOUR_PHRASES[scene.hour])
    if scene.weather != "clear":
        assert any(weather in text for weather in WEATHER_PHRASES[scene.weather])
    if scene.style != "modern":
        assert any(style.removesuffix(" style") in text for style in STYLE_PHRASES[scene.style])


@given(scenes_of(2), SEEDS)
def test_left_and_right_agree_with_the_positions(scene: Scene, seed: int):
    assume(are_distinct(scene))
    left, right = scene.things
    assert left.x < right.x
    text = caption(scene, seed)
    left_first = where(text, left.name) < where(text, right.name)
    if "right of" in text:
        assert not left_first
    else:
        assert left_first
        assert "left of" in text or "on the left and" in text


@given(scenes_of(3), SEEDS)
def test_three_are_told_from_left_to_right(scene: Scene, seed: int):
    assume(are_distinct(scene))
    text = caption(scene, seed)
    left, middle, right = (where(text, thing.name) for thing in scene.things)
    assert left < right
    assert (middle < left) == (" between " in text)


@given(SCENES, SEEDS)
def test_tags_list_every_object_and_its_place(scene: Scene, seed: int):
    tags = caption(scene, seed, "tags").split(", ")
    said = tags[: len(scene.things)]
    assert [
        tag.removeprefix(f"{t.colour} ") for tag, t in zip(said, scene.things, strict=True)
    ] == [thing.name for thing in scene.things]


def test_short_captions_are_shorter_and_vary():
    scenes = [sample_scene(seed) for seed in range(200)]
    words = {
        density: sum(len(caption(scene, 1, density).split()) for scene in scenes)
        for density in DENSITIES
    }
    assert words["tags"] < words["short"] < words["dense"]
    assert len({caption(scenes[0], seed, "short") for seed in range(50)}) > 5


def test_bad_input_is_named():
    with pytest.raises(InputError, match="unknown density 'desne': did you mean 'dense'"):
        caption(sample_scene(0), 0, "desne")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="seed -3 is negative"):
        caption(sample_scene(0), -3)
