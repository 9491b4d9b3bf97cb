"""The lab with a Stable Diffusion checkpoint instead of our own model: every page, and drawing."""

from dataclasses import replace

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
    pipe = mz.load(path / "model", device="cpu")
    family = replace(pipe.model.family, size=64)  # of what is drawn; 512 takes its time
    return replace(pipe, model=replace(pipe.model, family=family))


@pytest.fixture
def refused(page) -> list[str]:
    """What the lab has refused the page."""
    found: list[str] = []
    page.on("response", lambda r: r.status >= 400 and found.append(f"{r.status} {r.url}"))
    return found


@pytest.mark.parametrize("slug", [each.slug for each in LESSONS])
def test_every_lesson_opens_and_asks_for_nothing_that_the_model_lacks(page, address, refused, slug):
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{address}/lessons/{slug}", wait_until="networkidle")
    assert page.locator("h1").count() == 1
    assert refused == []


def test_it_draws_on_the_first_page(page, address, refused):
    page.emulate_media(reduced_motion="reduce")
    page.goto(address, wait_until="networkidle")
    page.fill("#prompt", "a fox")
    page.click("#go")
    page.locator("#said", has_text="Drawn").wait_for()
    assert refused == []


def test_it_draws_in_the_studio(studio, refused):
    studio.click("#go")
    studio.locator("#counted", has_text="1 picture").wait_for()
    assert refused == []
