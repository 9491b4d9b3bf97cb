"""Lesson 8: what a model can be steered by, and that it is, in Python and in a real browser."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient
from steered import FOX, OWL, seen, shown
from storybooks import tiny_storybook

import mezzotint as mz
from mezzotint.adapters.controlnet import KINDS
from mezzotint.adapters.ip_adapter import OWN
from mezzotint.adapters.maps import canny
from mezzotint.errors import InputError
from mezzotint.lab import maps
from mezzotint.lab.app import create
from mezzotint.lab.lessons.steering import abilities
from mezzotint.lab.lessons.steering.changing import kept
from mezzotint.pipeline.drawing import planned
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.request import complete
from mezzotint.training.low_rank import LowRank

NUMBERS = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
PICTURE = Image.fromarray(NUMBERS)
MASK = Image.new("L", (32, 32))
MASK.paste(255, (8, 8, 24, 20))
BOXES = "0.1,0.3,0.5,0.9"


@pytest.fixture(scope="module")
def pipe(steered_pipe: Pipeline) -> Pipeline:
    return steered_pipe


def brought(client: TestClient, picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return client.post("/api/pictures", content=file.getvalue()).json()["picture"]


def told(client: TestClient, path: str, **asked) -> list[tuple[str, dict]]:
    text = client.get(f"/api/steering/{path}", params=asked).text
    return [(n, json.loads(t)) for n, t in re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)]


def last(events: list[tuple[str, dict]], lane: int = 0) -> np.ndarray:
    """The last picture of a lane."""
    assert events[-1][0] == "done", events[-1]
    address = [e["picture"] for name, e in events if name == "step" and e["lane"] == lane][-1]
    return shown(address)


def test_what_there_is_is_told(client, pipe: Pipeline):
    found = client.get("/api/steering").json()
    assert (found["model"], found["size"], found["ours"]) == (pipe.source, 32, True)
    assert found["controls"] == found["own"] == sorted(KINDS)
    assert (found["sights"], found["loras"], found["words"]) == (["content"], ["oil"], ["zwx"])
    assert found["obeys"]


def test_what_there_is_not_is_not_told(tiny: Pipeline, monkeypatch):
    monkeypatch.delenv("MEZZOTINT_MODELS", raising=False)
    found = abilities.told(tiny)
    assert not found["ours"]
    assert not found["obeys"]
    assert [found[name] for name in ("controls", "sights", "loras", "words")] == [[]] * 4


def test_strengths_are_the_pipelines(pipe: Pipeline):
    model = pipe.model
    process, request = model.family.process, complete(model.family, "", seed=0)
    for notch in abilities.strengths(pipe):
        if notch["alpha"] is None:
            with pytest.raises(InputError, match="is no step"):
                planned(model, request, notch["strength"])
            continue
        grid = planned(model, request, notch["strength"]).grid
        steps = [*pipe.stream_edit(PICTURE, FOX, strength=notch["strength"], cfg=1)]
        assert notch["taken"] == len(grid) - 1 == len(steps) - (notch["strength"] == 0)
        assert notch["alpha"] == pytest.approx(float(process.alpha(grid[0])))
        assert notch["sigma"] == pytest.approx(float(process.sigma(grid[0])))


@pytest.mark.parametrize("rank", [1, 4, 128])
def test_low_rank_counts_what_is_trained(rank: int):
    network = tiny_storybook([FOX])[0].network
    names = [name for name, layer in network.named_modules() if isinstance(layer, torch.nn.Linear)]
    found = abilities.low_rank(network, rank)
    trained = LowRank({"network": network}, rank, targets=",".join(names))
    assert found == sum(each.numel() for each in trained.parameters())


@pytest.mark.parametrize(
    "asked",
    [
        {"strength": 0.5},
        {"expand": [0.5, 0, 0.25, 0], "passes": 1},
        {"source": FOX, "keep": 0.5},
        {"instruct": True, "image_cfg": 2, "cfg": 3},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_an_edit_is_the_pipelines(client, pipe: Pipeline, folder: Path, asked):
    events = told(
        client, "edit", picture=brought(client, PICTURE), prompt=OWL, seed=3, steps=3, **asked
    )
    own = mz.load(f"{folder}#instruct") if "instruct" in asked else pipe
    expected = own.edit(PICTURE, OWL, seed=3, steps=3, **asked).images[0]
    assert np.array_equal(last(events), seen(expected))
    assert events[-1][1]["recipe"] == expected.info["parameters"]
    other = own.edit(PICTURE, OWL, seed=4, steps=3, **asked | {"cfg": 1.5}).images[0]
    assert not np.array_equal(last(events), seen(other))


def test_strengths_begin_with_one_noise(client, pipe: Pipeline):
    asked = {"picture": brought(client, PICTURE), "prompt": OWL, "seed": 3, "steps": 4}
    events = told(client, "edit", strength=[0.5, 1.0], **asked)
    for lane, strength in enumerate((0.5, 1.0)):
        alone = pipe.edit(PICTURE, OWL, seed=3, steps=4, strength=strength).images[0]
        assert np.array_equal(last(events, lane), seen(alone))


def test_what_is_not_masked_is_counted(client):
    picture, mask = brought(client, PICTURE), brought(client, MASK)
    events = told(client, "edit", picture=picture, mask=mask, prompt=OWL, seed=3, steps=3)
    assert events[-1][1]["kept"] == {"of": 32 * 32 - 16 * 12, "changed": 0}
    grown = told(client, "edit", picture=picture, expand=[0.5] * 4, prompt=OWL, seed=3, steps=2)
    assert grown[-1][1]["size"] == [64, 64]
    assert grown[-1][1]["kept"] == {"of": 32 * 32, "changed": 0}


def test_pixels_that_changed_are_seen():
    spoilt = NUMBERS.copy()
    spoilt[0, :3] ^= 1  # outside of the mask
    spoilt[10, 10] ^= 1  # within
    found = kept(PICTURE, Image.fromarray(spoilt), {"mask": MASK})
    assert found == {"of": 32 * 32 - 16 * 12, "changed": 3}
    assert kept(PICTURE, PICTURE, {}) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_steers_as_the_pipeline_is_steered(client, pipe: Pipeline, folder: Path, kind: str):
    asked = {"kind": kind, "picture": brought(client, PICTURE), "boxes": BOXES}
    by = {"by": "control", "name": kind, "scale": 0.8, "end": 0.7}
    events = told(client, "draw", prompt=FOX, seed=3, steps=3, **by, **asked)
    followed = maps.map_of(kind, (32, 32), PICTURE, boxes=BOXES)
    with pipe.attached(mz.controlnet(f"{folder}#{kind}", followed, 0.8, end=0.7)):
        expected = pipe.generate(FOX, seed=3, steps=3).images[0]
    plain = pipe.generate(FOX, seed=3, steps=3).images[0]
    assert np.array_equal(last(events), seen(expected))
    assert not np.array_equal(seen(expected), seen(plain))
    assert np.array_equal(last(told(client, "draw", prompt=FOX, seed=3, steps=3)), seen(plain))
    preview = client.get("/api/steering/map", params=asked).json()["picture"]
    assert np.array_equal(shown(preview), seen(followed))


def test_a_picture_is_a_prompt(client, pipe: Pipeline, folder: Path):
    by = {"by": "sight", "name": "content", "picture": brought(client, PICTURE)}
    events = told(client, "draw", prompt=FOX, seed=3, steps=2, scale=1.5, **by)
    with pipe.attached(mz.ip_adapter(folder / OWN["content"], PICTURE, 1.5)):
        expected = pipe.generate(FOX, seed=3, steps=2).images[0]
    plain = pipe.generate(FOX, seed=3, steps=2).images[0]
    assert np.array_equal(last(events), seen(expected))
    assert not np.array_equal(seen(expected), seen(plain))


@pytest.mark.parametrize("prompt", [f"{FOX} <lora:oil:1>", "a zwx in the snow"])
def test_loras_and_words_are_in_the_prompt(client, pipe: Pipeline, prompt: str):
    events = told(client, "draw", prompt=prompt, seed=3, steps=2)
    expected = pipe.generate(prompt, seed=3, steps=2).images[0]
    assert np.array_equal(last(events), seen(expected))
    plain = pipe.generate(FOX, seed=3, steps=2).images[0]
    assert not np.array_equal(seen(expected), seen(plain))


@pytest.mark.parametrize(
    ("path", "asked", "says"),
    [
        ("edit", {"picture": "gone"}, "no longer has this picture"),
        ("draw", {"by": "control", "name": "pose"}, "unknown ControlNet 'pose'"),
        ("draw", {"by": "control", "name": "edges", "kind": "edges"}, "no picture to make a map"),
        ("draw", {"by": "control", "name": "edges", "kind": "smell"}, "unknown kind of map"),
        ("draw", {"by": "sight", "name": "content"}, "no picture to be shown"),
        ("draw", {"by": "control", "name": "boxes", "kind": "boxes", "boxes": "1,2"}, "box '1,2'"),
        ("draw", {"by": "control", "name": "boxes", "kind": "boxes", "scale": "nan"}, "scale nan"),
    ],
)
def test_what_cannot_be_done_is_said(client, path, asked, says):
    boxes = {"boxes": BOXES} if asked.get("kind") == "boxes" else {}
    (name, why), *rest = told(client, path, **({"prompt": FOX} | boxes | asked))
    assert (name, rest) == ("refused", [])
    assert says in why["why"]
    assert "\n" not in why["why"]


def test_a_model_without_it_says_so(tiny: Pipeline):
    with TestClient(create(lambda: tiny), base_url="http://127.0.0.1") as client:
        asked = {"picture": brought(client, PICTURE), "prompt": "make it night", "instruct": True}
        (name, why), *_ = told(client, "edit", **asked)
        assert name == "refused"
        assert "storybook-instruct" in why["why"]


@pytest.mark.parametrize(
    "asked",
    [
        {"steps": 101},
        {"strength": [0.1] * 11},
        {"expand": [1, 2]},
        {"prompt": "x" * 1001},
        {"a": 1},
    ],
)
def test_queries_out_of_their_range_are_refused(client, asked):
    whole = {"picture": "x", "prompt": FOX} | asked
    assert client.get("/api/steering/edit", params=whole).status_code == 422


@given(st.integers(20, 60), st.integers(1, 8), st.integers(1, 8))
def test_depth_is_that_of_the_foot(foot: int, wide: int, apart: int):
    """Two things that are not side by side: each is as near as the ground where it stands."""
    painted = np.zeros((64, 32), np.bool_)
    painted[10 : foot + 1, 2 : 2 + wide] = True
    painted[5:30, 2 + wide + apart : 4 + wide + apart] = True
    near, ground = maps.standing(painted), maps.standing(np.zeros((64, 32), np.bool_))
    assert (near[10 : foot + 1, 2 : 2 + wide] == ground[foot, 0]).all()
    assert (near[5:30, 2 + wide + apart : 4 + wide + apart] == ground[29, 0]).all()
    assert np.array_equal(near[~painted], ground[~painted])
    rise = np.diff(ground[:, 0])
    assert ground[0, 0] == 0
    assert ground[-1, 0] == pytest.approx(1)
    assert rise[-20:] == pytest.approx(rise[-1], abs=1e-5)  # a straight line


def test_a_map_of_edges_is_taken_as_it_is():
    drawing = Image.fromarray(np.kron(np.eye(2, dtype=np.uint8) * 255, np.ones((16, 16), np.uint8)))
    drawn = maps.map_of("edges", (32, 32), drawing)
    assert np.array_equal(np.asarray(drawn.convert("L")), np.asarray(drawing))
    found = maps.map_of("edges", (32, 32), PICTURE, low=50, high=900)
    assert np.array_equal(np.asarray(found.convert("L")), canny(NUMBERS, 50, 900))
    assert not np.array_equal(canny(NUMBERS, 50, 900), canny(NUMBERS))
