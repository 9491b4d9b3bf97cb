"""Compiled code, kept on disk from one process to the next.

To load such a file is to execute it. So it is read only if it and its folder belong to the user and
no one else can write to them. Its name has what it is for and a checksum of both, so a file that is
damaged, or that was put in another's place, is found out before it is loaded.
"""

import hashlib
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mezzotint.errors import InputError, writing
from mezzotint.files import cache_folder, write_whole

FOLDER = "compiled"  # in the cache's
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Kept(NamedTuple):
    """Code that may be loaded: its file, and what is in it."""

    path: Path
    data: bytes


@dataclass(frozen=True)
class CompiledStore:
    """Compiled code of one kind.

    Attributes:
        ending: of its files' names.
    """

    ending: str

    def find(self, key: str) -> Kept | None:
        """What was kept under a key, None if that is nothing; what cannot be used is warned of."""
        try:
            found = [self._read(path, key) for path in sorted(own_folder().glob(f"{key}.*"))]
        except (InputError, OSError) as error:
            warnings.warn(f"{error}; so it is compiled anew", stacklevel=2)
            return None
        return next((kept for kept in found if kept is not None), None)

    def keep(self, key: str, data: bytes) -> None:
        """Keep something under a key; where that cannot be, it is warned of."""
        try:
            path = own_folder() / self._name(key, data)
            write_whole(path, data)
            path.chmod(0o600)
        except (InputError, OSError) as error:
            warnings.warn(f"{error}; so it has to be compiled again next time", stacklevel=2)

    def forget(self, key: str) -> None:
        """Delete what was kept under a key."""
        for path in own_folder().glob(f"{key}.*"):
            path.unlink(missing_ok=True)

    def _read(self, path: Path, key: str) -> Kept | None:
        """What is in a file; it is deleted if that is not what was written.

        Raises:
            InputError: others can write it.
            OSError: it cannot be read.
        """
        _trusted(path, os.lstat(path))
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with open(handle, "rb") as file:
            _trusted(path, os.fstat(handle))
            data = file.read()
        if path.name == self._name(key, data):
            return Kept(path, data)
        warnings.warn(f"{path} is damaged, so it is compiled anew", stacklevel=3)
        path.unlink(missing_ok=True)
        return None

    def _name(self, key: str, data: bytes) -> str:
        seal = hashlib.sha256(key.encode() + data).hexdigest()[:32]
        return f"{key}.{seal}{self.ending}"


def own_folder() -> Path:
    """The folder of compiled code, made if it is not there.

    Raises:
        InputError: it cannot be written, or others can.
    """
    folder = cache_folder() / FOLDER
    with writing(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    _trusted(folder, os.lstat(folder))
    return folder


def _trusted(path: Path, status: os.stat_result) -> None:
    mine = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    if stat.S_ISLNK(status.st_mode) or not mine or status.st_mode & OTHERS_WRITE:
        raise InputError(f"{path} is not used, as it could be another's: you alone must own it")
