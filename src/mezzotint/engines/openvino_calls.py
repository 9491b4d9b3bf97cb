"""Calls of a network, kept on disk until there are enough of them to learn from.

A command that draws one picture in a few steps makes too few in its one process. What is the same
in several calls, as the prompt is, is written once.
"""

import hashlib
import json
import shutil
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mezzotint.errors import InputError
from mezzotint.files import made, whole_file, write_whole


class Calls:
    """The calls whose tensors are in a folder, of this process and of those before it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __len__(self) -> int:
        return len(self._files())

    def __iter__(self) -> Iterator[Sequence[Any]]:
        """The tensors of each call, as numpy's.

        Raises:
            OSError, ValueError, TypeError: they are not as they were written.
        """
        for file in self._files():
            names: list[str] = json.loads(file.read_text())
            yield [np.load(self._path(name), mmap_mode="r") for name in names]

    def add(self, arrays: Sequence[Any]) -> None:
        """Note a call; where that cannot be, it is said."""
        try:
            made(self.folder)
            names = [self._kept(each) for each in arrays]
            write_whole(self.folder / f"{len(self):04d}.json", json.dumps(names).encode())
        except InputError as error:
            warnings.warn(f"{error}; so nothing is learnt for int8", stacklevel=2)

    def forget(self) -> None:
        """Delete all of them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.json"))

    def _kept(self, array: Any) -> str:
        """The name under which an array is kept."""
        digest = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
        path = self._path(digest.hexdigest()[:32])
        if not path.exists():
            with whole_file(path) as part, part.open("wb") as file:
                np.save(file, array, allow_pickle=False)
        return path.stem

    def _path(self, name: str) -> Path:
        """The file of an array, whatever its name says in this folder."""
        return self.folder / Path(f"{name}.npy").name
