"""The studio's drawings: what is shown, what is kept, and that it can be made again exactly."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from mezzotint.errors import InputError
from mezzotint.lab.app import create
from mezzotint.lab.live import Lab
from mezzotint.lab.studio import Gallery
from mezzotint.lab.studio.asking import Studio
from mezzotint.lab.studio.draw import Previews, drawing
from mezzotint.pipeline.inversion import ROUNDS
from mezzotint.pipeline.metadata import png
from mezzotint.pipeline.pipeline import Pipeline

FOX = {"prompt": "a fox", "steps": 2, "seed": 5}


@pytest.fixture
def client(tiny, tmp_path):
    app = create(lambda: tiny, tmp_path / "gallery")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def studio(tmp_path):
    lab = Lab(lambda: None)
    yield Studio(lab, Gallery(tmp_path / "gallery"))
    lab.turns.close()


def events(client, path: str = "draw", **asked) -> list[tuple[str, dict]]:
    text = client.get(f"/api/studio/{path}", params=asked).text
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(told)) for name, told in found]


def pictures(client, **asked) -> list[dict]:
    told = events(client, **asked)
    assert told[-1][0] == "done", told[-1]
    return [each for name, each in told if name == "picture"]


def pixels(client, own: str) -> np.ndarray:
    file = client.get(f"/api/studio/pictures/{own}/file")
    return np.asarray(Image.open(io.BytesIO(file.content)))


def bring(client, picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return client.post("/api/pictures", content=file.getvalue()).json()["picture"]


def painted(box: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("RGB", (32, 32), "black")
    mask.paste("white", box)
    return mask


def test_a_drawing_is_told_from_its_beginning_to_its_picture(client, tiny):
    told = events(client, **FOX, batch=2)
    assert [name for name, _ in told] == [
        *("begun", "step", "step", "picture", "step", "step", "picture", "done")
    ]
    assert told[0][1] == {"seed": 5, "batch": 2}
    steps = [each for name, each in told if name == "step"]
    assert [(step["index"], step["total"]) for step in steps] == [(k, 4) for k in range(4)]
    assert [[bool(each) for each in step["previews"]] for step in steps] == (
        [[True, False]] * 2 + [[False, True]] * 2
    )
    assert all(step["preview"].startswith("data:image/webp;base64,") for step in steps)
    true = tiny.generate(**FOX, batch=2).images
    for each, image in zip([t for n, t in told if n == "picture"], true, strict=True):
        assert np.array_equal(pixels(client, each["id"]), np.asarray(image))
        assert each["recipe"] == image.info["parameters"]
    assert not np.array_equal(np.asarray(true[0]), np.asarray(true[1]))


def test_a_random_seed_is_told_first_and_is_the_pictures(client):
    for seed in ("", "-1"):
        told = events(client, prompt="a fox", steps=1, seed=seed)
        assert told[0][0] == "begun"
        (picture,) = [each for name, each in told if name == "picture"]
        assert picture["seed"] == told[0][1]["seed"] == picture["settings"]["seed"]


def test_a_seed_of_many_digits_is_told_whole(client):
    seed = 2**64 - 2
    told = events(client, **{**FOX, "steps": 1, "seed": seed, "batch": 2})
    assert told[0][1]["seed"] == str(seed)
    assert [each["seed"] for name, each in told if name == "picture"] == [str(seed), str(seed + 1)]


AGAIN = {
    "plain": {},
    "all of it": {
        **{"negative": "snow", "cfg": 2.5, "width": 24, "height": 16, "sampler": "euler_ancestral"},
        **{"spacing": "trailing", "dialect": "comfyui", "noise": "comfyui_cpu"},
    },
    "guided in part": {"cfg_interval": "0.5:1"},
    "one of a batch": {"batch": 2},
    "one of a batch with one noise": {"batch": 2, "noise": "diffusers"},
    "an edit": {"picture": True, "strength": 0.7},
    "under a mask": {"picture": True, "mask": True, "passes": 2},
    "grown": {"picture": True, "expand": "0.25,0,0,0.5"},
    "reworded": {"picture": True, "source": "a fox", "prompt": "a cat", "keep": 0.5},
    "where the words change it": {"picture": True, "source": "a snowman", "mask": "relevant:0.5"},
}


@pytest.mark.parametrize("which", AGAIN)
def test_what_was_drawn_can_be_made_again_exactly(client, tiny, which):
    asked = {**FOX, **AGAIN[which]}
    if "picture" in asked:
        asked["picture"] = bring(client, tiny.generate("a red apple", seed=1).images[0])
    if asked.get("mask") is True:
        asked["mask"] = bring(client, painted((4, 4, 20, 28)))
    *_, last = pictures(client, **asked)
    again = client.get(f"/api/studio/pictures/{last['id']}/again").json()
    assert again == last["settings"]
    *_, same = pictures(client, **again)
    assert np.array_equal(pixels(client, same["id"]), pixels(client, last["id"]))
    assert same["recipe"] == last["recipe"]
    vary = client.get(f"/api/studio/pictures/{last['id']}/again?vary=1").json()
    assert {**vary, "seed": again["seed"]} == again
    *_, other = pictures(client, **vary)
    differs = not np.array_equal(pixels(client, other["id"]), pixels(client, last["id"]))
    assert differs == ("source" not in asked)  # which begins with its picture's own noise


def test_an_edit_is_what_the_pipeline_makes_and_its_picture_is_kept(client, tiny):
    image, mask = tiny.generate("a red apple", seed=1).images[0], painted((0, 0, 16, 32))
    asked = {**FOX, "picture": bring(client, image), "mask": bring(client, mask)}
    (own,) = pictures(client, **asked)
    true = tiny.edit(image, "a fox", mask=mask, steps=2, seed=5).images[0]
    assert np.array_equal(pixels(client, own["id"]), np.asarray(true))
    assert np.array_equal(pixels(client, own["id"])[:, 16:], np.asarray(image)[:, 16:])
    assert own["kind"] == "edit"
    name = own["settings"]["picture"]
    file = client.get(f"/api/studio/inputs/{name}")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(file.content))), np.asarray(image))


def test_a_picture_of_the_gallery_can_be_edited(client, tiny):
    (first,) = pictures(client, **FOX)
    (edited,) = pictures(client, **FOX, picture=first["id"], strength=0.5)
    true = tiny.edit(tiny.generate(**FOX).images[0], "a fox", strength=0.5, steps=2, seed=5)
    assert np.array_equal(pixels(client, edited["id"]), np.asarray(true.images[0]))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"steps": "many"}, "steps 'many': give a whole number"),
        ({"steps": 0}, "steps 0: give a whole number from 1"),
        ({"cfg": "nan"}, "cfg nan"),
        ({"cfg": "inf"}, "cfg inf"),
        ({"cfg_interval": "half"}, "cfg_interval 'half': give START:END"),
        ({"cfg_interval": "0.8:0.2"}, "interval"),
        ({"seed": 2**64}, "seed"),
        ({"batch": 65}, "batch 65"),
        ({"sampler": "magic"}, "unknown sampler 'magic'"),
        ({"width": 33}, "width 33"),
        ({"loudness": 3}, "unknown setting 'loudness'"),
        ({"prompt": "x" * 10_001}, "at most 10,000"),
        ({"prompt": "a fox <lora:nowhere:1>"}, "nowhere"),
        ({"strength": 0.5}, "give a picture"),
        ({"mask": "0123"}, "give a picture"),
        ({"picture": "../../etc/passwd"}, "bring it again"),
        ({"picture": "0" * 24}, "bring it again"),
        ({"variant": "/etc"}, "unknown variant '/etc'"),
        ({"text_2": "a cat"}, "unknown text encoder"),
        ({"guidance": 3}, "leave|distilled"),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else None,
)
def test_what_cannot_be_drawn_is_said_and_leaves_nothing(client, asked, said):
    told = events(client, **{**FOX, **asked})
    assert told[-1][0] == "refused"
    assert re.search(said, told[-1][1]["why"])
    assert "\n" not in told[-1][1]["why"]
    assert client.get("/api/studio/pictures").json()["pictures"] == []


def test_who_leaves_keeps_what_was_finished_and_nothing_half(tiny, studio):
    def left(after: int) -> int:
        told = drawing(tiny, studio, {**FOX, "batch": 3})
        for _ in range(after):
            next(told)
        told.close()
        return len(studio.gallery.newest()[0])

    assert [left(1), left(3)] == [0, 0]  # the second when all but the keeping is done
    assert left(4) == 1
    assert left(7) == 3  # one of before, and two of its own


def calls_a_turn(pipe: Pipeline, studio: Studio, settings: dict) -> list[int]:
    """How often the network is asked before each event."""
    calls = 0

    def counted(*_) -> None:
        nonlocal calls
        calls += 1

    hook = pipe.model.network.register_forward_hook(counted)
    found: list[int] = []
    for _ in drawing(pipe, studio, settings):
        found.append(calls)
        calls = 0
    hook.remove()
    return found


def test_a_turn_is_a_step_of_one_picture_and_the_first_asks_nothing(tiny, studio):
    one = calls_a_turn(tiny, studio, FOX)
    many = calls_a_turn(tiny, studio, {**FOX, "batch": 3})
    assert one[0] == many[0] == 0
    assert max(many) == max(one) > 0
    assert sum(many) == 3 * sum(one)
    picture = studio.lab.uploads.keep(tiny.generate(**FOX).images[0])
    reworded = calls_a_turn(tiny, studio, {**FOX, "picture": picture, "source": "a fox"})
    assert max(reworded) == ROUNDS  # also on the way back to noise
    together = calls_a_turn(tiny, studio, {**FOX, "batch": 3, "noise": "diffusers"})
    assert max(together) == 3 * max(one)  # what is one noise is drawn at once


def test_previews_rest_for_twice_as_long_as_they_take(tiny, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("mezzotint.lab.studio.draw.time.monotonic", lambda: now[0])

    def taking(seconds: float) -> Iterator[bool]:
        previews = Previews()
        step = next(tiny.stream("a fox", steps=1))
        real = step.preview

        def slow() -> list[Image.Image]:
            now[0] += seconds
            return real()

        object.__setattr__(step, "preview", slow)
        while True:
            yield previews.renewed(step)
            now[0] += 1.0  # as long as the network takes

    quick, long = taking(0.1), taking(1.0)
    assert [next(quick) for _ in range(6)] == [True] * 6
    assert [next(long) for _ in range(6)] == [True, False] * 3


def test_what_a_person_should_know_is_told(client):
    told = events(client, **{**FOX, "prompt": "a fox " * 60})
    assert "too long" in told[-1][1]["notes"][0]
    assert events(client, **FOX)[-1][1]["notes"] == []


def test_choices_are_those_of_the_model(client, tiny):
    told = client.get("/api/studio/choices").json()
    family = tiny.model.family
    assert told["model"]["family"] == "tiny"
    assert (told["model"]["smallest"], told["model"]["largest"]) == (16, 64)
    assert told["can"]["draw"]
    assert not told["can"]["instruct"]
    assert told["can"]["relevant"]
    assert told["variants"] == []
    assert told["adapters"] == {"lora": [], "embedding": []}
    by_name = {each["name"]: each for each in told["settings"]}
    assert by_name["steps"]["default"] == family.steps
    assert by_name["width"]["step"] == family.multiple
    assert not {"guidance", "text_2", "image_cfg", "clip_skip"} & by_name.keys()
    for each in told["settings"]:
        assert each["says"].endswith(".")
        assert each["kind"] in ("number", "choice", "text")
        if each["kind"] == "choice":
            assert each["default"] in each["choices"]
        if each["min"] is not None and each["default"] is not None:
            assert each["default"] >= each["min"]
        if each["max"] is not None and each["default"] is not None:
            assert each["default"] <= each["max"]


def test_a_form_left_as_it_is_changes_nothing(client, tiny):
    """The defaults that are told are those of the pipeline."""
    told = client.get("/api/studio/choices").json()["settings"]
    edits = ("strength", "keep")
    form = {each["name"]: each["default"] for each in told if each["name"] not in edits}
    form = {name: "" if value is None else value for name, value in form.items()}
    (own,) = pictures(client, **{**form, "prompt": "a fox", "seed": 5})
    assert own["recipe"] == tiny.generate("a fox", seed=5).images[0].info["parameters"]


def test_every_spacing_that_is_offered_can_be_drawn(client, tiny):
    told = client.get("/api/studio/choices").json()["spacings"]
    assert "karras" in told
    for name in told:
        tiny.stream("a fox", spacing=name)


def test_a_model_told_guidance_and_one_made_for_editing_say_so(tiny_model, studio):
    from mezzotint.families import editing
    from mezzotint.lab.studio.choices import choices

    flux = replace(tiny_model, family=replace(tiny_model.family, guidance=3.5))
    told = {each["name"]: each for each in choices(Pipeline(flux, "flux"))["settings"]}
    assert told["guidance"]["default"] == 3.5
    obeys = replace(tiny_model, family=editing.instructed(tiny_model.family))
    found = choices(Pipeline(obeys, "obeys"))
    assert found["can"]["instruct"]
    assert not found["can"]["draw"]
    names = {each["name"] for each in found["settings"]}
    assert "image_cfg" in names
    assert not {"source", "keep", "expand"} & names
    assert (found["can"]["relevant"], found["can"]["word"]) == (True, False)
    with pytest.raises(InputError, match="takes a picture beside"):
        list(drawing(Pipeline(obeys, "obeys"), studio, FOX))


def test_variants_are_those_of_the_folder_and_no_other_is_loaded(tiny, monkeypatch):
    from mezzotint.families import storybook
    from mezzotint.lab.studio import models

    found = models.variants("storybook")
    assert found[0] in ("storybook-unet", "storybook-flow")
    assert all(each.removeprefix("storybook-") in storybook.VARIANTS for each in found)
    asked: list[str] = []
    monkeypatch.setattr(models, "_loaded", lambda name, _: asked.append(name))
    own = Pipeline(tiny.model, "storybook")
    assert models.chosen(own, "") is own
    models.chosen(own, found[0])
    for other in ("/etc", "storybook#x", "../storybook", "tiny"):
        with pytest.raises(InputError, match="unknown variant"):
            models.chosen(own, other)
    assert asked == [found[0]]


def test_the_file_is_the_pipelines_own_with_more_in_it(client, tiny):
    (own,) = pictures(client, **FOX)
    file = client.get(f"/api/studio/pictures/{own['id']}/file")
    image = Image.open(io.BytesIO(file.content))
    ours = Image.open(io.BytesIO(png(tiny.generate(**FOX).images[0])))
    assert image.info["parameters"] == ours.info["parameters"]
    assert image.tobytes() == ours.tobytes()
    assert json.loads(image.info["mezzotint"])["settings"] == own["settings"]
    assert 'filename="a-fox-5.png"' in file.headers["content-disposition"]


def test_events_are_json_whatever_a_prompt_says(client):
    html = '<img src=x onerror=alert(1)>\n\nevent: done\ndata: {}"'
    told = events(client, **{**FOX, "prompt": html, "dialect": "diffusers"})
    assert [name for name, _ in told][-1] == "done"
    (own,) = [each for name, each in told if name == "picture"]
    assert own["prompt"] == html
