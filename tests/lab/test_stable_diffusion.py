"""The lab with a Stable Diffusion checkpoint instead of our own model: every page, and drawing."""

import pytest
import references

import mezzotint as mz
from mezzotint.lab.lessons import LESSONS
from mezzotint.pipeline.pipeline import Pipeline


@pytest.fixture(scope="module")
def pipe(tmp_path_factory) -> Pipeline:
    """A folder as diffusers has them, with random weights of tiny networks."""
    path = tmp_path_factory.mktemp("sd")
    references.pipeline("sd1", path / "words").save_pretrained(path / "model")
    return mz.load(path / "model", device="cpu")


@pytest.fixture
def refused(page) -> list[str]:
    """What the lab has refused the page."""
    found: list[str] = []
    page.on(
        "response", lambda r: r.status >= 400 and found.append(f"{r.status} {r.url} {r.text()}")
    )
    return found


@pytest.mark.parametrize("slug", [each.slug for each in LESSONS])
def test_every_lesson_opens_and_asks_for_nothing_that_the_model_lacks(page, address, refused, slug):
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{address}/lessons/{slug}", wait_until="networkidle")
    assert page.locator("h1").count() == 1
    assert refused == []


def test_it_draws_on_the_first_pages(page, address, refused):
    for path in ("/", "/lessons/emerge"):
        page.emulate_media(reduced_motion="reduce")
        page.goto(f"{address}{path}", wait_until="networkidle")
        page.fill("#prompt", "a fox")
        page.click("#go")
        page.locator("#said", has_text="Drawn").wait_for()
    assert refused == []


def test_it_draws_in_the_studio(studio, refused):
    studio.click("#go")
    studio.locator("#counted", has_text="1 picture").wait_for()
    assert refused == []
