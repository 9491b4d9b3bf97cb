"""Every object can be said in one way only, drawn, coloured, worn and stood upon."""

import re
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from mezzotint.world import art, sprites
from mezzotint.world.scene import COLOURS, HOURS, PLACES, SEASONS, SIZES, STYLES, Colour
from mezzotint.world.things import CORE, HATS, KINDS, MASS, PLURAL, Kind, Seat, plural
from mezzotint.world.things.words import pluralised

EVERY = list(KINDS.values())
SCENERY = {*COLOURS, *SIZES, *HOURS, *PLACES, *SEASONS, *STYLES}
PALETTE = np.stack([sprites.PIGMENTS[colour].ravel() for colour in COLOURS])


def words(kind: Kind) -> set[str]:
    said = {kind.name, *kind.synonyms}
    return said | {plural(word) for word in said}


def said_twice(kinds: list[Kind]) -> set[str]:
    first: dict[str, str] = {}
    return {
        word
        for kind in kinds
        for word in words(kind)
        if first.setdefault(word, kind.name) != kind.name
    }


def test_the_world_is_large_and_its_core_comes_first():
    assert len(KINDS) >= 400
    assert len(CORE) == len(set(CORE)) >= 120
    assert tuple(KINDS)[: len(CORE)] == CORE
    assert set(HATS) <= set(CORE)


def test_no_word_names_two_kinds():
    assert not said_twice(EVERY)


def test_a_word_for_two_kinds_is_found():
    twin = replace(KINDS["dog"], synonyms=("kitten",))
    assert said_twice([KINDS["cat"], twin]) == {"kitten", "kittens"}
    pile = Kind("pile", synonyms=("books",), countable=False)
    assert said_twice([KINDS["book"], pile]) == {"books"}


def test_no_icon_is_drawn_under_two_names():
    assert len({kind.icon for kind in EVERY}) == len(EVERY)


def test_names_are_plain_words_and_are_no_scenery():
    for kind in EVERY:
        assert not {kind.name, *kind.synonyms} & SCENERY - {"orange"}, kind.name
        for word in (kind.name, *kind.synonyms):
            assert re.fullmatch(r"[a-z]+((-| |'|'-|s' )[a-z]+)*", word), word
            named = set(word.split()) & {*COLOURS, *SIZES}
            assert not named or word == "orange", f"{word} is told as {named}"


def test_every_icon_is_in_the_package(tarball: bytes):
    wanted = {f"package/icons/{look}/{kind.icon}.svg" for look in art.LOOKS for kind in EVERY}
    assert set(art.icons(tarball, wanted)) == wanted


def test_plural_follows_the_rules_of_english():
    said = "fox wolf sheep mouse cactus cherry box knife fish goose snowman tomato die toy giraffe"
    right = "foxes wolves sheep mice cacti cherries boxes knives fish geese snowmen tomatoes dice"
    assert [plural(word) for word in said.split()] == [*right.split(), "toys", "giraffes"]
    assert plural("slice of pizza") == "slices of pizza"
    assert plural("loaf of bread") == "loaves of bread"
    assert plural("computer mouse") == "computer mice"
    assert plural("cherries") == "cherries"
    assert plural("bunch of grapes") == "bunches of grapes"


@settings(max_examples=50)
@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=2), st.sampled_from(["", "old ", "toy "]))
def test_plural_touches_the_head_alone(noun: str, before: str):
    one = pluralised(noun, {})
    assert pluralised(before + noun, {}) == before + one
    assert pluralised(f"{noun} of gold", {}) == f"{one} of gold"
    assert one == noun or re.search(r"(s|men)$", one)
    assert pluralised(before + noun, {noun: "irregular"}) == before + "irregular"


def test_what_has_no_number_is_mass_or_plural_already():
    assert all(kind.countable or (kind.name in PLURAL) != (kind.name in MASS) for kind in EVERY)
    assert all(plural(word) == word for word in PLURAL)
    assert not any(kind.countable and words(kind) & (PLURAL | MASS) for kind in EVERY)
    for kind in EVERY:
        if kind.name in PLURAL:
            assert all(word.endswith("s") or " of " in word for word in kind.synonyms), kind.name


@pytest.mark.parametrize(("part", "of_core", "of_all"), [("head", 30, 40), ("top", 20, 30)])
def test_enough_can_wear_and_carry(part: str, of_core: int, of_all: int):
    seated = [kind.name for kind in EVERY if getattr(kind, part)]
    assert len(seated) >= of_all
    assert len(set(seated) & set(CORE)) >= of_core


def gap(alpha: np.ndarray, seat: Seat) -> float:
    """How far below the seat the art begins, in the seat's columns, as a fraction of its height."""
    height, width = alpha.shape
    x, y, wide = seat
    left, right = round((x - wide / 4) * width), round((x + wide / 4) * width)
    rows = np.flatnonzero((alpha[:, max(left, 0) : right + 1] > 128).any(axis=1))
    return float(rows[rows >= round(y * height)][0] / height - y)


@pytest.mark.usefixtures("tarball")
def test_seats_lie_on_the_art():
    for kind in EVERY:
        for seat in filter(None, (kind.head, kind.top)):
            x, _, wide = seat
            assert 0 < wide <= 1, kind
            assert min(x, 1 - x) > wide / 2 - 0.08, kind
            for look in art.LOOKS:
                assert gap(art.atlas()[look, kind.name][..., 3], seat) < 0.05, (look, kind)


@pytest.mark.usefixtures("tarball")
def test_a_seat_in_the_air_is_found():
    alpha = art.atlas()["modern", "giraffe"][..., 3]
    assert gap(alpha, (0.7, 0.1, 0.3)) > 0.05


def share(kind: Kind, look: str, colour: Colour) -> float:
    """How much of the art is nearer to this pigment than to any other."""
    pixels = art.atlas()[look, kind.name][::6, ::6].astype(np.float32) / 255
    painted = sprites._recoloured(pixels, sprites.PIGMENTS[colour].ravel(), kind.dye)
    solid = painted[pixels[..., 3] > 0.5]
    nearest = ((solid[:, None] - PALETTE) ** 2).sum(axis=-1).argmin(axis=-1)
    return float((nearest == COLOURS.index(colour)).mean())


COLOURED = [kind for kind in EVERY if kind.colours]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(COLOURED), st.sampled_from(art.LOOKS), st.data())
@pytest.mark.usefixtures("tarball")
def test_what_is_given_a_colour_is_plainly_that_colour(kind: Kind, look: str, data: st.DataObject):
    colour = data.draw(st.sampled_from(kind.colours))
    assert share(kind, look, colour) > 0.18


@pytest.mark.usefixtures("tarball")
def test_the_wrong_dye_is_found():
    assert share(replace(KINDS["fish"], dye="pale"), "modern", "red") < 0.18


def test_forty_of_the_core_take_every_colour():
    assert sum(KINDS[name].colours == COLOURS for name in CORE) >= 40
