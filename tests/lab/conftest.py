"""The lab as it is served, with the tiny model, and a real browser to see it in."""

import importlib.util
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import uvicorn
from atelier import told
from starlette.testclient import TestClient
from steered import steered

import mezzotint as mz
from mezzotint.lab.app import create
from mezzotint.pipeline.pipeline import Pipeline

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
PATIENCE = 120_000  # ms: a machine that has much else to do is no fault of a page
GRAVE = ("serious", "critical")
LOOK = """rules => axe.run(document, {
    resultTypes: ["violations"], ...(rules && {runOnly: {type: "rule", values: rules}}),
}).then(found => found.violations.map(each =>
    [each.impact, each.id, each.nodes.map(node => node.html.slice(0, 120)).join(" ")]))"""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def pipe(tiny_model) -> Pipeline:
    """What draws at ``address``; a module that wants another has a fixture of this name."""
    return Pipeline(tiny_model, "tiny")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A model with all that steers it beside it."""
    return steered(tmp_path_factory.mktemp("steered"))


@pytest.fixture(scope="module")
def steered_pipe(folder: Path) -> Iterator[Pipeline]:
    """That model, where its LoRAs and words are found too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEZZOTINT_MODELS", str(folder.parent))
        yield mz.load(folder)


@pytest.fixture(scope="module")
def client(pipe) -> Iterator[TestClient]:
    """Asks a lab without a browser; its routes take a while to be made, so tests share it."""
    with TestClient(create(lambda: pipe), base_url="http://127.0.0.1") as client:
        yield client


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
    page.set_default_timeout(PATIENCE)
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


@pytest.fixture
def bare(browser):
    """A page whose policy is put aside, which axe-core is not allowed by."""
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


@pytest.fixture
def studio(page, address):
    """The page with an empty gallery, and a form that asks for little."""
    for each in told(address, "pictures?limit=200")["pictures"]:
        with urlopen(Request(f"{address}/api/studio/pictures/{each['id']}", method="DELETE")):
            pass
    page.goto(f"{address}/studio")
    page.locator("#counted", has_text="Nothing yet").wait_for()
    page.fill("#prompt", "a fox in the snow")
    page.fill("#set-steps", "2")
    return page


@pytest.fixture(scope="session")
def grave() -> Callable[..., list[list[str]]]:
    """What axe-core finds in a page, which has no policy, that makes it unusable to some readers.

    It is called with the page and, if not all, the rules; each finding is impact, rule and where.
    """
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe-playwright-python is not installed")
    axe = (Path(found.origin).parent / "axe.min.js").read_text()

    def looked(page, rules: list[str] | None = None) -> list[list[str]]:
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(f"() => {{ {axe} }}")
        return [each for each in page.evaluate(LOOK, rules) if each[0] in GRAVE]

    return looked
