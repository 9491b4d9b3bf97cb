"""Errors are one line, and suggest the nearest name."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.errors import InputError, choose, unknown, within_memory, writing

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


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to …"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.\nOf it …"),
    ],
)
def test_full_memory_is_one_line_that_says_what_to_do(error: Exception):
    with (
        pytest.raises(InputError, match=r"^not enough memory for drawing: ask for less$"),
        within_memory("drawing", "ask for less"),
    ):
        raise error


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("out of memory")])
def test_other_errors_are_not_taken_for_full_memory(error: Exception):
    with pytest.raises(type(error), match=str(error)), within_memory("drawing", "ask for less"):
        raise error


def test_a_full_disk_is_one_line_that_says_what_to_do():
    says = "No space left on device; make room and give the same command again$"
    with (
        pytest.raises(InputError, match=f"^cannot write log.jsonl: {says}"),
        writing(Path("log.jsonl")),
        Path("/dev/full").open("a") as file,
    ):
        file.write("{}")


def test_why_a_folder_cannot_be_copied_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "unet.safetensors").write_bytes(b"1")
    for code, advice in ((errno.ENOSPC, "; make room"), (errno.EACCES, "$")):

        def refused(*_: object, code: int = code, **__: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(shutil, "copyfile", refused)
        says = f"^cannot write new: {os.strerror(code)}{advice}"
        with pytest.raises(InputError, match=says), writing(Path("new")):
            shutil.copytree(tmp_path / "model", tmp_path / "new", dirs_exist_ok=True)


def test_only_what_cannot_be_written_is_taken_for_that():
    with pytest.raises(InputError, match="no rank"), writing(Path("x")):
        raise InputError("no rank")
