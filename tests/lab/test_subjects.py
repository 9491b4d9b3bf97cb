"""The pictures that lessons begin with: scenes of the world, whole, that the model could draw."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mezzotint as mz
from mezzotint.lab.lessons.latents import costing, through
from mezzotint.lab.lessons.text import alike, eye_of
from mezzotint.lab.source import ROOT
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.world import CORE

BENCH = Path(__file__).parents[2] / "bench"
STATIC = ROOT / "lab" / "static"
NAMES = sorted(file.stem for file in (STATIC / "subjects").iterdir())
OWN = {
    "fox": "a fox in the snow",
    "castle": "a castle on a beach at night",
    "owl": "an owl in a forest",
    "apple": "a red apple in the desert at sunset",
}


@pytest.fixture(scope="module")
def pipe() -> Pipeline:
    """The embedded model, as large as which they are drawn."""
    return mz.load()


@pytest.fixture
def subjects(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import subjects

    yield subjects
    sys.modules.pop("subjects", None)


def subject(name: str) -> Image.Image:
    with Image.open(STATIC / "subjects" / f"{name}.webp") as file:
        return file.convert("RGB")


@pytest.mark.parametrize("name", NAMES)
def test_a_subject_is_a_scene_with_nothing_lost(name: str, subjects, pipe: Pipeline) -> None:
    picture, scene = subject(name), subjects.picture(subjects.SCENES[name])
    assert picture.size == (pipe.model.family.size,) * 2
    assert np.abs(np.asarray(picture, int) - np.asarray(scene, int)).max() <= 2
    assert (STATIC / "subjects" / f"{name}.webp").read_bytes()[12:16] == b"VP8L"  # lossless
    assert name in CORE


@pytest.mark.parametrize("style", ["neon", "watercolour"])
def test_a_style_to_take_over_is_shown_by_a_scene_in_it(style: str, subjects) -> None:
    scene, file = subjects.STYLED[style], STATIC / "steering" / f"{style}.webp"
    assert scene.style == style
    with Image.open(file) as image:
        picture = np.asarray(image.convert("RGB"), int)
    assert np.abs(picture - np.asarray(subjects.picture(scene), int)).max() <= 2


@pytest.mark.parametrize("script", ["picker.js", "dissolve.js"])
def test_pages_show_all_of_them(script: str) -> None:
    (listed,) = re.findall(r"SUBJECTS = (\[.*?\])", (STATIC / script).read_text())
    assert sorted(json.loads(listed)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_latents_and_a_jpeg_of_as_many_bytes_are_about_as_near(name: str, pipe: Pipeline) -> None:
    cost = costing(pipe.model, through(pipe.model, subject(name)))
    assert cost["jpeg"]["psnr"] == pytest.approx(cost["latents"]["psnr"], abs=3)


def test_each_is_nearest_to_its_own_prompt(pipe: Pipeline) -> None:
    pictures = [subject(name) for name in OWN]
    found = alike(pipe.model, eye_of(pipe), list(OWN.values()), pictures)["pictures"]
    assert np.array(found).argmax(1).tolist() == list(range(len(OWN)))
    assert sorted(OWN) == NAMES
