"""Lesson 2: races at equal NFE, other samplers mid-list, and what the page shows of them."""

import json
import re

import pytest
import torch

from mezzotint.diffusion import times
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.diffusion.spent import calls
from mezzotint.lab.lessons.emerge import Courses, apart, drawing, going_on

FOX = "a fox"


def told(client, path: str = "", **asked) -> list[tuple[str, dict]]:
    text = client.get(f"/api/draw{path}", params=asked).text
    return [
        (name, json.loads(said)) for name, said in re.findall(r"event: (\w+)\ndata: (.*)", text)
    ]


def steps_of(said) -> list[dict]:
    return [each for name, each in said if name == "step"]


def test_the_second_picture_of_a_step_comes_by_itself(client):
    said = told(client, prompt=FOX, steps=2, seed=1, show="x,x0,eps")
    assert [name for name, _ in said] == ["step", "more"] * 2 + ["done"]
    assert set(said[0][1]["pictures"]) == {"x0", "eps"}
    assert set(said[1][1]["pictures"]) == {"x"}
    alone = told(client, prompt=FOX, steps=2, seed=1, show="x")
    assert [name for name, _ in alone] == ["step"] * 2 + ["done"]
    assert alone[0][1]["pictures"] == said[1][1]["pictures"] != said[0][1]["pictures"]


@pytest.mark.parametrize("rival", ["heun", "euler", "pndm"])
def test_a_rival_gets_as_many_calls(client, tiny, rival: str):
    network, counted = tiny.model.network, []
    hook = network.register_forward_hook(lambda *_: counted.append(1))
    said = steps_of(told(client, prompt=FOX, steps=9, seed=1, sampler=rival, budget_of="ddim"))
    hook.remove()
    assert said[-1]["calls"] == said[-1]["of"] == len(counted) <= 9  # both prompts in one call
    more = times(tiny.model.family.process, said[-1]["total"] + 1)
    assert calls(SAMPLERS[rival], more, tiny.model.family.process) > 9


def test_another_sampler_goes_on(client, tiny):
    begun = steps_of(told(client, prompt=FOX, steps=6, seed=1, sampler="ddpm"))[-1]["drawing"]
    said = told(client, "/on", drawing=begun, after=2, sampler="heun", show="x0")
    assert [step["index"] for step in steps_of(said)] == [2, 3, 4, 5]
    assert [step["calls"] for step in steps_of(said)] == [4, 6, 8, 9]
    assert said[-1][1]["recipe"] is None  # no recipe tells of two samplers
    assert len(said[-1][1]["left"]) == 6
    assert said[-1][1]["left"][-1] == pytest.approx(0, abs=1e-5)

    def end(name: str) -> float:
        made = steps_of(told(client, "/on", drawing=begun, after=2, sampler=name))[-1]["drawing"]
        return told(client, "/apart", one=made, other=begun)[-1][1]["apart"]

    assert end("ddpm") == 0  # the same, its noise as well: as if it had not stopped
    assert end("heun") > 0.01


def test_what_is_shown_are_the_latents_distances(tiny):
    courses = Courses()
    options = {"steps": 4, "seed": 1, "sampler": "ddim"}
    *_, done = drawing(tiny, FOX, options, [], courses)
    steps = list(tiny.stream(FOX, **options))
    end = steps[-1].x
    true = [(step.x0 - end).square().mean().sqrt().item() for step in steps]
    assert done.told["left"] == pytest.approx(true, abs=1e-6)
    assert true[0] > 0.01 > true[-1]
    course = courses.find(done.told["drawing"])
    assert torch.equal(course.x[-1], end)
    *_, other = going_on(tiny, course, 1, "euler", [], courses)
    # Euler's is DDIM by another formula
    assert apart(courses.find(other.told["drawing"]).x[-1], end) < 1e-4


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"after": 0}, "after 0 of 3 steps"),
        ({"after": 3}, "after 3 of 3 steps"),
        ({"sampler": "magic"}, "magic"),
        ({"drawing": "gone"}, "no longer has this drawing"),
    ],
)
def test_what_cannot_go_on_is_said(client, asked, why: str):
    begun = steps_of(told(client, prompt=FOX, steps=3, seed=1))[-1]["drawing"]
    whole = {"drawing": begun, "after": 1, "sampler": "ddim"}
    assert told(client, "/on", **whole)[-1][0] == "done"
    [(name, said)] = told(client, "/on", **{**whole, **asked})
    assert name == "refused"
    assert why in said["why"]


