"""Memory that a mapped file takes, given back: its pages are read again when they are touched.

A page of a mapped file is in memory from the first time that it is read, and counts as the
process' own, until the mapping ends. Most that is read of weights is read once in a while.
"""

import mmap
from pathlib import Path
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from mezzotint.checkpoints.claims import file_size
from mezzotint.errors import InputError

_MAPPED: WeakKeyDictionary[mmap.mmap, int] = WeakKeyDictionary()  # and where each begins


def map_file(path: Path) -> mmap.mmap:
    """The bytes of a file, in pages that are read from the disk when they are touched.

    Raises:
        InputError: it cannot be read, or is empty.
    """
    if not file_size(path):
        raise InputError(f"{path} is empty")
    try:
        with path.open("rb") as file:
            raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    _MAPPED[raw] = torch.frombuffer(raw, dtype=torch.uint8, count=1).data_ptr()
    return raw


def is_mapped(tensor: Tensor) -> bool:
    """Whether a tensor lies in a mapped file."""
    return _file_of(tensor) is not None


def let_go(tensor: Tensor) -> None:
    """Give back the memory of a tensor that lies in a mapped file; of others, nothing happens.

    It reads as the file has it afterwards: what was written to it is lost.
    """
    found = _file_of(tensor)
    if found is None or not hasattr(mmap, "MADV_DONTNEED"):  # as on Windows
        return
    raw, begin = found
    first = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
    whole = (begin + tensor.nbytes - first) // mmap.PAGESIZE * mmap.PAGESIZE
    if whole > 0:  # the pages at its ends may be others' as well
        raw.madvise(mmap.MADV_DONTNEED, first, whole)


def _file_of(tensor: Tensor) -> tuple[mmap.mmap, int] | None:
    """The file that a tensor lies in, and at which byte; None where it does not."""
    if tensor.device.type != "cpu":
        return None
    at = tensor.data_ptr()
    for raw, start in _MAPPED.items():
        if start <= at < start + len(raw):
            return raw, at - start
    return None
