"""JSON that comes from anywhere is as Python reads it, but for what could go nowhere from here."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.foreign import parsed

texts = st.text(max_size=9)  # of whole characters
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inside: st.lists(inside) | st.dictionaries(texts, inside),
)


@given(values, st.booleans())
def test_what_was_written_is_read(value, ascii_only: bool):
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parsed(text) == parsed(text.encode()) == value


@given(st.text(st.characters(categories=["Cs", "Lu"])))
def test_halves_of_characters_are_joined_or_replaced(text: str):
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    for found in (parsed(json.dumps([text]))[0], *parsed(json.dumps({text: 0}))):
        assert found == whole.replace("\ufffd", "?")


@pytest.mark.parametrize("text", ["", "{", b"\xff", "[" * 200_000, '{"a":' * 100_000, "9" * 5000])
def test_what_is_none_is_refused(text: str | bytes):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        parsed(text)
