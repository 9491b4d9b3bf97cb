"""How quick the lab is on this machine: `python bench/lab.py`.

Serves the embedded model as `mezzotint lab` does and visits it with Chromium. Prints a table and
writes it into docs/benchmarks.md; `--times 1 --steps 4 --dry` is a trial that writes nothing. With
--pictures it makes the pictures of docs/lab.md and measures nothing.
"""

import argparse
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from os import getloadavg
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, Request, sync_playwright
from speed import PROMPT, REPORT

from mezzotint.bench.page import machine, write

DOCS = Path(__file__).parents[1] / "docs"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
BROWSERS = ("chromium", "chromium-browser", "chromium-headless-shell")
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
PREVIEWED = """() => new Promise((seen) => {
    const main = document.getElementById("main");
    const watch = new MutationObserver(async (changes) => {
        const images = changes.flatMap(({target, addedNodes}) => [target, ...addedNodes]);
        const fresh = images.find((each) => each.src?.startsWith("data:"));
        if (!fresh) return;
        watch.disconnect();
        await fresh.decode();
        seen(performance.now() - began);
    });
    watch.observe(main, {subtree: true, childList: true, attributes: true});
    const began = performance.now();
    document.getElementById("go").click();
})"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--times", type=int, default=7, help="that each figure is taken")
    options.add_argument("--steps", type=int, default=30, help="of the drawings that are timed")
    options.add_argument("--dry", action="store_true", help="write nothing")
    options.add_argument("--pictures", action="store_true", help="make the docs' pictures")
    args = options.parse_args()
    with ExitStack() as stack:
        address, browser = stack.enter_context(served()), stack.enter_context(chromium())
        if args.pictures:
            pictures(browser, address)
            return
        figures = section(browser, address, args.times, args.steps)
    print(figures)
    if not args.dry:
        write(REPORT, figures)


@contextmanager
def served() -> Iterator[str]:
    """The lab's address while it is served, with an empty gallery."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as gallery:
        lab = [sys.executable, "-m", "mezzotint", "lab", "--no-browser", "--port", str(port)]
        server = subprocess.Popen([*lab, "--gallery", gallery], stdout=subprocess.PIPE)
        try:
            assert server.stdout is not None
            if b"The lab is at" not in server.stdout.readline():
                sys.exit("the lab did not start")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


@contextmanager
def chromium() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


def section(browser: Browser, address: str, times: int, steps: int) -> str:
    """The figures as Markdown."""
    load = getloadavg()[0]
    weight, paint = first_lesson(browser, address, times)
    emerge = first_preview(browser, f"{address}/lessons/emerge", times)
    studio = first_preview(browser, f"{address}/studio", times)
    alone = [visit(address, steps) for _ in range(times)]
    gaps = [gap for each in alone for gap in between(each)]
    free = statistics.median([freed(address, steps) for _ in range(times)])
    first = statistics.median([each[0] for each in alone])
    together = [two(address, steps) for _ in range(times)]
    usual = [statistics.median([gap for p in together for gap in between(p[k])]) for k in (0, 1)]
    waits = [statistics.median([max(between(pair[k])) for pair in together]) for k in (0, 1)]
    median = statistics.median(gaps)
    longest = statistics.median([max(between(each)) for each in alone])
    rows = [
        ("the first lesson's page, all told", f"{weight / 1000:.0f} kB", "≤ 300 kB"),
        ("its first paint", f"{paint / 1000:.2f} s", "≤ 0.5 s"),
        ("first preview after *Emerge*", f"{emerge:.0f} ms", "≤ 300 ms"),
        ("first preview after *Generate* in the studio", f"{studio:.0f} ms", "≤ 300 ms"),
        ("a step of a drawing, alone: median", ms(median), ""),
        ("the longest step of a drawing, alone", f"{ms(longest)}", ""),
        (
            "a drawing's first step after another was cancelled, against alone",
            f"{ms(free)} / {ms(first)}",
            "≤ a step more",
        ),
        (
            "two visitors at once: from step to step, median of each",
            f"{ms(usual[0])}, {ms(usual[1])}",
            f"2 steps, {ms(2 * median)}",
        ),
        (
            "two visitors at once: the longest from step to step, of each",
            f"{ms(waits[0])}, {ms(waits[1])}",
            f"≤ 2 steps and a beginning, {ms(2 * longest + first - median)}",
        ),
    ]
    table = "\n".join(f"| {what} | {figure} | {reach} |" for what, figure, reach in rows)
    return (
        "## The lab\n\n"
        f"| | measured | to reach |\n|---|---|---|\n{table}\n\n"
        f"Medians of {times}, over loopback, in Chromium and over HTTP, of drawings of {steps} "
        "steps with guidance on the embedded model that show x̂₀. Two visitors take turns a step "
        "at a time, so each waits for its own step and one of the other's; a beginning is what a "
        "first step takes longer than another, for it reads the prompt. On "
        f"{machine()}; the load average was {load:.1f} when it began. "
        "Made by `python bench/lab.py`.\n"
    )


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def first_lesson(browser: Browser, address: str, times: int) -> tuple[int, float]:
    """Bytes of the first lesson's page with all that it loads, and ms to its first paint."""
    paints: list[float] = []
    sizes: list[int] = []
    for _ in range(times):
        context = browser.new_context(viewport={"width": 1280, "height": 900})  # nothing cached
        page = context.new_page()
        sizes.clear()
        page.on("requestfinished", lambda r: sizes.append(answered(r)))
        page.goto(f"{address}/lessons/dissolve")
        page.locator("#now").wait_for(state="attached")
        page.wait_for_load_state("networkidle")
        paints.append(page.evaluate(PAINTED))
        context.close()
    return sum(sizes), statistics.median(paints)


