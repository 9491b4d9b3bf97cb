"""What the studio is asked beside drawings: the gallery, votes, pictures that are read, grids."""

import io
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from starlette.testclient import TestClient

from mezzotint.errors import InputError
from mezzotint.lab.app import create
from mezzotint.lab.studio.settings import SETTINGS, understood
from mezzotint.lab.studio.sheet import sheet
from mezzotint.pipeline.metadata import png

FOX = {"prompt": "a fox", "steps": 1, "seed": 5}
AT = "/api/studio"


@pytest.fixture(scope="module")
def served(tiny, tmp_path_factory):
    """A lab that all tests of this file share; none counts on its gallery being empty."""
    app = create(lambda: tiny, tmp_path_factory.mktemp("gallery"))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def client(tiny, tmp_path):
    app = create(lambda: tiny, tmp_path / "gallery")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def events(client, path: str, **asked) -> list[tuple[str, dict]]:
    text = client.get(f"{AT}/{path}", params=asked).text
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(told)) for name, told in found]


def draw(client, **asked) -> list[str]:
    return [each["id"] for name, each in events(client, "draw", **asked) if name == "picture"]


def listed(client, **asked) -> list[str]:
    told = client.get(f"{AT}/pictures", params=asked).json()
    return [each["id"] for each in told["pictures"]]


def file_of(client, own: str) -> Image.Image:
    return Image.open(io.BytesIO(client.get(f"{AT}/pictures/{own}/file").content))


def test_a_picture_is_found_loved_deleted_and_brought_back(client):
    fox, other = draw(client, **FOX, batch=2)
    (cat,) = draw(client, **{**FOX, "prompt": "a <b>cat</b>", "dialect": "diffusers"})
    assert listed(client) == [cat, other, fox]
    assert listed(client, search="cat") == [cat]
    assert listed(client, limit=1, before=cat) == [other]
    assert client.post(f"{AT}/pictures/{fox}/favourite", json={"on": True}).json() == {
        "favourite": True
    }
    assert listed(client, favourite="true") == [fox]
    assert listed(client, favourite="") == [cat, other, fox]
    assert client.delete(f"{AT}/pictures/{fox}").status_code == 200
    assert fox not in listed(client)
    for path in ("", "/file", "/thumb", "/again"):
        gone = client.get(f"{AT}/pictures/{fox}{path}")
        assert (gone.status_code, "no such picture" in gone.json()["why"]) == (404, True)
    assert client.post(f"{AT}/pictures/{fox}/restore").json()["favourite"]
    assert listed(client) == [cat, other, fox]
    one = client.get(f"{AT}/pictures/{cat}")
    assert one.headers["content-type"] == "application/json"
    assert one.headers["x-content-type-options"] == "nosniff"
    assert one.json()["prompt"] == "a <b>cat</b>"
    thumb = client.get(f"{AT}/pictures/{cat}/thumb")
    assert Image.open(io.BytesIO(thumb.content)).format == "WEBP"
    assert "immutable" in thumb.headers["cache-control"]


@pytest.mark.parametrize(
    "asked",
    [
        *("../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e", "0" * 24, "%00", "%ff"),
        *("gallery.sqlite", "..%5cgallery.sqlite", "a'; DROP TABLE pictures; --", "é" * 24),
    ],
)
def test_no_name_leads_to_a_file(served, asked):
    for path in (f"{asked}/file", f"{asked}/thumb", asked):
        answer = served.get(f"{AT}/pictures/{path}")
        assert answer.status_code in (404, 405)
        assert b"root:" not in answer.content
    for method, path in (("POST", "/favourite"), ("POST", "/restore"), ("DELETE", "")):
        told = served.request(method, f"{AT}/pictures/{asked}{path}", json={"on": True})
        assert told.status_code in (404, 405)
    assert served.get(f"{AT}/inputs/{asked}").status_code == 404
    assert listed(served, before=asked, search=asked) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/pictures/{}"),
        ("POST", "/pictures/{}/favourite"),
        ("POST", "/pictures/{}/restore"),
        ("POST", "/preferences"),
        ("POST", "/read"),
        ("GET", "/draw?prompt=fox&steps=1"),
        ("GET", "/grid?prompt=fox&steps=1&x=seed&xs=[1]"),
    ],
)
def test_a_page_of_another_site_changes_nothing(served, method, path):
    (own,) = draw(served, **FOX)
    before = listed(served)
    for headers in ({"origin": "http://attacker.example"}, {"sec-fetch-site": "cross-site"}):
        address = AT + path.format(own)
        told = served.request(method, address, headers=headers, json={"on": True})
        assert told.status_code == 403
    assert listed(served) == before
    assert not served.get(f"{AT}/pictures/{own}").json()["favourite"]


@pytest.mark.parametrize("sent", [b"", b"[]", b"{", b"\xff", b'{"on": "yes"}', b'{"better": 1}'])
def test_what_is_no_request_is_said(served, sent):
    (own,) = draw(served, **FOX)
    for path in (f"/pictures/{own}/favourite", "/preferences"):
        told = served.post(AT + path, content=sent)
        assert told.status_code == 400
        assert told.json()["why"]


