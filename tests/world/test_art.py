"""The art comes whole from npm, or one line says why not."""

import io
import tarfile
from dataclasses import replace
from mmap import mmap
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

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


def owner(array: np.ndarray) -> object:
    """What the array's memory belongs to."""
    base: object = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    return base


@pytest.mark.usefixtures("tarball")
def test_atlas_is_mapped_rather_than_read():
    sprites = art.atlas().values()
    assert {type(owner(sprite)) for sprite in sprites} == {mmap}
    assert not any(sprite.flags.writeable for sprite in sprites)
    assert sum(sprite.nbytes for sprite in sprites) < 150e6
    assert type(owner(next(iter(sprites)).copy())) is np.ndarray


SPRITES = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, 5)).map(
        lambda size: np.arange(4 * size[0] * size[1], dtype=np.uint8).reshape(*size, 4)
    ),
    min_size=1,
    max_size=4,
)


@given(SPRITES)
def test_packed_sprites_come_back(sprites: list[np.ndarray]):
    packed = np.load(io.BytesIO(art._packed(sprites)))
    for given_, back in zip(sprites, art._unpacked(packed, len(sprites)), strict=True):
        np.testing.assert_array_equal(given_, back)


@given(SPRITES, st.integers(1, 40))
def test_packed_sprites_that_lack_bytes_are_refused(sprites: list[np.ndarray], lost: int):
    packed = np.load(io.BytesIO(art._packed(sprites)))
    with pytest.raises(ValueError, match=r"add up|divis|reshape|size"):
        art._unpacked(packed[:-lost], len(sprites))


def small_sprites(members: list[str]) -> list[np.ndarray]:
    return [np.full((8, 8, 4), 255, np.uint8) for _ in members]


@pytest.mark.parametrize("damage", ["cut", "emptied", "replaced"])
def test_damaged_atlas_is_named(empty_cache: Path, monkeypatch: pytest.MonkeyPatch, damage: str):
    monkeypatch.setattr(art, "_draw", small_sprites)
    art.atlas.__wrapped__()
    (path,) = empty_cache.glob("atlas-*.npy")
    whole = path.read_bytes()
    other = io.BytesIO()
    np.save(other, np.zeros(len(whole) - 128, np.uint8))
    path.write_bytes({"cut": whole[:-30], "emptied": b"", "replaced": other.getvalue()}[damage])
    with pytest.raises(InputError, match="is damaged: delete it"):
        art.atlas.__wrapped__()


def test_atlas_is_drawn_anew_for_other_icons_only(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(art, "_draw", small_sprites)
    art.atlas.__wrapped__()
    reversed_ = dict(reversed(KINDS.items()))
    monkeypatch.setattr(art, "KINDS", reversed_ | {"vixen": replace(KINDS["fox"], art="fox")})
    art.atlas.__wrapped__()
    assert len(list(empty_cache.glob("atlas-*.npy"))) == 1
    monkeypatch.setattr(art, "KINDS", {"fox": KINDS["fox"]})
    art.atlas.__wrapped__()
    assert len(list(empty_cache.glob("atlas-*.npy"))) == 2
