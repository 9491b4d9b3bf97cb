"""The lesson on latents: what is shown of them, what they cost, and what a change of them does."""

import io
import json
import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mezzotint.errors import InputError
from mezzotint.lab.lessons import latents
from mezzotint.lab.lessons.latents import Nudge, changed, in_bytes, jpeg_within, psnr, reach

SUBJECT = "src/mezzotint/lab/static/subjects/fox.webp"


@pytest.fixture
def fox(pytestconfig) -> Image.Image:
    with Image.open(pytestconfig.rootpath / SUBJECT) as picture:
        return picture.convert("RGB")


def brought(client, picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return client.post("/api/pictures", content=file.getvalue()).json()["picture"]


def told(client, path: str, asked) -> dict[str, dict]:
    """The last event of each name."""
    text = client.get(path, params=asked).text
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return {name: json.loads(said) for name, said in found}


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=25)
@given(st.floats(1e-3, 1))
def test_psnr_of_an_even_error_is_known(error: float) -> None:
    image = 0.1 * noise(1, 3, 8, 8)
    assert psnr(image, image + error) == pytest.approx(20 * math.log10(2 / error), abs=1e-2)
    assert psnr(image, image) == math.inf


@settings(max_examples=25)
@given(st.integers(0, 99), st.floats(0.1, 10))
def test_bytes_are_off_by_half_a_step_at_most(seed: int, width: float) -> None:
    sharp = width * noise(1, 4, 8, 8, seed=seed)
    kept, size = in_bytes(sharp)
    assert size == 4 * 8 * 8 + 4 * 8
    for channel, whole in zip(kept[0], sharp[0], strict=True):
        step = (whole.max() - whole.min()) / 255
        assert (channel - whole).abs().max() <= 0.51 * step
        assert len(((channel - whole.min()) / step).round().unique()) <= 256
    assert not torch.equal(kept, sharp)


def test_an_even_channel_is_kept_whole() -> None:
    even = torch.full((1, 4, 8, 8), 0.7)
    assert torch.equal(in_bytes(even)[0], even)


@settings(max_examples=15)
@given(st.integers(900, 6000))
def test_a_better_jpeg_would_be_too_large(size: int) -> None:
    picture = Image.effect_noise((48, 48), 60).convert("RGB")
    file, quality = jpeg_within(picture, size)
    better = io.BytesIO()
    picture.save(better, "JPEG", quality=quality + 1, optimize=True)
    assert len(file) <= size
    assert quality == latents.BEST_JPEG or len(better.getvalue()) > size


def test_where_no_jpeg_is_so_small_it_is_the_smallest(fox: Image.Image) -> None:
    file, quality = jpeg_within(fox, 10)
    assert (quality, len(file) > 10) == (1, True)


@settings(max_examples=25)
@given(st.integers(0, 3), st.integers(0, 7), st.integers(0, 7), st.floats(-5, 5))
def test_a_nudge_moves_one_number(channel: int, row: int, column: int, add: float) -> None:
    whole = noise(1, 4, 8, 8)
    moved = changed(whole, [], [Nudge(channel, row, column, add)]) - whole
    assert moved[0, channel, row, column].item() == pytest.approx(add, abs=1e-5)
    moved[0, channel, row, column] = 0
    assert moved.abs().max() == 0


def test_channels_are_scaled_before_numbers_are_moved() -> None:
    whole = noise(1, 4, 8, 8)
    moved = changed(whole, [1, 0.5], [Nudge(1, 2, 3, 1.0)])
    expected = whole.clone()
    expected[:, 1] *= 0.5
    expected[0, 1, 2, 3] += 1
    assert torch.equal(moved, expected)
    assert torch.equal(whole, noise(1, 4, 8, 8))


