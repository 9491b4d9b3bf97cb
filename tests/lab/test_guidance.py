"""Lesson 6: what the page shows of guidance is what the pipeline's own guidance had before it."""

import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mezzotint.diffusion import Process
from mezzotint.diffusion.guidance import cfg
from mezzotint.lab.lessons.guidance import (
    MIDDLING,
    SHOWN,
    clipped,
    difference,
    plane,
    regimes,
    ruled,
    strength,
)
from mezzotint.lab.live import as_url

FOX = "a fox in the snow at night"
RULES = ("cfg", "rescaled", "projected", "interval")


def told(client, path: str = "", **asked) -> list[tuple[str, dict]]:
    text = client.get(f"/api/guidance{path}", params=asked).text
    return [
        (name, json.loads(said)) for name, said in re.findall(r"event: (\w+)\ndata: (.*)", text)
    ]


def steps_of(said) -> list[dict]:
    return [each for name, each in said if name == "step"]


def latents(seed: int) -> torch.Tensor:
    return torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def length(point) -> float:
    return float(np.hypot(*point))


@given(
    seed=st.integers(0, 1000),
    scale=st.floats(0, 20),
    rule=st.sampled_from(RULES),
    ratio=st.sampled_from([0.01, 1.0, 30.0]),
)
def test_the_plane_holds_all_that_guidance_makes(seed: int, scale: float, rule: str, ratio: float):
    """Lengths in it are lengths of the latents, which they would not be of what leaves it."""
    cond, uncond, other = (latents(3 * seed + k) for k in range(3))
    process = Process.cosine()
    t = process.time_of(torch.tensor(ratio, dtype=torch.float64))
    guided = ruled(rule, process)(lambda x, t: (cond, uncond), scale)(cond, t)
    found = plane(cond, uncond, guided)
    assert found["cond"][1] == pytest.approx(found["uncond"][1], abs=1e-6)
    for name, true in {"cond": cond, "uncond": uncond, "guided": guided}.items():
        assert length(found[name]) == pytest.approx(strength(true), rel=1e-4, abs=1e-5)
    way = found["cond"][0] - found["uncond"][0]
    assert way == pytest.approx(strength(cond - uncond), rel=1e-4)
    if rule == "cfg":
        there = found["uncond"][0] + scale * way
        assert found["guided"] == pytest.approx((there, found["cond"][1]), abs=1e-4)
    outside = plane(cond, uncond, other)["guided"]
    assert length(outside) < 0.9 * strength(other)


def test_predictions_that_agree_are_one_point():
    found = plane(latents(0), latents(0), latents(0))
    assert found["cond"] == found["uncond"] == found["guided"]
    assert length(found["cond"]) == pytest.approx(strength(latents(0)))


@pytest.mark.parametrize("ratio", [0.1, 1.0, 50.0])
def test_the_interval_guides_at_middling_noise_only(ratio: float):
    process, (low, high) = Process.cosine(), MIDDLING
    t = process.time_of(torch.tensor(ratio, dtype=torch.float64))
    cond, uncond = latents(1), latents(2)
    made = ruled("interval", process)(lambda x, t: (cond, uncond), 4.0)(cond, t)
    plain = cfg(lambda x, t: (cond, uncond), 4.0)(cond, t)
    assert torch.equal(made, plain if low < ratio <= high else cond)


def test_where_predictions_differ_is_dark():
    one, other = torch.zeros(1, 4, 8, 8), torch.zeros(1, 4, 8, 8)
    other[:, :, 2, 5] = 1
    other[:, 0, 6, 6] = 1  # in one channel of four: half as far
    seen = np.asarray(difference(one, other, (32, 32)))
    assert seen.shape == (32, 32)
    assert (seen[8:12, 20:24] == 0).all()
    assert np.abs(seen[24:28, 24:28] - 127.5).max() <= 1
    assert (seen == 255).sum() == 32 * 32 - 2 * 16
    assert (np.asarray(difference(one, one, (8, 8))) == 255).all()


