"""Memory that a mapped file takes, given back: its pages are read again when they are touched.

A page of a mapped file is in memory from the first time that it is read, and counts as the
process' own, until the mapping ends. Most that is read of weights is read once in a while.
A page that was written to is a copy that nothing else has, and stays.
"""

import mmap
from array import array
from pathlib import Path
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from mezzotint.errors import InputError

PAGES = Path("/proc/self/pagemap")  # of each page of memory
PRESENT, FILES = 1 << 63, 1 << 61  # of its flags: it is in memory, and it is a file's

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
    """Give back the memory of a tensor that lies in a mapped file and was not written to.

    Of others nothing happens, nor where the system does not tell what was written to: only Linux
    does.
    """
    found = _file_of(tensor)
    if found is None:
        return
    raw, begin = found
    first = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
    whole = (begin + tensor.nbytes - first) // mmap.PAGESIZE * mmap.PAGESIZE
    # the pages at its ends may be others' as well
    if whole > 0 and _unwritten(_MAPPED[raw] + first, whole):
        raw.madvise(mmap.MADV_DONTNEED, first, whole)


def _unwritten(address: int, size: int) -> bool:
    """Whether all pages that are in memory are a file's own, by Linux' table of them."""
    table = array("Q")
    try:
        with PAGES.open("rb", buffering=0) as file:
            file.seek(address // mmap.PAGESIZE * table.itemsize)
            table.frombytes(file.read(size // mmap.PAGESIZE * table.itemsize))
    except OSError:
        return False
    return all(entry & FILES or not entry & PRESENT for entry in table)


def _file_of(tensor: Tensor) -> tuple[mmap.mmap, int] | None:
    """The file that a tensor lies in, and at which byte; None where it does not."""
    if tensor.device.type != "cpu":
        return None
    at = tensor.data_ptr()
    for raw, start in _MAPPED.items():
        if start <= at < start + len(raw):
            return raw, at - start
    return None


def file_size(path: Path) -> int:
    """How many bytes a file has.

    Raises:
        InputError: there is no such file, or it is a folder, a pipe or a device.
    """
    try:
        if path.is_file():
            return path.stat().st_size
        reason = "it is not a file" if path.exists() else "there is no such file"
    except (OSError, ValueError) as error:
        reason = str(error)
    raise InputError(f"cannot read {path}: {reason}")