@pytest.mark.parametrize("place", [(4, 0, 0), (0, 8, 0), (0, 0, 8), (-1, 0, 0)])
def test_a_number_that_is_not_there_cannot_be_moved(place: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="4 channels of 8 rows and 8 columns"):
        changed(noise(1, 4, 8, 8), [], [Nudge(*place, 1.0)])
    with pytest.raises(InputError, match="5 scales: this latent has 4 channels"):
        changed(noise(1, 4, 8, 8), [1] * 5, [])


@settings(max_examples=25)
@given(st.integers(0, 10), st.integers(0, 10), st.integers(1, 6), st.integers(1, 6))
def test_reach_is_the_box_of_the_change(x: int, y: int, width: int, height: int) -> None:
    before = torch.zeros(1, 3, 16, 16)
    after = before.clone()
    after[:, 1, y : y + height, x : x + width] = -0.5
    after[:, :, 15, 15] += 0.01  # a fiftieth of it is no part
    assert reach(before, after) == (width, height)
    assert reach(before, before) == (0, 0)


def test_what_is_told_is_what_the_model_makes(client, tiny, fox: Image.Image) -> None:
    name = brought(client, fox)
    answers = told(client, "/api/latents", {"picture": name})
    seen = latents.through(tiny.model, fox)
    side, factor = tiny.model.family.size, tiny.model.factor
    assert answers["seen"]["pixels"] == 3 * side**2
    assert answers["seen"]["latents"] == 4 * (side // factor) ** 2
    for channel, whole in zip(answers["seen"]["channels"], seen.latents[0], strict=True):
        assert torch.tensor(channel["values"]).sub(whole).abs().max() < 1e-3
        assert channel["mean"] == pytest.approx(whole.mean().item())
    assert answers["seen"]["psnr"] == pytest.approx(psnr(seen.image, seen.decoded))
    kept, size = in_bytes(seen.latents)
    assert answers["done"]["latents"]["bytes"] == size
    decoded = latents.decode(tiny.model, kept)
    assert answers["done"]["latents"]["psnr"] == pytest.approx(psnr(seen.image, decoded))
    jpeg = answers["done"]["jpeg"]
    assert jpeg["bytes"] <= size or jpeg["quality"] == 1


def test_a_change_is_told_beside_none(client, fox: Image.Image) -> None:
    name = brought(client, fox)
    same = told(client, "/api/latents/nudged", {"picture": name, "scale": [1, 1]})["done"]
    assert (same["reach"], same["most"]) == ([0, 0], 0)
    assert same["pictures"]["before"] == same["pictures"]["after"]
    moved = told(client, "/api/latents/nudged", {"picture": name, "add": ["0,1,1,3"]})["done"]
    assert moved["most"] > 0
    assert moved["pictures"]["before"] == same["pictures"]["before"]
    assert moved["pictures"]["difference"] != same["pictures"]["difference"]


def test_mixtures_are_told_from_end_to_end(client, fox: Image.Image) -> None:
    pair = {"one": brought(client, fox), "other": brought(client, fox.rotate(180))}
    ends = [told(client, "/api/latents/between", {**pair, "share": k})["done"] for k in (0, 0.5, 1)]
    assert (ends[0]["psnr"], ends[2]["psnr"]) == (None, None)  # no difference
    assert ends[1]["psnr"] < 100  # halfway a decoder is not linear
    assert ends[0]["pictures"]["after"] != ends[2]["pictures"]["after"]


def test_what_is_drawn_can_be_looked_at(client, tiny) -> None:
    drawn = told(client, "/api/latents/draw", {"prompt": "a fox", "seed": 2})
    assert drawn["step"]["index"] == drawn["step"]["total"] - 1
    picture = tiny.generate("a fox", seed=2).images[0]
    assert drawn["done"]["picture"] == brought(client, picture)


@pytest.mark.parametrize(
    ("path", "asked", "said"),
    [
        ("", {}, "bring it again"),
        ("/nudged", {"add": "0,99,0,1"}, "8 rows"),
        ("/nudged", {"add": "<b>"}, "give channel,row,column,number"),
        ("/nudged", {"add": "0,0,0,nan"}, "give a number from"),
        ("/nudged", {"scale": "1e9"}, "give a number from"),
    ],
)
def test_what_cannot_be_shown_is_said(client, fox, path: str, asked: dict, said: str) -> None:
    picture = brought(client, fox) if asked else "none"
    answers = told(client, f"/api/latents{path}", {"picture": picture, **asked})
    assert said in answers["refused"]["why"]


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


@pytest.fixture
def lesson(page, address):
    page.goto(f"{address}/lessons/latents")
    page.locator("#jpeg-psnr", has_text="dB").wait_for()
    page.locator("#moved", has_text="Nothing").wait_for()
    return page


def test_the_page_shows_the_models_numbers(lesson, tiny, fox: Image.Image) -> None:
    seen = latents.through(tiny.model, fox)
    assert number(lesson.inner_text("#numbers")) == seen.latents.numel()
    assert number(lesson.inner_text("#times")) == seen.image.numel() / seen.latents.numel()
    shown = number(lesson.inner_text("#out-psnr").removesuffix(" dB"))
    assert shown == pytest.approx(psnr(seen.image, seen.decoded), abs=0.06)
    captions = lesson.locator("#channels figcaption").all_inner_texts()
    for caption, channel in zip(captions, seen.latents[0], strict=True):
        least, most, mean = (number(each) for each in re.findall(r"−?\d+\.\d+", caption))
        expected = channel.min().item(), channel.max().item(), channel.mean().item()
        assert (least, most, mean) == pytest.approx(expected, abs=6e-3)


def test_a_number_is_chosen_by_keyboard_and_moved(lesson, tiny, fox: Image.Image) -> None:
    lesson.locator("#channels canvas").nth(2).focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        lesson.keyboard.press(key)
    value = latents.through(tiny.model, fox).latents[0, 2, 6, 5].item()
    where, _, shown = lesson.inner_text("#cell").partition(": ")
    assert where == "channel 3, row 7, column 6"
    assert number(shown) == pytest.approx(value, abs=6e-3)
    before = lesson.get_attribute("#nudged-after", "src")
    lesson.fill("#add", "4")
    lesson.locator("#moved", has_text="differs").wait_for()
    assert lesson.get_attribute("#nudged-after", "src") != before
    assert lesson.inner_text("#cell").endswith("+ 4.0")
    lesson.click("#back")
    lesson.locator("#moved", has_text="Nothing").wait_for()
    assert lesson.get_attribute("#nudged-after", "src") == before


def test_a_channel_is_chosen_by_a_click_and_scaled(lesson) -> None:
    canvas = lesson.locator("#channels canvas").nth(1)
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] - 2, "y": 2})
    assert lesson.inner_text("#cell").startswith("channel 2, row 1, column 8:")
    lesson.locator("#channels .scale").nth(1).fill("0")
    lesson.locator("#moved", has_text="differs").wait_for()


def test_the_page_draws_and_says_what_is_wrong(lesson) -> None:
    lesson.click("#go")
    lesson.locator("#said", has_text="This is what was drawn").wait_for()
    lesson.fill("#prompt", "a fox <lora:nowhere:1>")
    lesson.click("#go")
    lesson.locator("#said", has_text="nowhere").wait_for()
    assert lesson.is_enabled("#go")


def test_two_pictures_are_mixed(lesson) -> None:
    lesson.fill("#share", "0.5")
    lesson.locator("#apart", has_text="dB").wait_for()
    lesson.fill("#share", "0")
    lesson.locator("#apart", has_text="no difference").wait_for()
    assert lesson.inner_text("#shared") == "0 %"


def test_nothing_of_it_sticks_out(lesson) -> None:
    for width in (390, 1280):
        lesson.set_viewport_size({"width": width, "height": 800})
        assert Image.open(io.BytesIO(lesson.screenshot(full_page=True))).width == width
