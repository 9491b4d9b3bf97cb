"""What is asked wrongly: named in a line, to a page that listens too, or left to what is usual."""

import json
import re

import pytest

WRONG = [
    ("/api/kinds/race?steps=5000", "steps '5000': give at most 4,000"),
    ("/api/kinds/race?steps=", "steps '': give a whole number"),
    ("/api/learn?points=1_2&steps=1.5", "steps '1.5': give a whole number"),
    ("/api/learn?points=1_2&seed=-1", "seed '-1': give at least 0"),
    ("/api/learn?points=1_2&seed=4294967296", "seed '4294967296': give less than 4,294,967,296"),
    ("/api/learn", "points is missing: give one"),
    ("/api/draw?prompt=fox&cfg=x", "cfg 'x': give a number"),
    (f"/api/draw?prompt=fox&seed={'9' * 5000}", f"seed '{'9' * 40}': give a whole number of fewer"),
    (f"/api/tokens?prompt={'x' * 1001}", "prompt of 1,001 characters: give at most 1,000"),
    ("/api/latents/between?one=1&other=2&share=nan", "share 'nan': give at most 1"),
    ("/api/latents/nudged?picture=1" + 65 * "&scale=1", "scale, 65 of them: give at most 64"),
    ("/api/steering/edit?picture=1&prompt=fox&expand=1", "expand, 1 of them: give at least 4"),
    ("/api/steering/edit?picture=1&prompt=fox&strength=1&strength=x", "strength 'x': give a numb"),
    ("/api/steering/edit?picture=1&prompt=fox&instruct=no%0Aone", "instruct 'no\\none': give true"),
    ("/api/steering/draw?prompt=fox&by=magic", "by 'magic': give '', 'control' or 'sight'"),
    ("/api/steering/draw?prompt=fox&mag%0Aic=1", "unknown 'mag\\nic'"),
]


def events(text: str) -> list[tuple[str, dict]]:
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(told)) for name, told in found]


@pytest.mark.parametrize(("path", "said"), WRONG)
def test_a_line_says_what_would_be_right(client, path: str, said: str):
    answer = client.get(path)
    assert answer.status_code == 422
    assert answer.json().keys() == {"why"}
    assert answer.json()["why"].startswith(said)
    assert "\n" not in answer.json()["why"]
    listening = client.get(path, headers={"accept": "text/event-stream"})
    assert listening.status_code == 200  # of any other an EventSource reads nothing
    assert listening.headers["content-type"].startswith("text/event-stream")
    assert events(listening.text) == [("refused", answer.json())]


def test_what_is_refused_before_a_stream_begins_is_an_event_as_well(client):
    path, listening = "/api/studio/pictures/none", {"accept": "text/event-stream"}
    [(name, told)] = events(client.get(path, headers=listening).text)
    assert (name, told) == ("refused", client.get(path).json())
    assert client.get(path).status_code == 404


def asking(page) -> list[str]:
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url) if "/api/" in each.url else None)
    return asked


@pytest.mark.parametrize(("lesson", "steps"), [("kinds", "5000"), ("trick", "5000")])
def test_the_browser_refuses_before_anything_is_trained(page, address, lesson, steps):
    page.goto(f"{address}/lessons/{lesson}", wait_until="networkidle")
    asked, before = asking(page), page.inner_text("#said")
    page.fill("#steps", steps)
    page.click("#go")
    assert page.locator("#steps:invalid:focus").count() == 1
    assert (asked, page.inner_text("#said")) == ([], before)
    assert page.is_enabled("#go")


@pytest.mark.parametrize("lesson", ["kinds", "trick"])
def test_what_is_left_empty_is_trained_as_is_usual(page, address, lesson):
    page.goto(f"{address}/lessons/{lesson}", wait_until="networkidle")
    asked = asking(page)
    page.fill("#steps", "")
    page.fill("#seed", "")
    page.click("#go")
    page.locator("#said", has_text=re.compile(r"\d+ of \d+")).wait_for()
    page.click("#stop")
    assert not re.search("steps|seed", asked[0])


@pytest.mark.parametrize(
    ("lesson", "empty", "said"),
    [
        ("latents", ["seed"], "This is what was drawn."),
        ("text", ["steps", "cfg", "seed"], "steps"),
        ("samplers", ["cfg", "seed"], "Measured."),
    ],
)
def test_what_is_left_empty_is_drawn_as_is_usual(page, address, lesson, empty, said):
    page.goto(f"{address}/lessons/{lesson}", wait_until="networkidle")
    asked = asking(page)
    for name in empty:
        page.fill(f"#{name}", "")
    if lesson == "samplers":
        page.fill("#calls", "2")
        page.fill("#fine", "4")
    page.click("#go")
    page.locator("#said", has_text=said).wait_for()
    assert not re.search("|".join(f"{name}=" for name in empty), asked[0])


def test_the_lab_says_which_number_it_cannot_take(page, address):
    """Whatever a browser let through."""
    page.goto(f"{address}/lessons/kinds", wait_until="networkidle")
    page.locator("#steps").evaluate("each => each.removeAttribute('max')")
    page.fill("#steps", "5000")
    page.click("#go")
    page.locator("#said", has_text="steps '5000': give at most 4,000").wait_for()
    assert page.is_enabled("#go")
