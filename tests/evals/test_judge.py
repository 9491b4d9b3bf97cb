import numpy as np
import pytest
import torch
from PIL import Image
from squares import PARAMS, trained

from mezzotint.checkpoints.packed import save_packed
from mezzotint.errors import InputError
from mezzotint.evals.asking import SURE, fulfilled
from mezzotint.evals.judge import Judge, load
from mezzotint.evals.skills import prompts
from mezzotint.world import render


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    trained()[0].export(folder)
    return folder / "judge.safetensors"


@pytest.fixture(scope="module")
def pictures():
    held_out = trained()[0].held_out
    return [Image.fromarray(p) for p in held_out.pictures.pictures(np.arange(48))]


def test_the_judge_that_was_exported_sees_what_is_there(file, pictures):
    judge, held_out = load(file), trained()[0].held_out
    assert judge.params == PARAMS
    right = 0
    for seen, rows, answers in zip(
        judge.see(pictures), held_out.objects, held_out.answers, strict=True
    ):
        there = rows[rows[:, 0] >= 0]
        names = sorted((PARAMS.kinds[int(r[0])], PARAMS.colours[int(r[1])]) for r in there)
        found = sorted((s.kind, s.colour or "own") for s in seen.objects if s.score > SURE)
        right += names == found and seen.place == PARAMS.places[answers[0]]
        if len(there) == 1 and len(found) == 1:
            assert seen.objects[0].box == pytest.approx(there[0, 2:].tolist(), abs=0.1)
    assert right > 0.75 * len(pictures)


def test_eight_bits_are_enough(file, pictures):
    whole = Judge(trained()[0].network).see(pictures)
    packed = load(file).see(pictures)
    differ = sum(
        [s.kind for s in a.objects if s.score > SURE]
        != [s.kind for s in b.objects if s.score > SURE]
        for a, b in zip(whole, packed, strict=True)
    )
    assert differ <= 3


def test_larger_pictures_are_seen_as_well(file, pictures):
    judge = load(file)
    large = [picture.resize((256, 256), Image.Resampling.NEAREST) for picture in pictures[:4]]
    for one, other in zip(judge.see(pictures[:4]), judge.see(large), strict=True):
        assert [s.kind for s in one.objects] == [s.kind for s in other.objects]
        for a, b in zip(one.objects, other.objects, strict=True):
            assert a.box == pytest.approx(b.box, abs=1e-3)


def test_pictures_that_cannot_be_judged_are_refused(file):
    judge = load(file)
    assert judge.see([]) == []
    for size in ((64, 64), (128, 256)):
        with pytest.raises(InputError, match="squares of 128 pixels or more"):
            judge.see([Image.new("RGB", size)])


def test_what_is_no_judge_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.safetensors: there is no such file"):
        load(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(InputError, match=r"text.safetensors is none; wanted is safetensors"):
        load(tmp_path / "text.safetensors")
    save_packed(tmp_path / "other.safetensors", {"weight": torch.ones(2, 2)}, {})
    with pytest.raises(InputError, match="holds no judge"):
        load(tmp_path / "other.safetensors")


def test_the_packages_judge_sees_what_prompts_ask_for_in_scenes_that_fulfil_them():
    asked = prompts()[::20]
    seen = load().see([Image.fromarray(render(one.scene, 256)) for one in asked])
    right = [fulfilled(one.ask, saw) for one, saw in zip(asked, seen, strict=True)]
    others = [fulfilled(one.ask, saw) for one, saw in zip(asked, seen[1:], strict=False)]
    assert (len(asked), sum(right) >= 28, sum(others) <= 3) == (30, True, True)
