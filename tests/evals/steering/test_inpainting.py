import numpy as np
import pytest
from album import Album
from PIL import Image

from mezzotint.evals.asking import Wanted
from mezzotint.evals.judge import Seen, Sighting
from mezzotint.evals.steering import inpainting
from mezzotint.evals.steering.inpainting import holes, in_box, paint_in, untouched

SIZE = 64


@pytest.fixture
def album(monkeypatch):
    made = Album()
    monkeypatch.setattr(inpainting, "painted", made.picture)
    return made


def findings(paint, album, asked):
    section = paint_in(paint, album, asked, lambda picture: picture)
    return {finding.what: finding for finding in section.findings}


def test_what_paints_the_thing_has_it_and_what_paints_nothing_has_not(album):
    asked = holes(12, SIZE)
    assert len(asked) == 12
    found = findings(lambda hole: hole.true, album, asked)["asked thing in the hole"]
    assert (found.found.value, found.ceiling, found.floor) == (1, 1, 0)
    empty = findings(lambda hole: hole.before, album, asked)
    assert empty["asked thing in the hole"].found.value == 0
    assert empty["rest identical, to the bit"].found.value == 1


def test_another_thing_is_not_what_was_asked_for(album):
    asked = holes(12, SIZE)
    other = {id(hole): asked[k - 1].true for k, hole in enumerate(asked)}
    found = findings(lambda hole: other[id(hole)], album, asked)
    assert found["asked thing in the hole"].found.value < 0.2
    assert found["rest identical, to the bit"].found.value < 0.2


def test_one_bit_outside_is_seen_and_inside_it_may_change():
    before = Image.effect_noise((16, 16), 50).convert("RGB")
    mask = Image.new("L", (16, 16))
    mask.paste(255, (4, 4, 12, 12))
    pixels = np.array(before)
    pixels[4:12, 4:12] += 9
    assert untouched(before, Image.fromarray(pixels), mask)
    pixels[0, 0, 2] ^= 1
    assert not untouched(before, Image.fromarray(pixels), mask)
    assert not untouched(before, before.resize((8, 8)), mask)


def test_it_has_to_be_in_the_hole_and_in_its_colour():
    hole = (0.5, 0.5, 1.0, 1.0)

    def seen(*boxes, colour=None, score=0.9):
        found = tuple(Sighting("fox", colour, box, score) for box in boxes)
        return Seen(found, "meadow", "day", "summer", "clear", "storybook")

    fox = Wanted("fox")
    assert in_box(fox, hole, seen((0.5, 0.5, 0.9, 0.9)))
    assert in_box(fox, hole, seen((0.3, 0.5, 0.9, 0.9)))  # two thirds of it
    assert not in_box(fox, hole, seen((0.1, 0.5, 0.7, 0.9)))  # one third
    assert not in_box(fox, hole, seen((0.0, 0.0, 0.4, 0.4)))
    assert not in_box(fox, hole, seen((0.5, 0.5, 0.9, 0.9), score=0.2))
    assert not in_box(Wanted("cat"), hole, seen((0.5, 0.5, 0.9, 0.9)))
    red = Wanted("fox", "red")
    assert not in_box(red, hole, seen((0.5, 0.5, 0.9, 0.9)))
    assert in_box(red, hole, seen((0.5, 0.5, 0.9, 0.9), colour="red"))


def test_a_hole_is_around_the_thing(album):
    for hole in holes(6, SIZE):
        left, top, right, bottom = hole.box
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        white = np.asarray(hole.mask) == 255
        assert white.mean() == pytest.approx((right - left) * (bottom - top))
        assert not album.scene(hole.before).things
