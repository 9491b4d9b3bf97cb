"""The lab as it is served, with the tiny model, and a real browser to see it in."""

import shutil
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from mezzotint.lab.app import create
from mezzotint.pipeline.pipeline import Pipeline

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def pipe(tiny_model) -> Pipeline:
    """What draws at ``address``; a module that wants another has a fixture of this name."""
    return Pipeline(tiny_model, "tiny")


@pytest.fixture(scope="module")
def address(pipe) -> Iterator[str]:
    config = uvicorn.Config(create(lambda: pipe), port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("this machine has no Chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """A page that fails the test on any fault of a script and any request to elsewhere."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda request: (
            request.url.startswith((address, "data:", "blob:")) or faults.append(request.url)
        ),
    )
    yield page
    page.close()
    assert faults == []