def test_colours_at_their_end():
    picture = Image.new("RGB", (10, 10), (128, 7, 200))
    assert clipped(picture) == 0
    picture.paste((255, 0, 9), (0, 0, 10, 5))
    assert clipped(picture) == pytest.approx(0.5 * 2 / 3)


@given(st.floats(0.5, 20))
def test_regimes_go_up_and_hold_what_a_model_is_set_to(usual: float):
    found = regimes(usual)
    begins = [each.begins for each in found]
    assert begins == sorted(set(begins))
    assert begins[0] == 0
    assert 1 in begins
    if usual > 1:
        own = next(each for each in reversed(found) if each.begins <= usual)
        assert own.name == "what this model is set to"
        assert f"with {usual:g} " in own.words
    else:
        assert "what this model is set to" not in {each.name for each in found}


@pytest.mark.parametrize("rule", RULES)
def test_each_step_tells_what_its_guidance_saw(client, tiny, rule: str):
    asked = {"negative": "an apple", "cfg": 5, "steps": 3, "seed": 1}
    said = told(client, prompt=FOX, rule=rule, **asked)
    assert [name for name, _ in said] == ["step", "more", "more"] * 3 + ["done"]
    seen = []

    def watching(predict, scale):
        def both(x, t):
            seen.append(predict(x, t))
            return seen[-1]

        return ruled(rule, tiny.model.family.process)(both, scale)

    steps = list(tiny.stream_by(FOX, guide=watching, **asked))
    for each, step, (cond, uncond) in zip(steps_of(said), steps, seen, strict=True):
        assert each["difference"] == pytest.approx(strength(cond - uncond), rel=1e-5)
        for name, true in {"cond": cond, "uncond": uncond, "guided": step.x0}.items():
            assert each["strength"][name] == pytest.approx(strength(true), rel=1e-5)
            assert length(each["plane"][name]) == pytest.approx(strength(true), rel=1e-4)
        assert each["t"] == step.t
        assert set(each["pictures"]) == {"guided", "difference"}
    assert [set(each["pictures"]).pop() for name, each in said if name == "more"] == [
        "cond",
        "uncond",
    ] * 3
    if rule == "cfg":
        assert torch.equal(steps[-1].x, tiny.generate(FOX, **asked).latents)


def test_at_scale_0_the_negative_prompt_is_drawn(client):
    asked = {"cfg": 0, "steps": 2, "seed": 1}
    one = steps_of(told(client, prompt=FOX, negative="an apple", **asked))
    other = steps_of(told(client, prompt="a castle", negative="an apple", **asked))
    assert one[-1]["pictures"]["guided"] == other[-1]["pictures"]["guided"]
    empty = steps_of(told(client, prompt=FOX, **asked))
    assert one[-1]["plane"] != empty[-1]["plane"]


def test_the_strip_is_one_noise_at_each_scale(client, tiny):
    asked = {"negative": "an apple", "steps": 2, "seed": 1}
    said = told(client, "/strip", prompt=FOX, **asked)
    drawn = [each for name, each in said if name == "drawn"]
    scales = sorted({*SHOWN, tiny.model.family.cfg})
    assert [each["scale"] for each in drawn] == scales
    assert len([1 for name, _ in said if name == "tick"]) == 2 * len(scales)
    for each in (drawn[0], drawn[-1]):
        out = tiny.generate(FOX, cfg=each["scale"], **asked)
        assert each["strength"] == pytest.approx(strength(out.latents), rel=1e-5)
        assert each["clipped"] == pytest.approx(clipped(out.images[0]), abs=1e-9)
        assert each["picture"] == as_url(out.images[0])
    assert drawn[0]["picture"] != drawn[-1]["picture"]


def test_the_page_is_told_of_the_model(client, tiny):
    [(name, said)] = told(client, "/about")
    assert (name, said["usual"], said["steps"]) == ("done", 3, 4)
    assert said["scales"] == sorted({*SHOWN, 3.0})
    assert not said["distilled"]


