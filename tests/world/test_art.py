"""The art comes whole from npm, or one line says why not."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from mezzotint.errors import InputError
from mezzotint.world import art
from mezzotint.world.things import KINDS

ICON = "package/icons/flat/fox.svg"


def packed(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path))
    return tmp_path


def fake_npm(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = folder / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:/usr/bin:/bin")


def test_missing_npm_is_one_clear_line(empty_cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(art.shutil, "which", lambda _: None)
    with pytest.raises(InputError, match="npm, which is not installed") as caught:
        art.fetch()
    assert "\n" not in str(caught.value)
    assert not list(empty_cache.iterdir())


def test_failing_npm_is_one_clear_line(empty_cache: Path, monkeypatch: pytest.MonkeyPatch):
    fake_npm(empty_cache, "echo 'npm error: network\nunreachable' >&2; exit 1", monkeypatch)
    with pytest.raises(
        InputError, match=r"could not fetch fluentui-emoji@1\.3\.0: npm error: network"
    ):
        art.fetch()
    assert [path.name for path in empty_cache.iterdir()] == ["bin"]


def test_what_npm_gives_is_checked_before_it_is_kept(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
):
    fake_npm(empty_cache, 'echo wrong > "$5/fluentui-emoji-1.3.0.tgz"', monkeypatch)
    with pytest.raises(InputError, match="hash differs"):
        art.fetch()
    assert [path.name for path in empty_cache.iterdir()] == ["bin"]


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_damaged_cache_is_refused(empty_cache: Path, tarball: bytes, damage: str):
    data = bytearray(tarball)
    data[len(data) // 2] ^= 1
    bad = bytes(data) if damage == "flip" else tarball[:-1]
    (empty_cache / "fluentui-emoji-1.3.0.tgz").write_bytes(bad)
    with pytest.raises(InputError, match="hash differs"):
        art.fetch()


def test_cached_tarball_needs_no_npm(
    empty_cache: Path, tarball: bytes, monkeypatch: pytest.MonkeyPatch
):
    (empty_cache / "fluentui-emoji-1.3.0.tgz").write_bytes(tarball)
    monkeypatch.setattr(art.shutil, "which", lambda _: None)
    assert art.fetch() == tarball


def test_only_wanted_icons_are_read():
    data = packed([("package/huge", b"x" * (2 << 20)), (ICON, b"<svg/>")])
    assert art.icons(data, {ICON}) == {ICON: "<svg/>"}


@pytest.mark.parametrize("path", ["../evil.svg", "/etc/evil.svg", "package/../../evil.svg"])
def test_path_outside_the_package_is_refused(path: str):
    with pytest.raises(InputError, match="path outside"):
        art.icons(packed([(path, b"<svg/>"), (ICON, b"<svg/>")]), {ICON})


def test_link_in_place_of_an_icon_is_refused():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo(ICON)
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(InputError, match="no usable icon"):
        art.icons(buffer.getvalue(), {ICON})


def test_oversized_missing_and_unreadable_icons_are_refused():
    with pytest.raises(InputError, match="no usable icon"):
        art.icons(packed([(ICON, b" " * (art.LARGEST_ICON + 1))]), {ICON})
    with pytest.raises(InputError, match="lacks 'package/icons/flat/fox"):
        art.icons(packed([("package/other", b"")]), {ICON})
    with pytest.raises(InputError, match="cannot be read"):
        art.icons(packed([(ICON, b"<svg/>" * 9999)])[:60], {ICON})


@pytest.mark.usefixtures("tarball")
def test_atlas_has_every_object_in_both_looks_trimmed_to_its_art():
    atlas = art.atlas()
    assert set(atlas) == {(look, name) for look in art.LOOKS for name in KINDS}
    for key, sprite in atlas.items():
        assert sprite.dtype == np.uint8, key
        assert max(sprite.shape[:2]) > art.CELL * 0.6, key
        alpha = sprite[..., 3]
        assert all(edge.any() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])), key


def test_damaged_atlas_is_named(empty_cache: Path, tarball: bytes, monkeypatch: pytest.MonkeyPatch):
    (empty_cache / "fluentui-emoji-1.3.0.tgz").write_bytes(tarball)
    monkeypatch.setattr(art, "_draw", lambda: np.full((2 * len(KINDS), 8, 8, 4), 255, np.uint8))
    art.atlas.__wrapped__()
    (path,) = empty_cache.glob("atlas-*.npz")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="is damaged: delete it"):
        art.atlas.__wrapped__()
