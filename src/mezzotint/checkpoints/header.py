"""What a safetensors file says about itself, read from its header alone.

The format: eight bytes of header length (little endian), the header as JSON, then the data; each
tensor gives its dtype, its shape and where its bytes lie. Nothing the file claims is trusted
before it has been held against the size of the file: the tensors must fill it without a gap and
without sharing a byte.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mezzotint.checkpoints.claims import (
    DAMAGE,
    name_of,
    refuse_overlap,
    shape_of,
    text_of,
    why,
)
from mezzotint.errors import InputError
from mezzotint.files.pages import file_size

MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors library
BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I8", "U8", "BOOL"), 8),
    "F4": 4,
}


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a file: how its numbers are stored, its shape, and its bytes in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def size(self) -> int:
        """How many numbers."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """A safetensors header: the tensors by name, and free text about them."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file; the data is not touched.

    Raises:
        InputError: the file cannot be read, is not safetensors, or is cut short.
    """
    size = file_size(path)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, MAX_HEADER):
                raise InputError(
                    f"{path} is not a safetensors file, or is cut short: it claims a header of "
                    f"{length:,} bytes and has {size:,} in all"
                )
            raw = file.read(length)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    try:
        table = cast("dict[str, dict[str, Any]]", json.loads(raw.decode()))
        metadata = {text_of(k): text_of(v) for k, v in table.pop("__metadata__", {}).items()}
        tensors = {name_of(name): _tensor(name, e, 8 + length) for name, e in table.items()}
        spans = [(tensor.begin, tensor.end) for tensor in tensors.values()]
        end = max(refuse_overlap(spans), 8 + length)
        gaps = end - 8 - length - sum(end - begin for begin, end in spans)
    except DAMAGE as error:
        raise InputError(f"{path} is not a safetensors file: {why(error)}") from error
    if end != size or gaps:
        raise InputError(
            f"{path} is cut short or padded: its tensors end at byte {end:,}, leaving "
            f"{gaps:,} between them, the file at {size:,}"
        )
    return Header(tensors, metadata)


def _tensor(name: str, entry: dict[str, Any], start: int) -> TensorInfo:
    begin, end = entry["data_offsets"]
    if not (type(begin) is int and type(end) is int and 0 <= begin <= end):
        raise ValueError(f"{name!r} lies nowhere")
    info = TensorInfo(str(entry["dtype"]), shape_of(entry["shape"]), start + begin, start + end)
    if info.size * BITS[info.dtype] != 8 * (end - begin):
        raise ValueError(f"{name!r} is {info.dtype} {info.shape} but has {end - begin:,} bytes")
    return info
