"""The code that pages show: joined it is the source, and its pieces are called what they are."""

import inspect

import pytest

from mezzotint.diffusion import process
from mezzotint.lab.highlight import coloured
from mezzotint.lab.lessons import LESSONS
from mezzotint.lab.source import excerpt

SOURCE = '''@cache
def half(x: int) -> str:
    """What it does."""
    if x:  # or not
        return f"{x / 2:.1f} {{}}" + "ü"
    return ""'''


def kinds(source: str, kind: str) -> list[str]:
    return [text for each, text in coloured(source) if each == kind]


def test_pieces_are_called_what_they_are():
    assert kinds(SOURCE, "name") == ["half"]
    assert kinds(SOURCE, "word") == ["def", "if", "return", "return"]
    assert kinds(SOURCE, "note") == ['"""What it does."""', "# or not"]
    assert kinds(SOURCE, "text")[-2:] == ['"ü"', '""']
    assert "2" in "".join(kinds(SOURCE, "number") + kinds(SOURCE, "text"))


@pytest.mark.parametrize(
    "source",
    [SOURCE, "", "x", inspect.getsource(process)]
    + [excerpt(name).text for lesson in LESSONS for name in lesson.code],
)
def test_nothing_is_lost(source: str):
    assert "".join(text for _, text in coloured(source)) == source
