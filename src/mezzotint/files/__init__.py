"""Files are written whole or not at all."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from mezzotint.errors import writing


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the new one, never a part.

    Raises:
        InputError: the folder is missing or not writable.
    """
    with whole_file(path) as part:
        part.write_bytes(data)


def made(folder: Path) -> Path:
    """The folder, made if it is not there.

    Raises:
        InputError: it cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache_place() -> Path:
    """Where what can be made or fetched again is: ``$MEZZOTINT_CACHE``, ~/.cache/mezzotint."""
    return Path(os.environ.get("MEZZOTINT_CACHE") or Path.home() / ".cache" / "mezzotint")


def cache_folder() -> Path:
    """The folder at the ``cache_place``, made if it is not there.

    Raises:
        InputError: it cannot be written.
    """
    return made(cache_place())


@contextmanager
def whole_file(path: Path) -> Generator[Path]:
    """Give a name to write to, whose file becomes ``path`` when the block ends without an error.

    Raises:
        InputError: the folder is missing or not writable, or the disk is full.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with writing(path):
            yield part
            _sync(part)
            part.replace(path)
            _sync(path.parent)
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def whole_folder(path: Path) -> Generator[Path]:
    """Give an empty folder, which becomes ``path`` when the block ends without an error.

    Raises:
        InputError: the parent folder is not writable, or the disk is full.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with writing(path):
            part.mkdir(parents=True)
            yield part
            for inside in (*part.rglob("*"), part):
                _sync(inside)
            if path.exists():
                shutil.rmtree(path)
            part.replace(path)
            _sync(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