def test_the_better_of_two_is_asked_for_kept_and_told(client):
    assert "draw two" in client.get(f"{AT}/pair").json()["why"]
    draw(client, **FOX)
    (lone,) = draw(client, **{**FOX, "prompt": "a cat"})
    assert "left" not in client.get(f"{AT}/pair").json()  # of two prompts
    draw(client, **{**FOX, "seed": 6})
    told = client.get(f"{AT}/pair").json()
    assert told["prompt"] == "a fox"
    left, right = told["left"]["id"], told["right"]["id"]
    assert {told["left"]["settings"]["seed"], told["right"]["settings"]["seed"]} == {5, 6}
    vote = {"better": left, "worse": right, "prompt": "a fox"}
    for wrong in ({**vote, "worse": left}, {**vote, "worse": lone}, {**vote, "prompt": "a cat"}):
        assert client.post(f"{AT}/preferences", json=wrong).status_code == 400
    strange = json.dumps({**vote, "worse": "\ud800"})
    assert client.post(f"{AT}/preferences", content=strange).status_code == 404
    assert client.post(f"{AT}/preferences", json=vote).status_code == 201
    assert "left" not in client.get(f"{AT}/pair").json()
    (line,) = client.get(f"{AT}/preferences.jsonl").text.splitlines()
    said = json.loads(line)
    assert said["prompt"] == "a fox"
    assert said["better"]["settings"] == told["left"]["settings"]
    assert said["worse"]["recipe"] == told["right"]["recipe"]
    client.post(f"{AT}/preferences", json={"better": right, "worse": left})  # on second thought
    (line,) = client.get(f"{AT}/preferences.jsonl").text.splitlines()
    assert json.loads(line)["better"]["id"] == right
    client.delete(f"{AT}/pictures/{left}")
    assert json.loads(client.get(f"{AT}/preferences.jsonl").text) == json.loads(line)


def with_text(**texts: str) -> bytes:
    chunks, file = PngInfo(), io.BytesIO()
    for key, text in texts.items():
        chunks.add_text(key, text)
    Image.new("RGB", (64, 64)).save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


A1111 = (
    "a <i>fox</i>\nNegative prompt: blurry\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, "
    "CFG scale: 7, Seed: 42, Size: 512x768, Model hash: abc, Model: dreamy, Version: v1.9.0"
)
COMFYUI = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "x.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
    "4": {
        "class_type": "EmptyLatentImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1},
    },
    "5": {
        "class_type": "KSampler",
        "inputs": {
            **{"seed": 2**60, "steps": 8, "cfg": 6.0, "sampler_name": "euler", "denoise": 1.0},
            **{"scheduler": "normal", "model": ["1", 0], "positive": ["2", 0]},
            **{"negative": ["3", 0], "latent_image": ["4", 0]},
        },
    },
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "x"}},
}


def read(client, sent: bytes) -> dict:
    return client.post(f"{AT}/read", content=sent).json()


def test_settings_are_read_from_our_own_picture(served, tiny):
    told = read(served, png(tiny.generate("a fox", steps=2, seed=9, cfg=2.0).images[0]))
    assert told["notes"] == []
    assert told["tool"].startswith("mezzotint")
    assert (told["settings"]["seed"], told["settings"]["cfg"]) == (9, 2.0)


def test_settings_are_read_from_other_tools_and_what_is_missed_is_told(served):
    told = read(served, with_text(parameters=A1111))
    assert told["tool"] == "A1111 v1.9.0"
    assert told["settings"]["prompt"] == "a <i>fox</i>"
    assert (told["settings"]["sampler"], told["settings"]["spacing"]) == ("dpmpp_2m", "karras")
    assert told["settings"]["noise"] == "a1111"
    assert any("dreamy" in note for note in told["notes"])
    assert any("width 512: tiny makes sides" in note for note in told["notes"])
    told = read(served, with_text(prompt=json.dumps(COMFYUI)))
    assert told["tool"] == "ComfyUI"
    assert told["settings"]["seed"] == str(2**60)
    assert told["settings"]["steps"] == 8


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (with_text(), "has no `parameters` text"),
        (with_text(parameters="hello"), "not complete"),
        (with_text(workflow="{}"), "editor graph alone"),
        (b"no picture", "not a PNG, JPEG or WebP"),
        (b"", "not a PNG, JPEG or WebP"),
        (bytes(20_000_001), "over 20 MB"),
    ],
    ids=["none", "other text", "workflow", "text", "empty", "long"],
)
def test_a_picture_without_settings_says_so_in_a_line(served, sent, said):
    answer = served.post(f"{AT}/read", content=sent)
    assert answer.status_code == 400
    assert said in answer.json()["why"]
    assert "/tmp" not in answer.json()["why"]


