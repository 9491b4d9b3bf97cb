"""What pages propose to draw: only things that the embedded model has learned."""

import re
from html.parser import HTMLParser

import pytest

from mezzotint.lab.lessons import LESSONS
from mezzotint.lab.lessons.production.measure import PROMPT
from mezzotint.world import CORE, KINDS
from mezzotint.world.things import plural

PAGES = ("/", "/studio", *(f"/lessons/{each.slug}" for each in LESSONS))
TYPED = ("text", "search")


class Fields(HTMLParser):
    """What stands in the fields of a page in which one writes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        told = dict(attrs)
        self.inside = tag == "textarea"
        if tag == "input" and told.get("type", "text") in TYPED:
            self.said.append(told.get("value") or "")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.said += data.splitlines()

    def handle_endtag(self, tag: str) -> None:
        self.inside = False


def strange(text: str) -> list[str]:
    """Words and phrases that name things of the world, but none that the model was trained on."""
    called: dict[str, set[str]] = {}
    for kind in KINDS.values():
        for word in (kind.name, *kind.synonyms):
            for form in (word, plural(word)):
                called.setdefault(form, set()).add(kind.name)
    phrases = sorted(called, key=len, reverse=True)  # a pine tree is no other tree
    found = re.findall(rf"\b(?:{'|'.join(map(re.escape, phrases))})\b", text.lower())
    return [phrase for phrase in found if not called[phrase] & set(CORE)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a fox beside two pine trees in the snow at night", []),
        ("Two wolves and a parrot in a forest", ["wolves", "parrot"]),
        ("a wizard's castle", ["wizard"]),
    ],
)
def test_what_the_model_never_saw_is_found(text: str, found: list[str]) -> None:
    assert strange(text) == found


def test_pages_propose_what_the_model_has_learned(client) -> None:
    said = {page: Fields(client.get(page).text).said for page in PAGES}
    assert "a fox in the snow at night" in said["/"]
    assert len(said["/lessons/text"]) > 5
    assert {page: found for page in PAGES if (found := strange("\n".join(said[page])))} == {}
    assert strange(PROMPT) == []
