"""The lab's server: its pages, what they are told, and whom it refuses."""

import json
import re
import threading
import time
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
import torch

from mezzotint.diffusion import Process
from mezzotint.lab.lessons import LESSONS
from mezzotint.lab.lessons.dissolve import SHOWN
from mezzotint.lab.live import Event
from mezzotint.lab.source import ROOT, excerpt

FOX = "a fox"


def events(text: str) -> list[tuple[str, dict]]:
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(told)) for name, told in found]


@pytest.mark.parametrize("path", ["/", *(f"/lessons/{each.slug}" for each in LESSONS)])
def test_every_page_is_whole(client, path: str):
    page = client.get(path)
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for address in re.findall(r'(?:src|href)="(/[^"#]*)"', page.text):
        assert client.get(address).status_code == 200, address
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)  # nothing from elsewhere


def test_a_page_that_is_not_there_says_so(client):
    page = client.get("/lessons/alchemy")
    assert page.status_code == 404
    assert "There is no such page" in page.text


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda each: each.slug)
def test_the_code_is_the_packages_own(client, lesson):
    page = client.get(f"/lessons/{lesson.slug}").text
    for name in lesson.code:
        found = excerpt(name)
        lines = (ROOT / found.path).read_text().splitlines()
        first, *_ = found.text.splitlines()
        assert lines[found.line - 1].strip() == first
        assert f"{found.path}, line {found.line}" in page


def test_schedules_are_the_processes(client):
    told = client.get("/api/schedules").json()
    assert list(told) == list(SHOWN)
    for name, each in told.items():
        process = SHOWN[name]()
        assert (each["alpha"][0], each["sigma"][0]) == (1, 0)
        for k in (1, 250, 999):
            t = torch.tensor(k - 1.0 if process.steps else k / 1000, dtype=torch.float64)
            assert each["alpha"][k] == pytest.approx(float(process.alpha(t)), abs=1e-6)
            assert each["sigma"][k] == pytest.approx(float(process.sigma(t)), abs=1e-6)
    flow = Process.flow()
    assert told["cosine"]["alpha"][500] != pytest.approx(float(flow.alpha(torch.tensor(0.5))), 0.01)


def test_a_drawing_is_told_step_by_step(client, tiny):
    told = events(
        client.get(
            "/api/draw", params={"prompt": FOX, "steps": 3, "seed": 1, "show": "x0,eps"}
        ).text
    )
    assert [name for name, _ in told] == ["step"] * 3 + ["done"]
    assert [step["index"] for _, step in told[:3]] == [0, 1, 2]
    assert all(set(step["pictures"]) == {"x0", "eps"} for _, step in told[:3])
    recipe = tiny.generate(FOX, steps=3, seed=1).images[0].info["parameters"]
    assert told[-1][1]["recipe"] == recipe


def test_what_cannot_be_drawn_is_said(client):
    (name, said), *rest = events(
        client.get("/api/draw", params={"prompt": FOX, "sampler": "magic"}).text
    )
    assert (name, rest) == ("refused", [])
    assert "magic" in said["why"]


@pytest.mark.parametrize(
    "asked", [{"steps": 0}, {"steps": 10**6}, {"cfg": "x"}, {"prompt": "x" * 9999}]
)
def test_numbers_out_of_their_range_are_refused(client, asked):
    assert client.get("/api/draw", params={"prompt": FOX, **asked}).status_code == 422


@pytest.mark.parametrize(
    "headers", [{}, {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1"}]
)
def test_its_own_pages_are_answered(client, headers):
    """And no others: ``test_hostile.py``."""
    assert client.get("/api/schedules", headers=headers).status_code == 200


@pytest.mark.parametrize(("path", "status"), [("/lessons/dissolve", 200), ("/api/schedules", 403)])
def test_a_link_from_elsewhere_leads_to_a_page_and_to_nothing_else(client, path, status):
    link = {"sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}
    assert client.get(path, headers=link).status_code == status


def test_who_leaves_ends_the_drawing(address, monkeypatch):
    """Within a step, for the next one to be drawn is at once somebody else's."""
    log: list[int] = []
    ended = threading.Event()

    def slow(*_) -> Iterator[Event]:
        try:
            for k in range(100_000):
                log.append(k)
                yield Event("step", {"index": k})
                time.sleep(0.005)
        finally:
            ended.set()

    monkeypatch.setattr("mezzotint.lab.lessons.emerge.drawing", slow)
    with urlopen(f"{address}/api/draw?prompt=fox", timeout=60) as stream:
        assert stream.readline() == b"event: step\n"
    assert ended.wait(60)
    assert 0 < len(log) < 100_000


def test_a_prompt_is_text_wherever_it_goes(client):
    told = events(client.get("/api/draw", params={"prompt": "<b>fox</b>", "steps": 2}).text)
    assert told[-1][0] in ("done", "refused")
    assert not any("\n" in json.dumps(each) for _, each in told)