def test_a_grid_draws_each_cell_as_it_would_be_alone(client, tiny):
    asked = {"x": "cfg", "xs": "[1, 3]", "y": "words", "ys": '["fox", "red apple"]'}
    told = events(client, "grid", **FOX, **asked)
    assert [told[0][0], told[-1][0]] == ["begun", "done"]
    assert told[0][1]["columns"] == ["Guidance scale 1", "Guidance scale 3"]
    cells = {(t["x"], t["y"]): t["id"] for n, t in told if n == "cell" and "id" in t}
    assert sorted(cells) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    whole = np.asarray(file_of(client, told[-1][1]["id"]))
    for (x, y), own in cells.items():
        prompt, cfg = ("a fox", "a red apple")[y], (1, 3)[x]
        true = np.asarray(tiny.generate(prompt, cfg=cfg, steps=1, seed=5).images[0])
        assert np.array_equal(np.asarray(file_of(client, own)), true)
        assert stands_in(true, whole)
        assert not stands_in(true[::-1], whole)
    assert listed(client) == [told[-1][1]["id"]]  # the sheet alone
    assert client.get(f"{AT}/pictures/{cells[0, 0]}").json()["kind"] == "cell"
    again = client.get(f"{AT}/pictures/{told[-1][1]['id']}/again").json()
    assert (again["x"], json.loads(again["ys"])) == ("cfg", ["fox", "red apple"])
    assert 'X Values: "1, 3"' in told[-1][1]["recipe"]


def stands_in(part: np.ndarray, whole: np.ndarray) -> bool:
    height, width, _ = part.shape
    views = np.lib.stride_tricks.sliding_window_view(whole, (height, width, 3))[:, :, 0]
    rows = np.argwhere((views[:, :, 0] == part[0]).all((2, 3)))
    return any(np.array_equal(views[y, x], part) for y, x in rows)


def test_cells_have_one_random_seed_unless_seeds_are_along_a_side(client):
    told = events(client, "grid", prompt="a fox", steps=1, x="cfg", xs="[1, 2]")
    ids = [t["id"] for n, t in told if n == "cell" and "id" in t]
    seeds = [client.get(f"{AT}/pictures/{own}").json()["settings"]["seed"] for own in ids]
    assert seeds == [told[0][1]["seed"]] * 2
    told = events(client, "grid", prompt="a fox", steps=1, x="seed", xs='["7", "8"]')
    ids = [t["id"] for n, t in told if n == "cell" and "id" in t]
    assert [client.get(f"{AT}/pictures/{own}").json()["settings"]["seed"] for own in ids] == [7, 8]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"x": "loudness", "xs": "[1]"}, "unknown setting of a grid"),
        ({"x": "prompt", "xs": "[1]"}, "unknown setting of a grid"),
        ({"x": "batch", "xs": "[1]"}, "unknown setting of a grid"),
        ({"x": "cfg", "xs": "1, 2"}, "in a list"),
        ({"x": "cfg", "xs": "[]"}, "in a list"),
        ({"x": "cfg", "xs": '["a"]'}, "give a number"),
        ({"x": "steps", "xs": "[2, 99999]"}, "steps 99999"),
        ({"x": "sampler", "xs": '["euler", "magic"]'}, "unknown sampler"),
        ({"x": "words", "xs": '["cat", "dog"]'}, "'cat' is not in the prompt"),
        ({"x": "cfg", "xs": "[1]", "y": "cfg", "ys": "[2]"}, "along both sides"),
        ({"x": "seed", "xs": str([*range(11)]), "y": "cfg", "ys": str([*range(10)])}, "at most"),
        ({"x": "variant", "xs": '["/etc"]'}, "unknown variant"),
        ({"x": "strength", "xs": "[0.5]"}, "give a picture"),
        ({"x": "cfg", "xs": "[1]", "steps": "x"}, "steps 'x'"),
    ],
)
def test_a_grid_that_cannot_be_is_refused_before_anything_is_drawn(client, asked, said):
    told = events(client, "grid", **{**FOX, **asked})
    assert told[-1][0] == "refused"
    assert said in told[-1][1]["why"]
    assert not any(name == "cell" for name, _ in told)
    assert listed(client) == []


def test_a_sheet_holds_pictures_of_all_sizes_and_any_words(monkeypatch):
    pictures = {(x, y): Image.new("RGB", (20 + 30 * x, 40), "red") for x in (0, 1) for y in (0, 1)}
    made = sheet(pictures, ["", "a very long label " * 9], ["short\nline", "日本"])
    reds = (np.asarray(made) == (255, 0, 0)).all(-1).sum()
    assert reds == 2 * 40 * (20 + 50)
    monkeypatch.setattr("mezzotint.lab.studio.sheet.MOST_PIXELS", 30_000)
    made = sheet({(x, 0): Image.new("RGB", (200, 100)) for x in range(4)}, [""] * 4, [""])
    assert 30_000 < made.width * made.height < 45_000  # with the gaps


@given(st.dictionaries(st.sampled_from([each.name for each in SETTINGS]), st.text(max_size=30)))
@settings(max_examples=60)
def test_any_text_is_understood_or_refused_in_a_line(told):
    found, why = set[str](), ""
    try:
        found = set(understood(told.items()))
    except InputError as error:
        why = str(error)
    if why:
        assert len(why.splitlines()) == 1
    else:
        assert found == {name for name, text in told.items() if text.strip()}
