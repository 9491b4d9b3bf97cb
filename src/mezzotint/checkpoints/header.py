"""What a safetensors file says about itself, read from its header alone.

The format: eight bytes of header length (little endian), the header as JSON, then the data; each
tensor gives its dtype, its shape and where its bytes lie. Nothing the file claims is trusted
before it has been held against the size of the file.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mezzotint.errors import InputError

MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors library
BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "U8", "BOOL"), 8),
    "F4": 4,
}


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a file: how its numbers are stored, and its shape."""

    dtype: str
    shape: tuple[int, ...]

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
    try:
        size = path.stat().st_size
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
        table = cast("dict[str, dict[str, Any]]", json.loads(raw))
        metadata = {str(k): str(v) for k, v in table.pop("__metadata__", {}).items()}
        tensors = {name: _tensor(name, entry) for name, entry in table.items()}
        end = max((int(entry["data_offsets"][1]) for entry in table.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise InputError(f"{path} is not a safetensors file: {error}") from error
    if end != size - 8 - length:
        raise InputError(
            f"{path} is cut short or padded: its tensors end at byte {8 + length + end:,}, "
            f"the file at {size:,}"
        )
    return Header(tensors, metadata)


def _tensor(name: str, entry: dict[str, Any]) -> TensorInfo:
    info = TensorInfo(str(entry["dtype"]), tuple(int(n) for n in entry["shape"]))
    begin, end = entry["data_offsets"]
    if min((*info.shape, begin), default=0) < 0:
        raise ValueError(f"{name} has a negative size")
    if info.size * BITS[info.dtype] != 8 * (end - begin):
        raise ValueError(f"{name} is {info.dtype} {info.shape} but has {end - begin} bytes")
    return info
