from dataclasses import replace
from math import inf

import numpy as np
import pytest
from album import Album
from PIL import Image
from sight import sight

from mezzotint.errors import InputError
from mezzotint.evals.judge import Sighting
from mezzotint.evals.steering import edits
from mezzotint.evals.steering.edits import edit_all, edit_cases, kept, made, outside, psnr
from mezzotint.world.changes import CHANGES, Change

SIZE = 32
CASES = edit_cases(2)


@pytest.fixture
def album(monkeypatch):
    made = Album()
    monkeypatch.setattr(edits, "painted", made.picture)
    # what stands for scenes is of one colour: its pixels say nothing
    monkeypatch.setattr(edits, "outside", lambda change, size: np.zeros((size, size), bool))
    return made


def found(section):
    return {finding.what: finding for finding in section.findings}


def test_every_kind_of_change_is_asked_for():
    assert [case.change.kind for case in CASES] == [kind for kind in CHANGES for _ in range(2)]
    assert edit_cases(1) == CASES[::2]


def test_who_makes_the_change_has_made_it_and_kept_the_rest(album):
    after = {case.seed: case.change.after for case in CASES}
    right = lambda picture, words, seed: album.picture(after[seed], SIZE)  # noqa: E731
    section = edit_all(right, album, CASES, lambda picture: picture, SIZE)
    for finding in section.findings:
        if "pixels" not in finding.what:
            assert finding.found.value == finding.ceiling == 1
            assert finding.floor == ("kept" in finding.what)
            assert finding.reached
    assert len(section.findings) == 3 * (len(CHANGES) + 1)
    assert len(section.shown) == 3 * len(CHANGES)


def test_who_does_nothing_makes_nothing_and_who_does_something_else_keeps_nothing(album):
    lazy = edit_all(lambda p, w, s: p, album, CASES, lambda p: p, SIZE)
    assert found(lazy)["all kinds: change made"].found.value == 0
    assert found(lazy)["all kinds: all else kept"].found.value == 1
    wrong = {case.seed: CASES[k - 2].change.after for k, case in enumerate(CASES)}
    section = edit_all(
        lambda p, w, seed: album.picture(wrong[seed], SIZE), album, CASES, lambda p: p, SIZE
    )
    assert found(section)["all kinds: change made"].found.value < 0.3
    assert found(section)["all kinds: all else kept"].found.value < 0.2


@pytest.mark.parametrize("kind", CHANGES)
def test_each_thing_that_goes_wrong_beside_a_change_is_seen(kind):
    change = next(case.change for case in CASES if case.change.kind == kind)
    right = sight(change.after)
    assert (made(change, right), kept(change, right)) == (True, True)
    extra = Sighting("volcano", None, (0.0, 0.0, 0.1, 0.1), 0.9)
    assert not kept(change, replace(right, objects=(*right.objects, extra)))
    faint = replace(extra, score=0.1)
    assert kept(change, replace(right, objects=(*right.objects, faint)))
    if kind != "style":
        assert not kept(change, replace(right, style="another"))
    if kind != "place":
        assert not kept(change, replace(right, place="another"))
    if kind in ("add", "hat"):
        assert not made(change, replace(right, objects=()))


def test_a_thing_that_moved_was_not_kept():
    change = next(c.change for c in CASES if c.change.kind == "hour" and c.change.before.things)
    right = sight(change.after)
    aside = tuple(
        replace(one, box=tuple(x + d for x, d in zip(one.box, (0.5, 0.5, 0.5, 0.5), strict=True)))
        for one in right.objects
    )
    assert kept(change, right)
    assert not kept(change, replace(right, objects=aside))
    assert made(change, replace(right, objects=aside))


def test_where_a_thing_comes_to_stand_is_asked_for_in_no_words():
    change = next(c.change for c in CASES if c.change.kind == "add" and c.change.now)
    right, new = sight(change.after), change.now.name

    def seen_with(**other):
        objects = (replace(one, **other) if one.kind == new else one for one in right.objects)
        return replace(right, objects=tuple(objects))

    assert made(change, seen_with(box=(0.0, 0.0, 0.1, 0.1)))
    assert not made(change, seen_with(kind="volcano"))
    replaced = next(c.change for c in CASES if c.change.kind == "replace")
    right, new = sight(replaced.after), replaced.now.name
    assert made(replaced, right)
    assert not made(replaced, seen_with(box=(0.0, 0.0, 0.1, 0.1)))


def test_a_change_of_nothing_is_refused():
    scene = CASES[0].change.before
    with pytest.raises(InputError, match="changes nothing"):
        made(Change("hour", scene, scene), sight(scene))


def test_noise_has_the_decibels_that_it_has():
    grey = Image.new("RGB", (8, 8), (100, 100, 100))
    whole = np.ones((8, 8), bool)
    assert psnr(grey, grey, whole) == inf
    other = Image.new("RGB", (8, 8), (110, 110, 110))
    assert psnr(other, grey, whole) == pytest.approx(20 * np.log10(255 / 10))
    half = np.array(grey)
    half[:, :4] = 0
    assert psnr(Image.fromarray(half), grey, whole) < 15
    right = np.zeros((8, 8), bool)
    right[:, 4:] = True
    assert psnr(Image.fromarray(half), grey, right) == inf


def test_outside_of_a_change_nothing_changes():
    for kind in ("add", "hour"):
        change = next(case.change for case in CASES if case.change.kind == kind)
        where = outside(change, 64)
        before, after = (edits.painted(scene, 64) for scene in (change.before, change.after))
        if kind == "add":
            assert where.any()
            assert psnr(after, before, where) > 40
            assert psnr(after, before, ~where) < 30
        else:
            assert where.mean() < 0.5
