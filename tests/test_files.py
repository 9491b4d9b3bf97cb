"""A file is the old one or the new one, never a part of either."""

from pathlib import Path

import pytest

from mezzotint.errors import InputError
from mezzotint.files import cache_folder, cache_place, whole_folder, write_whole


def test_a_file_is_replaced_whole(tmp_path: Path):
    path = tmp_path / "file"
    for data in (b"old", b"", b"new" * 100_000):
        write_whole(path, data)
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match=r"cannot write .*file: No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_ctrl_c_in_the_middle_leaves_the_old_file(tmp_path: Path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def stopped(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["missing/file", "file/inside"])
def test_a_place_that_is_no_folder_is_named(tmp_path: Path, place: str):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=place):
        write_whole(tmp_path / place, b"data")


def test_to_name_the_cache_is_not_to_make_it(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path / "a" / "b"))
    assert cache_place() == tmp_path / "a" / "b"
    assert not cache_place().exists()
    assert cache_folder() == cache_place()
    assert cache_place().is_dir()


def test_a_folder_appears_when_it_is_full(tmp_path: Path):
    path = tmp_path / "folder"
    for text in ("old", "new"):
        with whole_folder(path) as folder:
            (folder / text).write_text(text)
            assert not (path / text).exists()
        assert [file.name for file in path.iterdir()] == [text]


def test_a_folder_that_was_not_finished_leaves_nothing(tmp_path: Path):
    path = tmp_path / "folder"

    def stopped() -> None:
        with whole_folder(path) as folder:
            (folder / "half").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert list(tmp_path.iterdir()) == []