def test_what_cannot_be_guided_so_is_said(client):
    [(name, said)] = told(client, prompt=FOX, rule="magic")
    assert name == "refused"
    assert "projected" in said["why"]
    for wrong in ({"cfg": 21}, {"cfg": -1}, {"steps": 51}):
        assert client.get("/api/guidance", params={"prompt": FOX, **wrong}).status_code == 422


def numbers(page) -> dict[str, str]:
    rows = page.locator("#numbers tbody tr").all()
    return {row.locator("th").inner_text(): row.locator("td").inner_text() for row in rows}


def test_the_page_shows_the_predictions_of_each_step(page, address, tiny):
    page.goto(f"{address}/lessons/guidance")
    page.locator("#regimes button").first.wait_for()
    assert page.inner_text("#scale") == "3"  # the model's own
    assert page.inner_text("#regime") == "what this model is set to"
    page.fill("#negative", "an apple")
    page.fill("#steps", "3")
    page.fill("#cfg", "12")
    assert page.inner_text("#regime") == "too much"
    page.click("#go")
    page.locator("#said", has_text="Drawn at scale 12.").wait_for()
    seen = []

    def watching(predict, scale):
        def both(x, t):
            seen.append(predict(x, t))
            return seen[-1]

        return cfg(both, scale)

    asked = {"negative": "an apple", "cfg": 12, "steps": 3, "seed": 7}
    steps = list(tiny.stream_by(FOX, guide=watching, **asked))
    for k in (2, 0):
        page.fill("#scrub", str(k))
        shown, (cond, uncond) = numbers(page), seen[k]
        for name, true in {
            "○ the negative prompt": uncond,
            "● with the prompt": cond,
            "■ guided": steps[k].x0,
            "the difference of the first two": cond - uncond,
        }.items():
            assert float(shown[name]) == pytest.approx(strength(true), abs=6e-3)
    assert page.locator("#plane #guided").count() == 1
    pictures = page.locator("#pictures img").all()
    assert len({picture.get_attribute("src") for picture in pictures}) == 4


def test_a_regime_is_a_button_and_moves_what_is_drawn(page, address):
    page.goto(f"{address}/lessons/guidance")
    page.fill("#steps", "2")
    page.get_by_role("button", name="0 not heard").click()
    assert page.inner_text("#scale") == "0"
    assert page.inner_text("#said") == ""  # nothing was drawn yet
    page.click("#go")
    page.locator("#said", has_text="Drawn at scale 0.").wait_for()
    before = page.locator("[data-view=guided]").get_attribute("src")
    page.get_by_role("button", name="1 the prompt alone").press("Enter")
    page.locator("#said", has_text="Drawn at scale 1.").wait_for()
    assert page.locator("#regimes [aria-pressed=true]").inner_text() == "1 the prompt alone"
    assert page.locator("[data-view=guided]").get_attribute("src") != before
    page.locator("#cfg").press("ArrowRight")
    page.locator("#said", has_text="Drawn at scale 1.25.").wait_for()


def test_the_strip_comes_and_can_be_stopped(page, address):
    page.goto(f"{address}/lessons/guidance")
    page.locator("#regimes button").first.wait_for()
    page.fill("#steps", "2")
    page.click("#strip")
    page.locator("#told", has_text="Drawn.").wait_for()
    captions = page.locator("#scales figcaption").all_inner_texts()
    assert [caption.split()[0] for caption in captions] == ["0", "1", "2", "3", "7", "12", "20"]
    assert "not heard" in captions[0]
    page.fill("#steps", "50")
    page.click("#strip")
    page.locator("#told", has_text="step").wait_for()
    page.click("#halt")
    assert page.inner_text("#told") == "Stopped."
    assert page.is_enabled("#strip")


def test_the_page_says_what_is_wrong(page, address):
    page.goto(f"{address}/lessons/guidance")
    page.fill("#prompt", "a fox <lora:nowhere:1>")
    page.click("#go")
    page.locator("#said", has_text=re.compile("nowhere")).wait_for()
    assert page.is_disabled("#stop")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out(page, address, width, tmp_path):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{address}/lessons/guidance")
    page.locator("#regimes button").first.wait_for()
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert Image.open(tmp_path / "page.png").width == width