def test_only_the_last_drawings_are_kept(client):
    first = steps_of(told(client, prompt=FOX, steps=1, seed=1))[-1]["drawing"]
    for _ in range(7):
        last = steps_of(told(client, prompt=FOX, steps=1, seed=1))[-1]["drawing"]
    assert told(client, "/apart", one=first, other=last)[-1][0] == "done"
    told(client, prompt=FOX, steps=1, seed=1)
    assert told(client, "/apart", one=first, other=last)[-1][0] == "refused"


def rows(page) -> list[list[str]]:
    found = page.locator("#numbers tbody tr").all()
    return [row.locator("th, td").all_inner_texts() for row in found]


def test_the_page_races_hands_over_and_compares(page, address, tiny):
    page.goto(f"{address}/lessons/emerge")
    page.fill("#steps", "6")
    page.fill("#cfg", "3")
    page.select_option("#rival", "heun")
    page.click("#go")
    page.locator("#go:enabled").wait_for()
    page.fill("#scrub", "1")  # two calls
    page.locator("#numbers tbody tr:nth-child(2) td:last-child", has_text=".").wait_for()
    assert page.inner_text("#play") == "Play"
    first, second = rows(page)
    assert first[:3] == ["ddim", "2 of 6", "2 of 6"]
    assert second[:3] == ["heun", "1 of 3", "2 of 5"]
    asked = {"seed": 7, "cfg": 3}
    one = list(tiny.stream(FOX + " in the snow at night", steps=6, sampler="ddim", **asked))
    other = list(tiny.stream(FOX + " in the snow at night", steps=3, sampler="heun", **asked))
    assert float(first[3]) == pytest.approx(apart(one[1].x0, one[-1].x), abs=6e-4)
    assert float(second[4]) == pytest.approx(apart(one[-1].x, other[-1].x), abs=6e-4)

    page.select_option("#other", "euler")
    assert page.inner_text("#from") == "From step 2 of ddim on with"
    page.click("#on")
    page.locator("#go:enabled").wait_for()
    page.locator("#numbers tbody tr:nth-child(3) td:last-child", has_text=".").wait_for()
    assert rows(page)[2][0] == "ddim, from 2 on euler"
    assert float(rows(page)[2][4]) < 2e-3  # DDIM by another formula
    page.fill("#scrub", "5")
    assert page.is_disabled("#on")  # nothing is left to be done


def test_the_page_pauses_and_plays_again(page, address):
    page.clock.install(time=0)  # so that no frame passes between two clicks
    page.goto(f"{address}/lessons/emerge")
    page.clock.pause_at(60_000)
    page.fill("#steps", "8")
    page.click("#go")
    page.locator("#go:enabled").wait_for()
    assert page.inner_text("#at") == "8 of 8"
    page.click("#play")
    assert page.inner_text("#at") == "1 of 8"
    page.clock.run_for(3 * 90)
    assert page.inner_text("#at") == "4 of 8"
    page.click("#play")
    page.clock.run_for(3 * 90)
    assert page.inner_text("#at") == "4 of 8"
    page.focus("#scrub")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#at") == "3 of 8"
    page.click("#play")
    page.clock.run_for(9 * 90)
    assert page.inner_text("#at") == "8 of 8"
    assert page.inner_text("#play") == "Play"
