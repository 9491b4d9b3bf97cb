"""What all pages have, in a real browser: the bar, light and dark, print, any width.

The pages' policy forbids eval, so nothing here waits by ``wait_for_function``.
"""

import re

import pytest

from mezzotint.lab.lessons import LESSONS
from mezzotint.lab.source import ROOT

LIGHTEST = 300_000  # bytes of the first lesson's page, all told
PAGES = ("/", *(f"/lessons/{each.slug}" for each in LESSONS), "/lessons/alchemy", "/studio")


def test_the_first_page_is_light(page, address):
    sizes: list[int] = []
    page.on("requestfinished", lambda r: sizes.append(r.sizes()["responseBodySize"]))
    page.goto(f"{address}/lessons/dissolve")
    page.locator("#now").wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    assert 20_000 < sum(sizes) <= LIGHTEST


def test_emerge_says_what_is_wrong(page, address):
    page.goto(f"{address}/lessons/emerge")
    page.fill("#prompt", "a fox <lora:nowhere:1>")
    page.click("#go")
    page.locator("#said", has_text=re.compile("nowhere")).wait_for()
    assert page.is_enabled("#go")


def test_the_first_page_draws_by_itself(page, address):
    page.goto(address)
    plate = page.locator("#plate[src^='data:image']")
    plate.wait_for()
    page.locator("#said", has_text="Drawn").wait_for()
    assert re.fullmatch(r"Step (\d+) of \1", page.inner_text("#step"))
    before = plate.get_attribute("src")
    page.fill("#prompt", "a castle")
    page.click("#go")
    page.locator("#said", has_text="Drawn").wait_for()
    assert page.get_attribute("#plate", "alt") == "a castle"
    assert plate.get_attribute("src") != before


def test_the_first_page_says_what_it_cannot_draw(page, address):
    page.emulate_media(reduced_motion="reduce")
    page.goto(address, wait_until="networkidle")
    assert page.get_attribute("#plate", "src") == "/static/plate.svg"  # nothing moves by itself
    page.fill("#prompt", "a fox <lora:nowhere:1>")
    page.click("#go")
    page.locator("#said", has_text="nowhere").wait_for()


@pytest.mark.parametrize("slug", [*(each.slug for each in LESSONS), "studio"])
def test_every_page_has_an_emblem(slug: str):
    assert (ROOT / "lab" / "pages" / "emblems" / f"{slug}.svg").is_file()


def test_one_goes_on_from_lesson_to_lesson(page, address):
    page.goto(f"{address}/lessons/{LESSONS[0].slug}")
    for each in LESSONS[1:]:
        page.click("a[rel=next]", no_wait_after=True)
        page.wait_for_url(f"**/lessons/{each.slug}", wait_until="commit")
    assert page.locator("a[rel=next]").count() == 0
    page.click("a[rel=prev]")
    page.wait_for_url(f"**/lessons/{LESSONS[-2].slug}")
    assert page.locator("#index [aria-current=page]").inner_text() == LESSONS[-2].title


def test_on_paper_are_the_words_and_all_of_the_code(page, address):
    page.goto(f"{address}/lessons/dissolve")
    second = page.locator("details:not([open]) pre").first
    assert not second.is_visible()
    assert page.is_visible("#theme")
    page.emulate_media(media="print", color_scheme="dark")
    assert second.is_visible()
    assert not page.is_visible("#theme")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )


def test_light_and_dark_are_kept(page, address):
    page.goto(address)

    def paper() -> bytes:
        return page.screenshot(clip={"x": 5, "y": 5, "width": 1, "height": 1})

    light = paper()
    page.click("#theme")
    dark = paper()
    assert dark != light
    page.reload()
    assert paper() == dark


@pytest.mark.parametrize("path", PAGES)
def test_nothing_sticks_out_at_any_width(page, address, path):
    page.goto(address + path)
    for width in (390, 820, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("() => document.scrollingElement.scrollWidth") <= width
