"""Texts that are meant badly, in pictures and in requests: read as far as may be, or refused.

A fault of the server's own raises in these tests, where a person would see a 500.
"""

import io
import json
from copy import deepcopy

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mezzotint.lab.studio import Gallery
from mezzotint.lab.studio.stored import ROW
from mezzotint.pipeline.metadata import png

AT = "/api/studio"
DEEP = "[" * 200_000
WRITTEN = "a fox\nSteps: 2, Sampler: Euler a, CFG scale: 2, Seed: 1, Size: 32x32"
NODES = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "x.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["1", 1]}},
    "3": {
        "class_type": "KSampler",
        "inputs": {
            **{"seed": 1, "steps": 8, "cfg": 6.0, "sampler_name": "euler", "scheduler": "normal"},
            **{"positive": ["2", 0], "model": ["1", 0], "denoise": 1.0},
        },
    },
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
}


def with_text(key: str, text: str) -> bytes:
    chunks, file = PngInfo(), io.BytesIO()
    chunks.add_text(key, text)
    Image.new("RGB", (32, 32)).save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


def read(client, key: str, text: str):
    return client.post(f"{AT}/read", content=with_text(key, text))


@pytest.mark.parametrize(
    ("written", "odd"),
    [
        *(("CFG scale: 2", f"CFG scale: {x}") for x in ("nan", "inf", "-inf", "1e999")),
        ("Size: 32x32", "Size: 32x32, Distilled CFG Scale: nan"),
        ("Size: 32x32", "Size: 32x32, CFG interval: nan to inf"),
        ("Size: 32x32", f"Size: {'9' * 2500}x{'9' * 2500}"),
        ("Size: 32x32", f'Size: 32x32, Adapters: "{DEEP}"'),
        ("Size: 32x32", f'Size: 32x32, Prompts: "{DEEP}"'),
    ],
)
@pytest.mark.parametrize("version", ["v1.9", "mezzotint 1"])
def test_a_recipe_of_no_numbers_is_refused(client, written: str, odd: str, version: str):
    answer = read(client, "parameters", f"{WRITTEN}, Version: {version}".replace(written, odd))
    assert answer.status_code == 400
    assert "is not complete" in answer.json()["why"]


@pytest.mark.parametrize("field", ["Prompt", "Noise", "Model", "Sampler"])
def test_half_a_character_in_a_recipe_is_replaced(client, field: str):
    text = f'{WRITTEN}, {field}: "half \\ud800"'.replace("Sampler: Euler a, ", "")
    text = text if field == "Sampler" else text.replace("Steps", "Sampler: Euler a, Steps")
    answer = read(client, "parameters", text)
    assert answer.status_code == 200
    assert "half ?" in json.dumps(answer.json())


@pytest.mark.parametrize(
    ("node", "name"),
    [*(("3", name) for name in ("sampler_name", "scheduler", "denoise")), ("2", "text")],
)
def test_half_a_character_in_a_graph_is_replaced(client, node: str, name: str):
    graph = deepcopy(NODES)
    graph[node]["inputs"][name] = "half \ud800"
    answer = read(client, "prompt", json.dumps(graph))
    assert answer.status_code == 200
    assert "half ?" in json.dumps(answer.json())


def test_half_a_character_in_a_node_is_replaced(client):
    graph = deepcopy(NODES) | {"\ud800": deepcopy(NODES["3"])}
    graph["\ud800"]["class_type"] = "half \ud800"
    graph["4"]["inputs"]["images"] = ["\ud800", 0]
    graph["\ud800"]["inputs"]["latent_image"] = ["3", 0]
    assert "half ?" in json.dumps(read(client, "prompt", json.dumps(graph)).json())
    graph["3"]["inputs"] = {"steps": "x", "cfg": 1, "sampler_name": "euler", "seed": 1}
    graph["3"]["class_type"] = "odd \ud800"
    assert "odd ?" in read(client, "prompt", json.dumps(graph)).json()["why"]


def test_shares_of_our_own_recipe_are_read(client, tiny):
    """A page has them as text, and a recipe as two numbers."""
    image = tiny.generate("a fox", steps=2, seed=9, cfg_interval=(0.1, 0.8)).images[0]
    told = client.post(f"{AT}/read", content=png(image)).json()
    assert told["notes"] == []
    assert told["settings"]["cfg_interval"] == "0.1:0.8"


@pytest.mark.parametrize("name", ["prompt", "steps", "seed", "prompts", "variant", "self"])
def test_a_prompt_that_is_called_like_a_setting_is_none(client, name: str):
    prompts = json.dumps(json.dumps({name: "x"}))
    text = f"{WRITTEN}, Prompts: {prompts}, Version: mezzotint 1"
    told = read(client, "parameters", text).json()
    assert any(f"unknown text encoder of tiny {name!r}" in note for note in told["notes"])
    usual = {"prompt": "a fox", "steps": 2, "seed": 1}
    assert usual.items() <= told["settings"].items()


@pytest.mark.parametrize("sent", [DEEP, '{"on":' + DEEP, '{"better": "\ud83e"}', "9" * 5000])
def test_a_body_that_is_no_table_is_refused(client, sent: str):
    for path in ("/preferences", f"/pictures/{'0' * 24}/favourite"):
        answer = client.post(AT + path, content=sent.encode("utf-8", "surrogatepass"))
        assert answer.status_code == 400
        assert answer.json()["why"]


@pytest.mark.parametrize("x", ["cfg", "words"])
def test_values_that_are_no_list_are_refused(client, x: str):
    asked = {"prompt": "a fox", "steps": "1", "x": x, "xs": "[" * 20_000}
    assert "in a list" in client.get(f"{AT}/grid", params=asked).text


@pytest.mark.parametrize("box", ["0,0,inf,1", "nan,0,1,1", "-inf,0,1,1"])
def test_a_box_without_an_end_is_refused(client, box: str):
    told = client.get("/api/steering/map", params={"kind": "boxes", "boxes": box})
    assert told.status_code == 400
    assert "as fractions of the picture" in told.json()["why"]


@pytest.mark.parametrize(
    "row",
    [
        *('{"made": NaN}', '{"made": "inf"}', '{"made": -1e999}', DEEP, '{"made": 1e400}'),
        *('{"settings": {"prompt": "\\ud800"}}', '{"settings": {"cfg": NaN}}'),
        *('{"kind": "\\ud800"}', '{"settings": {"guides": 5, "picture": {"a": 1}}}'),
    ],
)
def test_a_file_that_somebody_put_there_closes_no_gallery(tmp_path, row: str):
    gallery = Gallery(tmp_path)
    chunks = PngInfo()
    chunks.add_text("parameters", WRITTEN)
    chunks.add_text(ROW, row)
    Image.new("RGB", (4, 4)).save(tmp_path / "pictures" / f"{'0' * 24}.png", pnginfo=chunks)
    gallery.close()
    again = Gallery(tmp_path)
    for each in again.newest()[0]:
        json.dumps([each.made, dict(each.settings), each.kind], allow_nan=False)
    again.close()
