"""What comes from elsewhere, or is meant badly: refused, or of no effect, on every page there is.

Routes and pages are read from the app, so that a new one is tried as well.
"""

import re
import socket
from collections.abc import Iterator

import pytest
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from mezzotint.lab import serve as serving
from mezzotint.lab.lessons import LESSONS

PAGES = ("/", *(f"/lessons/{each.slug}" for each in LESSONS), "/studio")
MARK = "<b id=hit>fox"
MARKUP = f"\"'>{MARK}</b><img src=/none onerror=hit()><script>hit()</script>"
HOSTILE = {
    "another page's script": {"sec-fetch-site": "cross-site", "origin": "http://evil.example"},
    "an old browser's": {"origin": "http://evil.example"},
    "a sandboxed frame": {"sec-fetch-site": "cross-site", "origin": "null"},
    "a picture in another page": {"sec-fetch-site": "cross-site", "sec-fetch-dest": "image"},
    "another port of this machine": {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:1"},
    "a form": {"sec-fetch-site": "cross-site", "origin": "http://evil.example"}
    | {"sec-fetch-dest": "document", "content-type": "text/plain"},
}


def asked(client: TestClient) -> list[tuple[str, str]]:
    """Every method and address that the app answers, "1" in the place of what varies."""
    found: list[tuple[str, str]] = []
    for route in leaves(client.app.routes):
        address = re.sub(r"\{[^}]*\}", "1", route.path)
        if isinstance(route, Mount):
            found.append(("GET", f"{address}/lab.css"))
        else:
            found += [(method, address) for method in sorted(route.methods)]
    return found


def leaves(routes) -> Iterator[Route | Mount]:
    """Routes, with those of the routers among them."""
    for each in routes:
        if isinstance(each, Route | Mount):
            yield each
        else:
            yield from leaves(each.original_router.routes)


def test_there_are_routes_to_try(client):
    found = asked(client)
    assert ("GET", "/") in found
    assert ("POST", "/api/pictures") in found
    assert ("GET", "/api/draw") in found
    assert ("GET", "/static/lab.css") in found


@pytest.mark.parametrize("headers", HOSTILE.values(), ids=HOSTILE)
def test_no_route_answers_another_site(client, headers):
    for method, address in asked(client):
        answer = client.request(method, address, headers=headers)
        assert answer.status_code == 403, (method, address)


def test_no_route_answers_to_another_name(client):
    for method, address in asked(client):
        answer = client.request(method, address, headers={"host": "127.0.0.1.evil.example"})
        assert answer.status_code == 400, (method, address)
    assert client.get("/", headers={"host": "localhost:8000"}).status_code == 200


def test_what_changes_something_is_never_got(client):
    """A link is followed with GET, whoever wrote it."""
    for method, address in asked(client):
        if method in ("POST", "PUT", "PATCH", "DELETE"):
            assert address.startswith("/api/"), address


def test_no_route_takes_what_is_no_picture(client):
    """Whatever else it would be asked for: a fault of the server's own would raise here."""
    for sent in (b"", b"\xff\xfe\x00" * 99, b"\x80\x04\x95\x0b\x00\x8c\x07os.path\x94."):
        for method, address in asked(client):
            if method in ("POST", "PUT", "PATCH"):
                answer = client.request(method, address, content=sent)
                assert answer.status_code in (400, 404, 409, 413, 422), (method, address)


@pytest.mark.parametrize("up", ["%2e%2e", "..%2f..", "%2e%2e%2f%2e%2e", "..%5c..", "%00"])
def test_no_path_leads_out(client, up):
    addresses = [f"/static/{up}/app.py", f"/static/{up}/static/../../app.py", f"/lessons/{up}"]
    addresses += [f"/lessons/{up}%2fbase", f"/static//{up}/etc/passwd"]
    for _, address in asked(client):
        if address.endswith("/1"):
            addresses.append(f"{address[:-1]}{up}%2f{up}%2fetc%2fpasswd")
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code in (400, 404, 405, 422), address
        assert "FastAPI" not in answer.text
        assert "root:" not in answer.text


def test_it_listens_to_this_machine_alone(monkeypatch):
    bound: list[tuple] = []
    monkeypatch.setattr(serving, "load", lambda model: None)
    monkeypatch.setattr(
        "uvicorn.Server.run", lambda self, sockets: bound.extend(s.getsockname() for s in sockets)
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serving.serve(None, port, opens=False)
    assert bound == [("127.0.0.1", port)]


def wrought(page) -> bool:
    """Whether the markup became a part of the page, or ran."""
    elements = page.locator("#hit, img[src='/none'], main script").count()
    return elements > 0 or page.evaluate("() => 'struck' in window")


def fill(page, markup: str) -> int:
    """Write into every field for text; how many there were."""
    fields = page.locator("input[type=text], input:not([type]), input[type=search], textarea")
    count = 0
    for field in fields.all():
        if field.is_visible() and field.is_editable():
            field.fill(markup)
            count += 1
    return count


@pytest.mark.filterwarnings("ignore:the prompt is too long")
@pytest.mark.parametrize("path", PAGES)
def test_markup_is_text_on_every_page(page, address, path):
    page.add_init_script("window.hit = () => { window.struck = true; };")
    page.goto(f"{address}{path}", wait_until="networkidle")
    if not fill(page, MARKUP):
        pytest.skip("nothing is written on this page")
    asked: set = set()
    page.on("request", lambda request: asked.add(request))
    for answered in ("requestfinished", "requestfailed"):
        page.on(answered, lambda request: asked.discard(request))
    for form in page.locator("form:visible").all():
        form.evaluate("form => form.requestSubmit()")
    for _ in range(20):
        page.wait_for_timeout(100)
        if not asked:  # a long drawing is watched for as long as this takes
            break
    assert not wrought(page)


def test_markup_that_were_not_text_is_found(page, address):
    page.goto(address)
    page.locator("#main").evaluate(
        "(m, markup) => m.insertAdjacentHTML('beforeend', markup)", MARKUP
    )
    assert wrought(page)


@pytest.mark.filterwarnings("ignore:the prompt is too long")
def test_markup_in_what_the_gallery_keeps_is_text(page, address):
    """What was drawn once is shown on every later visit."""
    page.goto(f"{address}/studio", wait_until="networkidle")
    page.fill("#prompt", MARKUP)
    page.click("#go")
    page.locator("#go:enabled").wait_for()
    page.goto(f"{address}/studio", wait_until="networkidle")
    page.locator(f"[alt*='{MARK}'], [aria-label*='{MARK}'], :text('{MARK}')").first.wait_for()
    assert not wrought(page)
