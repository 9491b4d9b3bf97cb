"""Lesson 7: orders where the answer is known, errors on a model, and the page that shows both."""

import json
import math
import re
from collections.abc import Generator, Iterator
from functools import partial
from typing import TypeVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.diffusion import Process, times
from mezzotint.diffusion.oracle import GaussianMixture
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.diffusion.spent import steps_within
from mezzotint.errors import InputError
from mezzotint.lab.lessons.samplers import exact, numbers
from mezzotint.lab.lessons.samplers.exact import (
    PAUSE,
    PROCESSES,
    curves,
    goal,
    grid_of,
    run,
    sampling,
)
from mezzotint.lab.lessons.samplers.live import (
    KEPT,
    Question,
    References,
    equals,
    measuring,
    network_calls,
)
from mezzotint.lab.lessons.samplers.measure import (
    ORDERS,
    Run,
    calls_for,
    chosen,
    measured_order,
    rms,
    steps_for,
)
from mezzotint.lab.live import Event

T = TypeVar("T")

FOX = "a fox"


def last(steps: Iterator[torch.Tensor]) -> torch.Tensor:
    *_, x = steps
    return x


def known(steps: Generator[Event, None, T]) -> T:
    """What is found at the end, whatever turns it takes."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def curves_of(process: str, spacing: str) -> list[dict]:
    told = curves(list(ORDERS), process, spacing)
    return [each.told for each in told if each.name == "curve"]


def events(text: str) -> list[tuple[str, dict]]:
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(told)) for name, told in found]


@given(order=st.floats(0.5, 5), scale=st.floats(1e-3, 10))
def test_an_order_is_measured_and_read_backwards(order: float, scale: float):
    runs = [Run(n, scale * n**-order) for n in (40, 5, 10, 20)]
    assert measured_order(runs) == pytest.approx(order)
    assert calls_for(runs, scale * 14**-order) == pytest.approx(14)
    assert calls_for(runs, scale * 4**-order) is None
    assert measured_order(runs[:1]) is None
    bent = [*runs[1:], Run(40, runs[0].error * 2)]
    assert measured_order(bent) != pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("process", ["cosine", "flow"])
def test_measured_orders_are_those_of_the_rules(process: str):
    for each in curves_of(process, "smooth"):
        if each["order"] is None:
            assert each["measured"] < 0.3  # it goes elsewhere
        else:
            assert each["measured"] == pytest.approx(each["order"], abs=0.3)


def fine(process: Process, steps: int) -> torch.Tensor:
    """Times from pure noise to clean data, even in ln(σ/α) down to where nothing is left to do."""
    first = torch.tensor([process.t_noise], dtype=torch.float64)
    most = min((process.sigma(first) / process.alpha(first)).item(), 1e5)
    ratio = torch.linspace(math.log(most), math.log(1e-5), steps, dtype=torch.float64).exp()
    between = process.time_of(ratio[1:])
    return torch.cat([first, between, torch.tensor([process.t_clean], dtype=torch.float64)])


@pytest.mark.parametrize("name", PROCESSES)
def test_the_goal_is_where_other_methods_arrive(name: str):
    process = PROCESSES[name]
    smooth = last(sampling(SAMPLERS["lms"], process, grid_of(process, 500, "smooth")))
    assert rms(smooth - known(goal(name, "smooth"))) < 3e-8
    unipc = partial(SAMPLERS["unipc"], order=3)
    clean = last(sampling(unipc, process, fine(process, 1000)))
    for spacing in ("linspace", "karras", "exponential"):
        assert rms(clean - known(goal(name, spacing))) < 3e-8
    assert rms(clean - known(goal(name, "smooth"))) > 1e-3


def test_what_a_last_step_leaves_is_counted():
    """Scaled-linear goes from σ/α = 0.029 to clean data in one step, however many there are."""

    def error(sampler: str, calls: int) -> float:
        return known(run(sampler, "scaled_linear", "karras", calls)).error

    for sampler in ("deis", "unipc"):
        assert error(sampler, 160) == pytest.approx(error(sampler, 80), rel=0.1)
        assert error(sampler, 160) > 100 * error("lms", 160)
    assert error("lms", 160) < error("lms", 80) / 8


def test_a_first_step_from_pure_noise_is_counted():
    for sampler in ("deis", "lms"):
        errors = [
            known(run(sampler, "flow", "exponential", calls)).error for calls in (20, 80, 160)
        ]
        assert errors[1] < errors[0] / 10
        assert errors[2] > errors[1] / 2


def test_others_take_turns_while_curves_are_found(monkeypatch):
    """A turn lasts until the next event."""
    calls, denoise = 0, GaussianMixture.denoise

    def counted(*asked) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return denoise(*asked)

    monkeypatch.setattr(GaussianMixture, "denoise", counted)
    monkeypatch.setattr(exact, "_goals", {})
    monkeypatch.setattr(exact, "_runs", {})
    turns, total = [], 0
    for _ in curves(["ddim", "heun", "unipc"], "cosine", "karras"):
        turns.append(calls - total)
        total = calls
    assert total > 1000
    assert max(turns) <= 4 * PAUSE  # Runge and Kutta look four times a step
    for _ in curves(["ddim", "heun", "unipc"], "cosine", "karras"):
        pass
    assert calls == total


@pytest.mark.parametrize("sampler", ORDERS)
def test_calls_are_those_of_the_network(tiny, sampler: str):
    asked = 0

    def count(*_) -> None:
        nonlocal asked
        asked += 1

    steps = steps_for(sampler, 6)
    handle = tiny.model.network.register_forward_pre_hook(count)
    try:
        tiny.generate(FOX, sampler=sampler, steps=steps, cfg=1, seed=0, width=16, height=16)
    finally:
        handle.remove()
    assert network_calls(tiny, sampler, steps) == asked
    assert abs(asked - 6) <= 1


@pytest.mark.parametrize("sampler", ORDERS)
def test_as_many_steps_are_taken_as_the_calls_are_enough_for(sampler: str):
    process = Process.cosine()
    for calls in (1, 2, 5, 6, 20):
        most = steps_within(calls, SAMPLERS[sampler], lambda n: times(process, n), process)
        assert steps_for(sampler, calls) == most


def test_lists_are_read_and_refused():
    assert numbers("20,5, 5") == [5, 20]
    assert chosen("heun,ddim") == ["ddim", "heun"]
    for wrong in ("", "x", "0", "101", "1,2,3,4,5,6,7,8,9"):
        with pytest.raises(InputError, match="such as 5,10,20,50"):
            numbers(wrong)
    with pytest.raises(InputError, match="no sampler"):
        chosen("")
    with pytest.raises(InputError, match="heun"):
        chosen("huen")


def asked(**more):
    return {"prompt": FOX, "samplers": "ddim,dpmpp_2m", "calls": "2,4", "seed": 1, "fine": 6} | more


def test_errors_are_between_the_pipelines_latents(client, tiny):
    told = events(client.get("/api/measure", params=asked(calls="3,6")).text)
    runs = [each for name, each in told if name == "run"]
    assert [(run["sampler"], run["calls"]) for run in runs] == [
        ("ddim", 3), ("dpmpp_2m", 3), ("ddim", 6), ("dpmpp_2m", 6),
    ]  # fmt: skip
    reference = tiny.generate(FOX, sampler="dpmpp_2m", steps=6, seed=1).latents
    for each in runs:
        latents = tiny.generate(FOX, sampler=each["sampler"], steps=each["steps"], seed=1).latents
        assert each["error"] == pytest.approx(rms(latents - reference), rel=1e-5)
    assert runs[-1]["error"] == 0 < runs[0]["error"]
    assert all(run["picture"].startswith("data:image/webp") for run in runs)


def test_a_reference_is_drawn_once(tiny):
    references = References()

    def drawn_for(seed: int) -> int:
        told = measuring(tiny, Question(FOX, seed, None, 4), ["ddim"], [2], references)
        return sum(each.told.get("reference") is True for each in told)

    assert (drawn_for(1), drawn_for(1), drawn_for(2)) == (3, 0, 3)
    for seed in range(20):
        references.keep(Question(FOX, seed, None, 4), torch.zeros(1))
    assert len(references.found) == KEPT


def test_equals_are_told_where_they_are_known():
    runs = {
        "ddim": [Run(n, 1 / n) for n in (10, 50)],
        "dpmpp_2m": [Run(n, 5 / n**2) for n in (10, 20)],
    }
    assert equals(runs) == {"ddim": 50, "dpmpp_2m": pytest.approx(250**0.5, abs=0.05)}
    assert equals({"ddim": runs["ddim"]}) is None
    assert equals({**runs, "dpmpp_2m": [Run(10, 1.0), Run(20, 0.5)]}) is None


@pytest.mark.parametrize(
    ("path", "wrong", "said"),
    [
        ("measure", {"calls": "many"}, "many"),
        ("measure", {"samplers": "magic"}, "magic"),
        ("measure", {"prompt": "<lora:nowhere:1>"}, "nowhere"),
        ("orders", {"process": "slow"}, "flow"),
        ("orders", {"spacing": "rough"}, "unknown spacing"),
    ],
)
def test_what_cannot_be_measured_is_said(client, path, wrong, said):
    (name, told), *rest = events(client.get(f"/api/{path}", params=asked(**wrong)).text)
    assert (name, rest) == ("refused", [])
    assert said in told["why"]


def orders(page) -> dict[str, list[str]]:
    rows = page.locator("#orders tbody tr").all()
    return {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows}


def test_the_page_measures_and_keeps(page, address, tiny):
    page.goto(f"{address}/lessons/samplers")
    page.locator("#orders tbody tr:nth-child(8)").wait_for()
    found = orders(page)
    for each in curves_of("cosine", "smooth"):
        assert found[each["sampler"]][1] == f"{each['measured']:.2f}"
    page.fill("#calls", "2, 4")
    page.fill("#fine", "6")
    page.fill("#prompt", FOX)
    page.fill("#cfg", "3")
    page.click("#go")
    page.locator("#go:enabled").wait_for()
    runs = measuring(tiny, Question(FOX, 7, 3.0, 6), ["ddim"], [2, 4], References())
    run = [each.told for each in runs if each.name == "run"][-1]
    assert orders(page)["ddim"][2] == f"{run['measured']:.2f}"
    assert orders(page)["heun"][2] == "–"
    pictures = page.locator("#strip tbody tr").first.locator("img")
    assert pictures.count() == 3
    assert pictures.nth(1).get_attribute("alt") == "ddim in 4 calls"
    page.check("#use-heun")
    page.click("#go")
    page.locator("#go:enabled").wait_for()
    assert page.locator("#strip tbody tr").count() == 3
    page.fill("#calls", "100")
    page.click("#go")
    page.click("#stop")
    assert page.inner_text("#said") == "Stopped: what was measured stays."
    assert page.locator("#strip tbody tr").count() == 3
    page.fill("#calls", "4,1000")
    page.click("#go")
    page.locator("#said", has_text="such as 5,10,20,50").wait_for()


def test_other_times_are_other_curves(page, address):
    page.goto(f"{address}/lessons/samplers")
    page.locator("#orders tbody tr:nth-child(8)").wait_for()
    measured = orders(page)["lms"][1]
    page.select_option("#spacing", "karras")
    row = page.locator("#orders tbody tr", has_text="lms")
    row.locator("td").nth(1).and_(page.locator("td", has_not_text=measured)).wait_for()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("slug", ["trick", "samplers"])
def test_nothing_sticks_out(page, address, slug, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{address}/lessons/{slug}")
    page.locator(".plane path, #orders tbody tr").first.wait_for(state="attached")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_shows_what_samplers_pictures_are_good_for(page, address, monkeypatch):
    found = {"ddim": [[4, 0.3], [20, 0.8]], "dpmpp_2m": [[4, 0.5], [20, 0.85]]}
    told = {"made": "by a test", "true": 0.99, "samplers": found}
    monkeypatch.setattr("mezzotint.lab.lessons.samplers.quality", lambda: told)
    page.goto(f"{address}/lessons/samplers")
    page.locator("#quality .line").first.wait_for(state="attached")
    assert page.locator("#quality .line").count() == 3
    assert page.locator("#quality .dashed").count() == 1
    names = page.locator("#quality text").all_text_contents()
    assert {*found, "true scenes", "4", "20"} <= {*names}
    marks = page.locator("#quality .mark")  # all at once: what is above still grows
    heights = marks.evaluate_all("marks => marks.map(m => m.getBoundingClientRect().y)")
    assert heights[0] > heights[1]  # more calls, more pictures that show what was asked for
    assert page.inner_text("#made") == "by a test"


def test_it_shows_nothing_that_was_not_measured(page, address, monkeypatch):
    monkeypatch.setattr("mezzotint.lab.lessons.samplers.quality", lambda: None)
    page.goto(f"{address}/lessons/samplers")
    page.locator("#orders tbody tr:nth-child(8)").wait_for()
    assert not page.is_visible("#pictures-measured")
