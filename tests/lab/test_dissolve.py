"""Lesson 1 in a real browser: what it shows is what ``Process`` computes."""

import re

import pytest
import torch
from PIL import Image

from mezzotint.diffusion import Process


def numbers(page) -> dict[str, list[str]]:
    rows = page.locator("#numbers tbody tr").all()
    return {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows}


def opened(page, address) -> None:
    """The lesson with its first picture drawn, which is decoded after the numbers are there."""
    page.goto(f"{address}/lessons/dissolve")
    page.locator("canvas[aria-label]").first.wait_for()


def test_dissolve_shows_the_processes_numbers(page, address):
    opened(page, address)
    page.fill("#t", "350")
    shown = numbers(page)
    for name, process, t in (
        ("linear", Process.linear(), 349.0),
        ("scaled-linear", Process.scaled_linear(), 349.0),
        ("cosine", Process.cosine(), 0.35),
        ("flow", Process.flow(), 0.35),
    ):
        at = torch.tensor(t, dtype=torch.float64)
        found = [float(each) for each in shown[name]]
        true = [f(at).item() for f in (process.alpha_bar, process.alpha, process.sigma)]
        assert found[:3] == pytest.approx(true, abs=6e-4)
        assert found[3] == pytest.approx(process.snr(at).item(), rel=2e-3)
    page.fill("#t", "0")
    assert {row[3] for row in numbers(page).values()} == {"∞"}


def test_dissolve_goes_by_keyboard_and_by_itself(page, address):
    opened(page, address)
    page.focus("#t")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.inner_text("#steps") == "3"
    before = page.locator("canvas").first.screenshot()
    page.check("#alone")
    assert page.locator("canvas").first.screenshot() != before
    page.click("#play")
    page.locator("#steps", has_not_text=re.compile("^3$")).wait_for()  # a frame has passed
    page.click("#play")
    assert int(page.inner_text("#steps")) > 3


def test_dissolve_takes_ones_own_picture_and_says_what_is_none(page, address, tmp_path):
    opened(page, address)
    Image.new("RGB", (50, 80), "#ff0000").save(tmp_path / "red.png")
    (tmp_path / "no.png").write_text("not a picture")
    page.set_input_files("#file", tmp_path / "red.png")
    page.locator(".subjects input:checked").wait_for(state="detached")
    page.locator("canvas").first.screenshot(path=tmp_path / "seen.png")
    with Image.open(tmp_path / "seen.png") as seen:
        assert seen.convert("RGB").getpixel((40, 40)) == (255, 0, 0)
    page.set_input_files("#file", tmp_path / "no.png")
    page.get_by_role("status").filter(has_text="no picture").wait_for()
