"""Errors are one line, and suggest the nearest name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.errors import InputError, choose, unknown

NAMES = {"euler": 1, "euler_ancestral": 2, "dpmpp_2m": 3, "heun": 4}


@given(st.sampled_from(sorted(NAMES)))
def test_a_known_name_is_chosen(name: str):
    assert choose("sampler", name, NAMES) == NAMES[name]


@given(st.sampled_from(sorted(NAMES)), st.data())
def test_one_slip_of_the_pen_suggests_what_was_meant(name: str, data: st.DataObject):
    place = data.draw(st.integers(0, len(name) - 1))
    slip = name[:place] + "#" + name[place + 1 :]
    with pytest.raises(InputError, match=f"did you mean '{name}'"):
        choose("sampler", slip, NAMES)


def test_a_name_like_no_other_lists_them_all():
    message = str(unknown("sampler", "xyzzy", NAMES))
    assert "unknown sampler 'xyzzy'" in message
    assert all(name in message for name in NAMES)
    assert "\n" not in message
