"""The studio's page as tests use it: what is drawn there, and what its gallery has."""

import io
import json
from urllib.request import urlopen

import numpy as np
from PIL import Image


def told(address: str, path: str):
    with urlopen(f"{address}/api/studio/{path}", timeout=60) as answer:
        return json.load(answer)


def pixels(address: str, own: str) -> np.ndarray:
    with urlopen(f"{address}/api/studio/pictures/{own}/file", timeout=60) as answer:
        return np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB"))


def ids(page) -> list[str]:
    return [tile.get_attribute("data-id") for tile in page.locator(".tile").all()]


def drawn(page, **settings) -> list[str]:
    """Ids of what is drawn when these are put into the form, newest first."""
    before = ids(page)
    for name, value in settings.items():
        page.fill(f"#set-{name}", str(value))
    page.click("#go")
    finished(page)
    return [each for each in ids(page) if each not in before]


def finished(page) -> None:
    page.locator("#said", has_text="Done").wait_for()
    page.locator("#go:enabled").wait_for()
