"""Deleting in the studio: one picture by a press, and every one of them can be brought back."""

from collections.abc import Callable
from typing import Any

from atelier import drawn, ids, told

HELD = 4  # times that a key which is held is told


def kept(address: str) -> list[str]:
    return [each["id"] for each in told(address, "pictures")["pictures"]]


def hold(page, key: str, times: int = HELD) -> None:
    """As a keyboard repeats it; long enough apart for what one of them asks to be answered."""
    for _ in range(times):
        page.keyboard.down(key)
        page.wait_for_timeout(300)
    page.keyboard.up(key)


def deletions(page, answer: Callable[[Any], None]) -> None:
    """Answer what asks for one in the server's place."""

    def asked(route) -> None:
        if route.request.method == "DELETE":
            answer(route)
        else:
            route.continue_()

    page.route("**/api/studio/pictures/*", asked)


def test_a_key_that_is_held_deletes_one(studio, address):
    own = drawn(studio, batch=HELD, seed=1)
    studio.locator(".tile .open").first.focus()
    hold(studio, "Delete")
    assert ids(studio) == kept(address) == own[1:]
    studio.keyboard.press("Enter")
    studio.locator("#opened-title").wait_for()
    hold(studio, "Delete")
    assert ids(studio) == kept(address) == own[2:]
    hold(studio, "f", 2)
    assert studio.get_attribute("#opened-favourite", "aria-pressed") == "true"
    hold(studio, "z")
    assert ids(studio) == kept(address) == own[1:]


def test_all_that_were_deleted_come_back_the_last_one_first(studio, address):
    own = drawn(studio, batch=4, seed=2)
    for k in (1, 0, 1):  # the first two of those that are left, and its neighbour
        studio.locator(".tile .open").nth(k).focus()
        before = ids(studio)
        studio.keyboard.press("Delete")
        studio.locator(f"[data-id='{before[k]}']").wait_for(state="detached")
    assert kept(address) == [own[2]]
    studio.keyboard.press("c")  # what else is said has an end of its own
    studio.locator("#toast button", has_text="Never mind").wait_for()
    studio.keyboard.press("z")
    studio.locator(".tile.compared").wait_for(state="detached")
    assert ids(studio) == [own[2]]
    for back, more in ((own[3], "2 more"), (own[0], "1 more")):
        studio.keyboard.press("z")
        studio.locator("#toast", has_text=f"Brought back. {more} can be.").wait_for()
        assert studio.evaluate("document.activeElement.closest('.tile').dataset.id") == back
    studio.click("#toast button")
    studio.locator(f"[data-id='{own[1]}']").wait_for()
    assert ids(studio) == kept(address) == own
    assert studio.locator("#toast button").count() == 0
    studio.locator(f"[data-id='{own[1]}'] .open").focus()
    studio.keyboard.press("z")  # nothing is left
    assert ids(studio) == own


def test_one_that_is_being_deleted_is_not_deleted_again(studio, address):
    own = drawn(studio, batch=3, seed=3)
    asked: list = []
    deletions(studio, asked.append)
    studio.locator(".tile .open").first.focus()
    for _ in range(2):
        studio.keyboard.press("Delete")
        studio.wait_for_timeout(100)
    for each in asked:
        each.continue_()
    studio.locator("#toast", has_text="Deleted.").wait_for()
    studio.wait_for_timeout(300)
    assert len(asked) == 1
    assert ids(studio) == kept(address) == own[1:]
    studio.keyboard.press("z")
    studio.locator(f"[data-id='{own[0]}']").wait_for()
    assert ids(studio) == kept(address) == own


def test_one_that_cannot_be_deleted_stays_open(studio, address):
    own = drawn(studio, batch=2, seed=4)
    refuse = {"status": 400, "json": {"why": "the gallery cannot be written"}}
    deletions(studio, lambda route: route.fulfill(**refuse))
    studio.locator(".tile .open").first.click()
    studio.locator("#opened-title").wait_for()
    studio.keyboard.press("Delete")
    studio.locator("#toast", has_text="cannot be written").wait_for()
    studio.wait_for_timeout(300)
    assert studio.url.endswith(f"#{own[0]}")
    assert ids(studio) == own
