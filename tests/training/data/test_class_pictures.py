import errno
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from mezzotint.errors import InputError
from mezzotint.pipeline.metadata.picture import read
from mezzotint.training.data.class_pictures import _there, class_pictures
from mezzotint.training.process_group import Group

ALONE = Group(0, 1, torch.device("cpu"))
PROMPT = "a fox in the snow"


def quiet(*_):
    pass


def draw(pipeline, folder, count=3, prompt=PROMPT, seed=7, group=ALONE, progress=quiet):
    return class_pictures(pipeline, prompt, count, folder, seed, group, progress)


def stamps(folder):
    return {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}


def test_they_are_what_the_model_draws_with_their_recipes(tiny, tmp_path):
    said: list[tuple[str, int, int]] = []
    for count in (1, 2):  # more of them are added to those that are there
        shots = draw(tiny, tmp_path / "class", count, progress=lambda *words: said.append(words))
    assert said == [("pictures of the class drawn", 1, 1)] * 2
    for k, shot in enumerate(shots):
        with Image.open(shot.file) as picture:
            wanted = tiny.generate(PROMPT, seed=7 + k).images[0]
            assert picture.tobytes() == wanted.tobytes()
            assert picture.size == (shot.width, shot.height)
        recipe = read(shot.file)
        assert (recipe.prompt, recipe.seed, recipe.model_hash) == (PROMPT, 7 + k, "0123456789")
        assert shot.caption == PROMPT
    assert shots[0].file.read_bytes() != shots[1].file.read_bytes()


def test_what_is_there_stays_and_what_is_damaged_or_missing_is_drawn(tiny, tmp_path):
    files = [shot.file for shot in draw(tiny, tmp_path)]
    whole, before = [file.read_bytes() for file in files], stamps(tmp_path)
    draw(tiny, tmp_path)
    assert stamps(tmp_path) == before
    damaged = bytearray(whole[1])
    damaged[-40] ^= 1  # in the pixels
    files[1].write_bytes(damaged)
    files[2].unlink()
    draw(tiny, tmp_path)
    assert [file.read_bytes() for file in files] == whole
    assert stamps(tmp_path)["00000.png"] == before["00000.png"]


def test_a_picture_cut_anywhere_is_damaged(tiny, tmp_path):
    # but in the last four bytes, the checksum of nothing
    file = draw(tiny, tmp_path, 1)[0].file
    whole = file.read_bytes()
    assert _there(file, tiny, PROMPT, 7)
    for length in [*range(0, len(whole), 61), *range(len(whole) - 30, len(whole) - 4)]:
        file.write_bytes(whole[:length])
        assert not _there(file, tiny, PROMPT, 7)


def test_those_of_another_prompt_seed_or_model_are_drawn_anew(tiny, tmp_path):
    other = replace(tiny, model=replace(tiny.model, digest="9876543210"))
    before = stamps(draw(tiny, tmp_path, 1)[0].file.parent)
    for pipeline, prompt, seed in ((tiny, "an owl", 7), (tiny, "an owl", 8), (other, "an owl", 8)):
        draw(pipeline, tmp_path, 1, prompt, seed)
        after = stamps(tmp_path)
        assert after != before
        before = after


def test_those_of_other_weights_are_drawn_anew(tiny, tmp_path):
    """Of a checkpoint's files nobody has asked for a digest."""
    network = deepcopy(tiny.model.network)
    bare = replace(tiny, model=replace(tiny.model, digest="", network=network))
    before = stamps(draw(bare, tmp_path, 1)[0].file.parent)
    draw(bare, tmp_path, 1)
    assert stamps(tmp_path) == before
    with torch.no_grad():
        network.conv_in.weight.zero_()
    draw(bare, tmp_path, 1)
    assert stamps(tmp_path) != before


def test_two_processes_draw_each_picture_once(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(Group, "wait", quiet)
    homes = [tmp_path / str(rank) for rank in range(2)]  # neither sees what the other draws
    for rank, home in enumerate(homes):
        draw(tiny, home, 2, group=Group(rank, 2, ALONE.device))
    assert [list(stamps(home)) for home in homes] == [["00000.png"], ["00001.png"]]


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tiny, tmp_path, monkeypatch):
    draw(tiny, tmp_path, 1)

    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(InputError, match=r"cannot write .*00001.png: No space left") as raised:
            draw(tiny, tmp_path)
    assert "\n" not in str(raised.value)
    assert stamps(tmp_path).keys() == {"00000.png"}
