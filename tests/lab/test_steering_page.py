"""Lesson 8 in a real browser, and the brush: pointer, keyboard, and what the model is asked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from steered import seen, shown

import mezzotint as mz
from mezzotint.lab import maps
from mezzotint.lab.lessons.steering import abilities
from mezzotint.lab.lessons.steering.changing import edited
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.request import EditOptions

STEPS = 5


@pytest.fixture(scope="module")
def pipe(steered_pipe: Pipeline) -> Pipeline:
    model = steered_pipe.model
    family = replace(model.family, steps=STEPS)
    return Pipeline(replace(model, family=family), steered_pipe.source)


@pytest.fixture
def steering(page, address):
    page.goto(f"{address}/lessons/steering")
    page.locator("#able", has_text="at 32 pixels").wait_for()
    return page


def go(page, section: str, button: str = "button:not([type])") -> list[np.ndarray]:
    """Draw, wait, and give the pictures that came."""
    page.locator(f"#{section} form {button}").first.click()
    page.locator(f"#{section} form button.stop:disabled").wait_for()
    page.locator(f"#{section} .said", has_text="Done").wait_for()
    images = page.locator(f"#{section} .pictures img").all()
    return [shown(each.get_attribute("src")) for each in images]


def picture(page) -> Image.Image:
    """What is steered."""
    address = page.locator("#picture .before").get_attribute("src")
    return Image.fromarray(shown(address))


def test_the_slider_shows_the_pipelines_numbers_and_draws(steering, pipe):
    strengths = abilities.strengths(pipe)
    for value in ("0.35", "0", "1"):
        steering.fill("#strength [name=strength]", value)
        notch = strengths[round(float(value) * abilities.NOTCHES)]
        said = steering.inner_text("#taken")
        if notch["taken"]:
            assert f"{notch['taken']} of {pipe.model.family.steps} steps" in said
            assert f"{notch['alpha']:.3f} · x₀ + {notch['sigma']:.3f} · ε" in said
        assert steering.locator("#steps .taken").count() == notch["taken"]
    steering.fill("#strength [name=strength]", "0.6")
    [drawn] = go(steering, "strength")
    prompt = steering.input_value("#strength [name=prompt]")
    expected = pipe.edit(picture(steering), prompt, strength=0.6, seed=7).images[0]
    assert np.array_equal(drawn, seen(expected))
    steering.fill("#seed", "8")
    strip = go(steering, "strength", "[name=strip]")
    assert len(strip) == 5
    expected = pipe.edit(picture(steering), prompt, strength=0.6, seed=8).images[0]
    assert np.array_equal(strip[2], seen(expected))
    steering.locator("#strength figure button").last.click()
    steering.locator("#able", has_text="now the picture").wait_for()
    assert not steering.locator(".subjects input:checked").count()


def test_the_brush_paints_by_pointer_and_keyboard(steering, pipe, monkeypatch):
    canvas = steering.locator("#mask canvas")
    painted = steering.locator("#mask .brushed output")
    steering.click("#mask form button:not([type])")
    steering.locator("#mask .said", has_text="Nothing is painted yet").wait_for()
    canvas.focus()
    for key in ("ArrowRight", "Shift+ArrowDown", "ArrowUp"):
        steering.keyboard.press(key)
    assert painted.inner_text().startswith("at ")
    steering.keyboard.press("Space")
    assert 1 <= int(painted.inner_text().split("%")[0]) < 10
    box = canvas.bounding_box()
    steering.mouse.move(box["x"] + 20, box["y"] + 20)
    steering.mouse.down()
    steering.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    steering.mouse.up()
    both = painted.inner_text()
    steering.locator("#mask .brushed button", has_text="Undo").click()
    assert painted.inner_text() != both
    steering.locator("#mask .brushed button", has_text="Clear").click()
    assert painted.inner_text() == "0% is painted"
    canvas.press("z")
    assert painted.inner_text() != "0% is painted"
    asked: list[EditOptions] = []

    def watched(pipe, picture, prompt, ways):
        asked.extend(ways)
        return edited(pipe, picture, prompt, ways)

    monkeypatch.setattr("mezzotint.lab.lessons.steering.edited", watched)
    [drawn] = go(steering, "mask")
    mask = asked[0]["mask"].convert("L")
    assert mask.size == (32, 32)
    assert set(np.unique(mask)) == {0, 255}
    prompt = steering.input_value("#mask [name=prompt]")
    expected = pipe.edit(picture(steering), prompt, mask=mask, seed=7, passes=1).images[0]
    assert np.array_equal(drawn, seen(expected))
    stays = int((np.asarray(mask) == 0).sum())
    assert f"Of the {stays} pixels that were to stay, 0 changed" in steering.inner_text(
        "#mask .said"
    )


def test_adapters_are_drawn_without_and_with(steering, pipe, folder: Path):
    for section in ("control", "sight", "lora"):
        without, found = go(steering, section)
        assert not np.array_equal(without, found), section
    steering.select_option("#control [name=name]", "boxes")
    boxes = "0.2,0.2,0.6,0.8"
    steering.fill("#control [name=boxes]", boxes)
    steering.locator("#control [name=boxes]").press("Tab")
    _, found = go(steering, "control")
    followed = maps.map_of("boxes", (32, 32), boxes=boxes)
    with pipe.attached(mz.controlnet(f"{folder}#boxes", followed)):
        prompt = steering.input_value("#control [name=prompt]")
        expected = pipe.generate(prompt, seed=7).images[0]
    assert np.array_equal(found, seen(expected))
    assert np.array_equal(shown(steering.locator(".map img").get_attribute("src")), seen(followed))
    steering.fill("#control [name=boxes]", "here")
    steering.locator("#control [name=boxes]").press("Tab")
    steering.locator("#control .said", has_text="box 'here'").wait_for()


def test_what_is_asked_for_first_goes_with_what_is_shown(page, address, pipe):
    told = abilities.told(pipe) | {"sights": ["content", "style"]}
    page.route("**/api/steering", lambda route: route.fulfill(json=told))
    page.goto(f"{address}/lessons/steering")
    page.locator("#able", has_text="at 32 pixels").wait_for()
    name, prompt = (page.locator(f"#sight [name={each}]") for each in ("name", "prompt"))
    first = prompt.input_value()
    name.select_option("style")
    second = prompt.input_value()
    name.select_option("content")
    assert first == prompt.input_value() != second
    prompt.fill("on the moon")
    name.select_option("style")
    assert prompt.input_value() == "on the moon"
    before, image = picture(page), page.locator("#picture .before")
    first = image.get_attribute("src")
    page.locator(".subjects label", has=page.get_by_role("img", name="sailboat in neon")).click()
    page.wait_for_function(
        "first => document.querySelector('#picture .before').src !== first", arg=first
    )
    assert np.asarray(picture(page)).mean() < np.asarray(before).mean() / 2  # it is dark


def test_other_edits_are_drawn(steering):
    steering.fill("#expand [name=left]", "0")
    go(steering, "expand")
    assert "48 × 32 pixels" in steering.inner_text("#expand .said")
    for section in ("source", "instruct", "word", "picture"):
        go(steering, section)


def test_low_rank_is_counted(steering, pipe):
    steering.fill("#rank", "2")
    count = abilities.low_rank(pipe.model.network, abilities.RANKS[2])
    assert steering.inner_text("#rank-of") == str(abilities.RANKS[2])
    assert f"{count:,} numbers" in steering.inner_text("#low-rank")


def test_nothing_sticks_out(steering, tmp_path):
    for width in (390, 1280):
        steering.set_viewport_size({"width": width, "height": 800})
        steering.screenshot(path=tmp_path / "page.png", full_page=True)
        assert Image.open(tmp_path / "page.png").width == width


def test_what_a_model_lacks_is_said_and_not_offered(page, address, tiny):
    page.route("**/api/steering", lambda route: route.fulfill(json=abilities.told(tiny)))
    page.goto(f"{address}/lessons/steering")
    page.locator("#able", has_text="tiny, at 32 pixels").wait_for()
    for section, recipe in (
        ("instruct", "instruct"),
        ("control", "controlnet"),
        ("sight", "ip-adapter"),
    ):
        assert not page.locator(f"#{section} form").is_visible()
        assert f"mezzotint train {recipe} --model tiny" in page.inner_text(f"#{section} .lacks")
    for section in ("strength", "mask", "expand", "source"):
        assert page.locator(f"#{section} form").is_visible()
        assert not page.locator(f"#{section} .lacks").is_visible()
