"""Prompts longer than the text encoder takes are cut where A1111 and ComfyUI cut them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.families.text import Frame
from mezzotint.pipeline.chunking import Token, by_commas, by_segments, segments
from mezzotint.pipeline.prompts import parse

few = settings(max_examples=40)
COMMA = 9
FRAME = Frame(begin=1, end=2, pad=3, comma=COMMA)


def words(n, start=100):
    return [Token(start + i) for i in range(n)]


def vectors(n, name="e", weight=1.0):
    return [Token(0, weight, (name, i)) for i in range(n)]


def inside(windows):
    """The prompt's tokens in each window; checks the frame around them."""
    for window in windows:
        assert len(window) == FRAME.length + 2
        assert window[0] == Token(FRAME.begin)
        end = window.index(Token(FRAME.end))
        assert set(window[end + 1 :]) <= {Token(FRAME.pad)}
    return [list(window[1 : window.index(Token(FRAME.end))]) for window in windows]


def sizes(windows):
    return [len(tokens) for tokens in inside(windows)]


TOKENS = st.builds(Token, st.sampled_from([COMMA, *range(10, 40)]), st.sampled_from([0.5, 1.0, 2]))
SEGMENTS = st.one_of(
    st.lists(TOKENS, max_size=60), st.integers(1, 75).map(lambda n: vectors(n, f"e{n}", 0.5))
)


@few
@given(chunk=st.lists(SEGMENTS, max_size=6))
def test_no_token_is_lost_or_moved(chunk):
    flat = [token for segment in chunk for token in segment]
    for cut in (by_commas, by_segments):
        assert [token for tokens in inside(cut([chunk], FRAME)) for token in tokens] == flat


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (60, 30, [61, 30]),  # behind the comma
        (55, 30, [56, 30]),  # 20 tokens back
        (54, 30, [75, 10]),  # 21 are too far
        (74, 5, [75, 5]),  # the comma is the last that fits
        (75, 5, [75, 6]),  # the comma itself is one too many: it goes on
        (60, 14, [75]),  # it fits
    ],
)
def test_a1111_looks_back_for_a_comma(before, after, expected):
    tokens = [*words(before), Token(COMMA), *words(after)]
    assert sizes(by_commas([[tokens]], FRAME)) == expected
    one_by_one = [[token] for token in tokens]  # spans do not matter
    assert sizes(by_commas([one_by_one], FRAME)) == expected


def test_a1111_begins_a_window_at_a_break():
    a, b = words(3), words(80)
    assert sizes(by_commas([[a], [b]], FRAME)) == [3, 75, 5]
    assert sizes(by_commas([[a], [], [a]], FRAME)) == [3, 0, 3]
    assert sizes(by_commas([[a], []], FRAME)) == [3]
    assert sizes(by_commas([[], [a]], FRAME)) == [0, 3]
    assert sizes(by_commas([[]], FRAME)) == sizes(by_commas([[], []], FRAME)) == [0]
    assert sizes(by_commas([[words(75)], [a]], FRAME)) == [75, 3]


def test_a1111_never_cuts_an_embedding():
    assert sizes(by_commas([[words(70), vectors(6), words(2)]], FRAME)) == [70, 8]
    assert sizes(by_commas([[words(70), vectors(5), words(2)]], FRAME)) == [75, 2]
    assert sizes(by_commas([[words(60), [Token(COMMA)], words(14), vectors(5)]], FRAME)) == [61, 19]
    moved = [words(60), [Token(COMMA)], vectors(4), words(15)]
    assert inside(by_commas([moved], FRAME))[1][:4] == vectors(4)
    with pytest.raises(InputError, match="'e' has 76 vectors; the text encoder takes 75"):
        by_commas([[words(1), vectors(76)]], FRAME)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([70, 5], [75]),
        ([70, 6], [70, 6]),  # short: whole into the next window
        ([70, 7, 3], [70, 10]),
        ([70, 8], [75, 3]),  # long: cut
        ([200], [75, 75, 50]),
        ([75], [75]),
        ([], [0]),
    ],
)
def test_comfyui_keeps_short_segments_whole(lengths, expected):
    assert sizes(by_segments([[words(n) for n in lengths]], FRAME)) == expected


def test_a_prompt_becomes_windows():
    (part,) = parse("(ab:1.5) bad BREAK c", 1, embeddings=["bad"]).parts

    def encode(text):
        return [ord(letter) for letter in text if letter != " "]

    chunks = [segments(chunk, encode, {"bad": 2}) for chunk in part.at(1)]
    assert inside(by_commas(chunks, FRAME)) == [
        [Token(97, 1.5), Token(98, 1.5), Token(0, 1.0, ("bad", 0)), Token(0, 1.0, ("bad", 1))],
        [Token(99)],
    ]