def answered(request: Request) -> int:
    """Bytes that came back for a request."""
    sizes = request.sizes()
    return sizes["responseHeadersSize"] + sizes["responseBodySize"]


def first_preview(browser: Browser, address: str, times: int) -> float:
    """Milliseconds from the button to a picture that the browser has decoded."""
    page = browser.new_page()
    page.goto(address, wait_until="networkidle")
    page.fill("#prompt", PROMPT)
    found: list[float] = []
    for _ in range(times + 1):
        found.append(page.evaluate(PREVIEWED))
        if page.is_enabled("#stop"):
            page.click("#stop")
        page.locator("#go:enabled").wait_for()
    page.close()
    return statistics.median(found[1:])  # the first one warms the model


def visit(address: str, steps: int, leave_after: int | None = None) -> list[float]:
    """Seconds until each step of a drawing, from when it was asked for."""
    asked = urlencode({"prompt": PROMPT, "steps": steps, "seed": 7})
    came: list[float] = []
    began = time.perf_counter()
    with urlopen(f"{address}/api/draw?{asked}", timeout=600) as events:
        for line in events:
            if line == b"event: step\n":
                came.append(time.perf_counter() - began)
            if len(came) == leave_after:
                break
    return came


def between(came: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(came)]


def freed(address: str, steps: int) -> float:
    """Seconds to the first step of a drawing that is asked for as another visitor leaves."""
    visit(address, steps, leave_after=2)
    return visit(address, steps)[0]


def two(address: str, steps: int) -> list[list[float]]:
    """Two drawings at once: the seconds from step to step of each."""
    came: list[list[float]] = [[], []]

    def visitor(k: int) -> None:
        came[k] = visit(address, steps)

    visitors = [threading.Thread(target=visitor, args=(k,)) for k in (0, 1)]
    for each in visitors:
        each.start()
    for each in visitors:
        each.join()
    return came


def pictures(browser: Browser, address: str) -> None:
    """The pages as docs/lab.md shows them."""
    for name, (path, scheme, act) in SHOWN.items():
        page = browser.new_page(
            viewport={"width": 1280, "height": 860}, color_scheme=scheme, reduced_motion="reduce"
        )
        page.goto(address + path, wait_until="networkidle")
        act(page)
        file = DOCS / f"lab-{name}.jpg"
        page.screenshot(path=file, type="jpeg", quality=82)
        page.close()
        print(f"{file} {file.stat().st_size / 1000:.0f} kB")


def _begun(page: Page) -> None:
    page.click("#go")
    page.locator("#said", has_text="Drawn").wait_for(timeout=LONG)


def _emerged(page: Page) -> None:
    page.fill("#steps", "30")
    page.select_option("#sampler", "dpmpp_2m")
    page.click("#go")
    page.locator("#go:enabled").wait_for(timeout=LONG)
    page.fill("#scrub", "9")
    _top(page, "#said")


def _gone(page: Page) -> None:
    """What the page's first button does, from where it begins."""
    page.locator("#go:enabled").click(timeout=LONG)
    page.wait_for_timeout(SETTLED)
    done = "#stop:disabled" if page.locator("#stop").count() else "#go:enabled"
    page.locator(done).wait_for(timeout=LONG)
    _looked_at(page)


def _looked_at(page: Page) -> None:
    page.wait_for_timeout(SETTLED)
    _top(page, ".stage")


def _dissolved(page: Page) -> None:
    page.fill("#t", "350")
    _looked_at(page)


def _in_a_style(page: Page) -> None:
    page.locator("#able", has_text="pixels").wait_for(timeout=LONG)
    page.locator(".subjects label", has=page.get_by_role("img", name="sailboat in neon")).click()
    page.select_option("#sight [name=name]", "style")
    page.locator("#sight form button").first.click()
    page.locator("#sight .said", has_text="Done").wait_for(timeout=LONG)
    _top(page, "#sight")


def _measured(page: Page) -> None:
    page.locator("#measure:enabled").wait_for(timeout=LONG)
    _top(page, ".stage")


def _made(page: Page) -> None:
    for prompt in DRAWN:
        page.fill("#prompt", prompt)
        page.fill("#set-batch", "2")
        page.click("#go")
        page.locator("#go:enabled").wait_for(timeout=LONG)
    page.evaluate("() => scrollTo(0, 0)")


def _top(page: Page, what: str) -> None:
    """Scroll so that something is at the top."""
    page.locator(what).first.evaluate("each => scrollBy(0, each.getBoundingClientRect().y - 20)")


LONG = 600_000  # ms, for a machine that has much else to do
SETTLED = 3000
DRAWN = (
    "a castle on a beach at sunset",
    "a rocket in space",
    "a red apple on a blue background",
    PROMPT,
)
SHOWN: dict[str, tuple[str, str, Callable[[Page], None]]] = {
    "contents": ("/", "light", _begun),
    "emerge": ("/lessons/emerge", "light", _emerged),
    "text": ("/lessons/text", "dark", _gone),
    "dissolve": ("/lessons/dissolve", "light", _dissolved),
    "trick": ("/lessons/trick", "dark", _gone),
    "latents": ("/lessons/latents", "light", _gone),
    "guidance": ("/lessons/guidance", "light", _gone),
    "samplers": ("/lessons/samplers", "dark", _gone),
    "steering": ("/lessons/steering", "light", _in_a_style),
    "kinds": ("/lessons/kinds", "dark", _gone),
    "wild": ("/lessons/wild", "light", _looked_at),
    "production": ("/lessons/production", "dark", _measured),
    "studio": ("/studio", "light", _made),
}


if __name__ == "__main__":
    main()
