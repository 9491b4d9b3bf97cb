"""Pictures that steer, in the studio: as the pipeline is steered, kept, and made again."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from steered import FOX

import mezzotint as mz
from mezzotint.adapters.ip_adapter import OWN
from mezzotint.lab.app import create
from mezzotint.lab.maps import map_of
from mezzotint.lab.studio import Gallery
from mezzotint.pipeline.pipeline import Pipeline

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
BOXES = "0.1,0.3,0.5,0.9"
HOW = {"prompt": FOX, "steps": 2, "seed": 3}


@pytest.fixture(scope="module")
def pipe(steered_pipe: Pipeline) -> Pipeline:
    return steered_pipe


@pytest.fixture
def client(pipe: Pipeline, tmp_path: Path):
    with TestClient(create(lambda: pipe, tmp_path), base_url="http://127.0.0.1") as client:
        yield client


def bring(client: TestClient, picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return client.post("/api/pictures", content=file.getvalue()).json()["picture"]


def events(client: TestClient, path: str = "draw", **asked) -> list[tuple[str, dict]]:
    asked["guides"] = json.dumps(asked.get("guides", []))
    text = client.get(f"/api/studio/{path}", params={**HOW, **asked}).text
    return [(n, json.loads(t)) for n, t in re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)]


def kept(client: TestClient, told: list[tuple[str, dict]]) -> tuple[dict, np.ndarray]:
    """The last picture that was drawn: what is told of it, and its pixels."""
    assert told[-1][0] == "done", told[-1]
    [*_, last] = [each for name, each in told if name == "picture"]
    file = client.get(f"/api/studio/pictures/{last['id']}/file").content
    return last, np.asarray(Image.open(io.BytesIO(file)))


def expected(pipe: Pipeline, *adapters) -> np.ndarray:
    with pipe.attached(*adapters):
        return np.asarray(pipe.generate(**HOW).images[0])


def test_pictures_steer_as_the_pipeline_is_steered(client, pipe, folder):
    name = bring(client, PICTURE)
    edges = {"by": "control", "name": "edges", "picture": name, "scale": 0.8, "end": 0.7}
    boxes = {"by": "control", "name": "boxes", "boxes": BOXES, "start": 0.1}
    sight = {"by": "sight", "name": "content", "picture": name, "scale": 1.5}
    adapters = (
        mz.controlnet(f"{folder}#edges", map_of("edges", (32, 32), PICTURE), 0.8, end=0.7),
        mz.controlnet(f"{folder}#boxes", map_of("boxes", (32, 32), boxes=BOXES), start=0.1),
        mz.ip_adapter(folder / OWN["content"], PICTURE, 1.5),
    )
    _, found = kept(client, events(client, guides=[edges, boxes, sight]))
    assert np.array_equal(found, expected(pipe, *adapters))
    assert not np.array_equal(found, expected(pipe, *adapters[:2]))
    _, plain = kept(client, events(client))
    assert np.array_equal(plain, expected(pipe))
    assert not np.array_equal(plain, found)


def test_it_is_made_again_by_who_has_no_upload_of_it(client, pipe, tmp_path):
    name = bring(client, PICTURE)
    guide = {"by": "sight", "name": "content", "picture": name}
    told, found = kept(client, events(client, guides=[guide]))
    with TestClient(create(lambda: pipe, tmp_path), base_url="http://127.0.0.1") as other:
        again = other.get(f"/api/studio/pictures/{told['id']}/again").json()
        assert again == told["settings"]
        again["guides"] = json.loads(again["guides"])
        same, drawn = kept(other, events(other, **again))
    assert np.array_equal(drawn, found)
    assert same["settings"] == told["settings"]


def test_what_steered_is_kept_with_a_picture_whose_row_is_lost(client, tmp_path):
    guide = {"by": "sight", "name": "content", "picture": bring(client, PICTURE)}
    kept(client, events(client, guides=[guide]))
    Gallery(tmp_path).close()
    for file in tmp_path.glob("gallery.sqlite*"):
        file.unlink()
    gallery = Gallery(tmp_path)
    [entry] = gallery.newest()[0]
    [own] = json.loads(entry.settings["guides"])
    image = gallery.input(own["picture"])
    gallery.close()
    assert image is not None
    assert np.array_equal(np.asarray(image), np.asarray(PICTURE))


def test_a_grid_is_steered(client, pipe, folder):
    sight = {"by": "sight", "name": "content", "picture": bring(client, PICTURE)}
    told = events(client, "grid", guides=[sight], x="cfg", xs="[3]")
    assert told[-1][0] == "done", told[-1]
    [own] = [each["id"] for name, each in told if name == "cell" and "id" in each]
    file = client.get(f"/api/studio/pictures/{own}/file").content
    with pipe.attached(mz.ip_adapter(folder / OWN["content"], PICTURE)):
        true = pipe.generate(**HOW, cfg=3).images[0]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(file))), np.asarray(true))


@pytest.mark.parametrize(
    ("guide", "said"),
    [
        ({"by": "control", "name": "pose", "picture": ""}, "unknown ControlNet 'pose'"),
        ({"by": "sight", "name": "taste"}, "taste shows a picture: bring one"),
        ({"by": "control", "name": "edges"}, "no picture to make a map of"),
        ({"by": "control", "name": "boxes", "boxes": "1,2"}, "box '1,2'"),
        ({"by": "control", "name": "edges", "picture": "gone"}, "bring it again"),
        ({"by": "smell", "name": "edges"}, "guides 0.by"),
        ({"by": "control", "name": "boxes", "boxes": BOXES, "scale": 99}, "guides 0.scale"),
        ({"by": "control", "name": "boxes", "boxes": BOXES, "start": 1}, "0 ≤ start < end"),
        ({"by": "control"}, "guides 0.name"),
    ],
)
def test_what_cannot_steer_is_said(client, guide, said):
    (*_, (name, why)) = events(client, guides=[guide])
    assert name == "refused"
    assert said in why["why"]
    assert "\n" not in why["why"]
    assert client.get("/api/studio/pictures").json()["pictures"] == []


def test_a_map_of_another_shape_is_refused(client):
    wide = {"by": "control", "name": "depth", "picture": bring(client, PICTURE.resize((64, 32)))}
    (*_, (name, why)) = events(client, guides=[wide])
    assert (name, "give one of the same shape" in why["why"]) == ("refused", True)


def test_a_model_with_nothing_of_the_kind_says_so(tiny, monkeypatch):
    monkeypatch.delenv("MEZZOTINT_MODELS", raising=False)
    with TestClient(create(lambda: tiny), base_url="http://127.0.0.1") as client:
        told = client.get("/api/studio/choices").json()["guides"]
        assert (told["controls"], told["sights"]) == ([], [])
        assert told["why"].startswith("tiny has no ControlNet and no IP-Adapter")
        (*_, (name, why)) = events(client, guides=[{"by": "control", "name": "edges"}])
        assert (name, why["why"]) == ("refused", told["why"])


def test_what_there_is_is_told(client):
    told = client.get("/api/studio/choices").json()["guides"]
    assert told == {"controls": ["boxes", "depth", "edges"], "sights": ["content"], "why": None}


def test_the_page_steers_and_makes_again(page, address, pipe, folder, tmp_path):
    PICTURE.save(tmp_path / "noise.png")
    page.goto(f"{address}/studio")
    page.locator("#counted", has_text="Nothing yet").wait_for()
    for name, value in (("#prompt", FOX), ("#set-steps", "2"), ("#set-seed", "3")):
        page.fill(name, value)
    page.click("#guides summary")
    assert not page.is_visible("#unguided")
    page.set_input_files("#guide-file", tmp_path / "noise.png")
    first = page.locator("#guiding li").first
    first.get_by_label("Seen by").select_option("control:edges")
    first.get_by_label("How much").fill("0.8")
    first.get_by_label("Until").fill("0.7")
    assert first.get_by_role("textbox").count() == 0
    page.click("#boxed")
    second = page.locator("#guiding li").nth(1)
    assert second.get_by_label("Seen by").input_value() == "control:boxes"
    second.get_by_role("textbox", name="Boxes").fill(BOXES)
    page.click("#go")
    page.locator(".tile").nth(0).wait_for()
    adapters = (
        mz.controlnet(f"{folder}#edges", map_of("edges", (32, 32), PICTURE), 0.8, end=0.7),
        mz.controlnet(f"{folder}#boxes", map_of("boxes", (32, 32), boxes=BOXES)),
    )

    def newest() -> np.ndarray:
        own = page.locator(".tile").first.get_attribute("data-id")
        file = page.request.get(f"{address}/api/studio/pictures/{own}/file").body()
        return np.asarray(Image.open(io.BytesIO(file)))

    assert np.array_equal(newest(), expected(pipe, *adapters))
    page.locator("#go:enabled").wait_for()
    for _ in (0, 1):
        page.locator("#guiding").get_by_role("button").first.click()
    assert page.inner_text("#guided") == ""
    page.locator(".tile .open").first.click()
    page.click("#opened-again")
    page.locator(".tile").nth(1).wait_for()
    assert page.locator("#guiding li").count() == 2
    assert np.array_equal(newest(), expected(pipe, *adapters))
    page.locator(".tile .open").first.click()
    page.click("#opened-steer")
    third = page.locator("#guiding li").nth(2)
    third.get_by_label("Seen by").select_option("sight:content")
    assert not third.get_by_label("Until").is_visible()


def test_its_panel_is_for_every_reader(bare, address, grave, tmp_path):
    PICTURE.save(tmp_path / "noise.png")
    page = bare
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{address}/studio")
    page.locator("#go:enabled").wait_for()
    page.click("#guides summary")
    page.set_input_files("#guide-file", tmp_path / "noise.png")
    page.locator("#guiding li").wait_for()
    page.click("#boxed")
    assert grave(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_page_says_why_nothing_can_steer(page, address):
    page.route("**/api/studio/choices", lambda route: route.fulfill(json=without(route)))
    page.goto(f"{address}/studio")
    page.click("#guides summary")
    page.locator("#unguided", has_text="has no ControlNet").wait_for()
    assert not page.is_visible("#can-guide")


def without(route) -> dict:
    told = route.fetch().json()
    return told | {"guides": {"controls": [], "sights": [], "why": "It has no ControlNet."}}
