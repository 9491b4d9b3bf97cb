"""Controls that follow their map to the letter, that follow another's, and that follow none."""

from functools import cache
from types import SimpleNamespace

import pytest
import torch
from album import Album
from PIL import Image

from mezzotint.evals.steering import controls
from mezzotint.evals.steering.controls import depth_kind, edge_kind, follow, layout_kind
from mezzotint.evals.steering.depth import coarse
from mezzotint.evals.steering.truth import cases, painted
from mezzotint.world import render
from mezzotint.world.depth import depth

SIZE = 64
CASES = cases(7)
SCENES = [case.scene for case in CASES]
whole = lambda picture: picture  # noqa: E731


class TrueEye:
    """Sees the depth of a scene that an album has a picture of."""

    def __init__(self, album: Album) -> None:
        self.album = album

    def see(self, pictures: list[Image.Image]) -> torch.Tensor:
        return coarse([depth(self.album.scene(picture), 128) for picture in pictures])


@pytest.fixture
def album(monkeypatch):
    """Pictures that stand for scenes: what is drawn is their colour alone."""
    made = Album()
    monkeypatch.setattr(controls, "painted", made.picture)
    return made


def drawing(picture, shift: int = 0):
    """Draws the true picture of a case, or of one ``shift`` further on; alone, of the last."""

    def draw(case, condition):
        k = CASES.index(case) + shift if condition is not None else len(CASES) - 1
        return picture(SCENES[k % len(SCENES)], SIZE)

    return draw


def named(section):
    return {finding.what: finding for finding in section.findings}


def test_edges_are_followed_or_not(monkeypatch):
    real = cache(lambda scene, size: Image.fromarray(render(scene, size)))
    monkeypatch.setattr(controls, "painted", real)
    judge = SimpleNamespace(see=lambda pictures: [SEEN[p.tobytes()] for p in pictures])
    album = Album()
    SEEN = {
        real(scene, SIZE).tobytes(): album.see([album.picture(scene, SIZE)])[0] for scene in SCENES
    }
    kind = edge_kind(SIZE)
    true = named(follow(kind, drawing(real), CASES, judge, whole, SIZE))
    assert true["edge F1"].found.value == true["edge F1"].ceiling == 1
    assert true["edge F1"].floor < 0.8
    assert true["prompt accuracy"].found.value == 1
    other = named(follow(kind, drawing(real, shift=2), CASES, judge, whole, SIZE))
    assert other["edge F1"].found.value < 0.8
    assert (other["edge F1"].reached, true["edge F1"].reached) == (False, True)


def test_depth_is_followed_or_not(album):
    kind = depth_kind(TrueEye(album))
    true = named(follow(kind, drawing(album.picture), CASES, album, whole, SIZE))
    assert true["depth correlation"].found.value == pytest.approx(1)
    assert true["rank correlation"].found.value == pytest.approx(1)
    assert true["depth correlation"].ceiling == pytest.approx(1)
    assert 0.4 < true["depth correlation"].floor < 0.85  # the ground is near everywhere
    assert true["correlation beside the mean map"].found.value == pytest.approx(1)
    assert true["correlation beside the mean map"].floor < 0.1
    other = named(follow(kind, drawing(album.picture, shift=2), CASES, album, whole, SIZE))
    assert other["depth correlation"].found.value < 0.85
    assert other["prompt accuracy"].found.value < 0.5


def test_boxes_are_followed_or_not(album):
    kind = layout_kind(album)
    section = follow(kind, drawing(album.picture), CASES, album, whole, SIZE)
    true = named(section)
    assert true["box IoU"].found.value > 0.9  # what is under water has no box and is seen
    assert true["box IoU"].floor == 0
    assert true["box IoU without the control"].found.value < 0.5
    other = named(follow(kind, drawing(album.picture, shift=2), CASES, album, whole, SIZE))
    assert other["box IoU"].found.value < 0.3
    assert len(section.shown) == 3 * 6
    asked, drawn, alone = section.shown[:3]
    assert asked[0].getextrema() != drawn[0].getextrema()
    assert (asked[1], drawn[1], alone[1]) == ("asked", CASES[0].text, "without it")


def test_prompt_accuracy_is_told_against_the_base(album):
    found = named(follow(layout_kind(album), drawing(album.picture), CASES, album, whole, SIZE))
    base = found["prompt accuracy"].floor
    assert base < 0.5
    assert found["prompt accuracy, against none"].found.value == pytest.approx(1 - base)
    worse = drawing(album.picture, shift=2)
    mixed_up = lambda case, condition: (  # noqa: E731
        worse(case, condition) if condition else album.picture(case.scene, SIZE)
    )
    found = named(follow(layout_kind(album), mixed_up, CASES, album, whole, SIZE))
    assert found["prompt accuracy, against none"].reached is False


def test_cases_are_of_every_skill_and_their_scenes_fulfil_them():
    assert len({case.skill for case in CASES}) == 7
    assert [case.text for case in cases(14)[::2]] == [case.text for case in CASES]
    assert painted(SCENES[0], 32).size == (32, 32)
