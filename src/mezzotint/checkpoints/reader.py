"""Open a file of tensors of any kind; the kind is told by its first bytes, never by its name."""

from functools import partial
from pathlib import Path

from torch import Tensor

from mezzotint.checkpoints.diffusers_folder import weights_file
from mezzotint.checkpoints.header import MAX_HEADER, read_header
from mezzotint.checkpoints.packed import unpacked
from mezzotint.checkpoints.pickled import PICKLE, ZIP, open_pickled
from mezzotint.checkpoints.sharded import open_sharded
from mezzotint.checkpoints.tensors import DTYPES, Stored, Tensors, tensor_at
from mezzotint.errors import InputError
from mezzotint.files.pages import file_size, map_file

GGUF = b"GGUF"
STRANGERS = {
    b"version https://git-lfs": "a pointer of Git LFS: `git lfs pull` fetches the file itself",
    b"<": "a web page: download the file itself",
    b"\x89PNG": "a picture",
}


def open_tensors(path: Path) -> Tensors:
    """Open a file of tensors, a set of shards by its index, or a component's folder.

    Safetensors, torch.save's pickles (if they hold nothing but tensors in plain containers), GGUF
    and `*.index.json` are known. No data is read, but for pickles from before torch 1.6.

    Raises:
        InputError: it cannot be read, is of no known kind, is damaged, or would run code.
    """
    if path.is_dir():
        path = weights_file(path)
    start = _start(path)
    if start.lstrip()[:1] == b"{" and not _is_safetensors(start):
        return open_sharded(path, open_file)
    return open_file(path)


def open_file(path: Path) -> Tensors:
    """Open one file of tensors, as ``open_tensors`` does."""
    start = _start(path)
    if start[:4] == GGUF:
        from mezzotint.checkpoints.gguf_file import open_gguf  # needs an extra

        return open_gguf(path)
    if _is_safetensors(start):
        return open_safetensors(path)
    if start[:4] == ZIP or start[:1] == PICKLE:
        return open_pickled(path)
    known = "safetensors, a pickle of torch.save, GGUF or the index of a set of shards"
    is_a = next((words for sign, words in STRANGERS.items() if start.startswith(sign)), "none")
    raise InputError(f"{path} is {is_a}; wanted is {known}")


def open_safetensors(path: Path) -> Tensors:
    """Open a safetensors file; its tensors share the mapped file, but those packed to 8 bits.

    Raises:
        InputError: as ``header.read_header``, or a scale is that of nothing.
    """
    header = read_header(path)
    raw = map_file(path)

    def read(name: str) -> Tensor:
        info = header.tensors[name]
        if info.dtype not in DTYPES:
            raise InputError(f"{name} in {path} is {info.dtype}, which nothing here computes with")
        return tensor_at(raw, info.begin, DTYPES[info.dtype], info.shape)

    stored = {n: Stored(i.dtype, i.shape, partial(read, n)) for n, i in header.tensors.items()}
    return Tensors(unpacked(stored, str(path)), header.metadata, "safetensors")


def _is_safetensors(start: bytes) -> bool:
    return int.from_bytes(start[:8], "little") <= MAX_HEADER and start[8:9] == b"{"


def _start(path: Path) -> bytes:
    if not file_size(path):
        raise InputError(f"{path} is empty")
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
