"""GGUF, the quantised format of llama.cpp, as ComfyUI-GGUF uses it for diffusion models.

The header is read here, each number of it held against the file's size; the `gguf` package says
how blocks of numbers are packed, and unpacks them. Shapes are stored fastest dimension first.
A tensor whose rows do not fill whole blocks is stored in another shape, and its own is in the
metadata as `comfy.gguf.orig_shape.NAME`.
"""

import math
import mmap
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from struct import calcsize, unpack_from
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from mezzotint.checkpoints.claims import (
    DAMAGE,
    MAX_DIMS,
    name_of,
    refuse_overlap,
    shape_of,
    text_of,
    why,
)
from mezzotint.checkpoints.tensors import DTYPES, Stored, Tensors, tensor_at
from mezzotint.errors import InputError
from mezzotint.files.pages import map_file

ORIGINAL_SHAPE = "comfy.gguf.orig_shape."
VERSIONS = (2, 3)
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_TEXT, _ARRAY, _INT32 = 8, 9, 5
_LEAST_ENTRY, _LEAST_TENSOR = 13, 24  # bytes


@dataclass(frozen=True)
class _Span:
    kind: int
    shape: tuple[int, ...]
    begin: int


@dataclass
class _Cursor:
    """A place in a mapped file, from which numbers and texts are taken one after the other."""

    raw: mmap.mmap
    at: int

    def skip(self, count: int) -> int:
        """Go ``count`` bytes on, and return where they began."""
        begin = self.at
        if count > len(self.raw) - begin:
            raise ValueError("it is cut short")
        self.at += count
        return begin

    def numbers(self, code: str) -> tuple[int, ...]:
        return unpack_from(f"<{code}", self.raw, self.skip(calcsize(f"<{code}")))

    def number(self, code: str) -> int:
        return self.numbers(code)[0]

    def count(self, least: int) -> int:
        """How many things follow that have at least ``least`` bytes each."""
        count = self.number("Q")
        if count > (len(self.raw) - self.at) // least:
            raise ValueError("it is cut short")
        return count

    def text(self) -> str:
        count = self.number("Q")
        begin = self.skip(count)
        return self.raw[begin : begin + count].decode()

    def value(self) -> object:
        """A value of metadata: a number, a text, a list of 32-bit numbers; None for other lists."""
        kind = self.number("I")
        if kind == _TEXT:
            return self.text()
        if kind != _ARRAY:
            return self.number(_SCALARS[kind])
        inner = self.number("I")
        if inner == _TEXT:
            for _ in range(self.count(8)):
                self.skip(self.number("Q"))
            return None
        width = calcsize(f"<{_SCALARS[inner]}")
        count = self.count(width)
        if inner == _INT32 and count <= 16:
            return list(self.numbers(f"{count}i"))
        self.skip(count * width)
        return None


def open_gguf(path: Path) -> Tensors:
    """Open a GGUF file; packed tensors become float32 when they are asked for, one at a time.

    Raises:
        InputError: it cannot be read, is damaged, or the gguf package is not installed.
    """
    gguf = gguf_package(path)
    raw = map_file(path)
    try:
        metadata, spans = _header(raw, gguf)
        stored = {
            name: _stored(path, name, raw, span, metadata.get(ORIGINAL_SHAPE + name), gguf)
            for name, span in spans.items()
        }
    except DAMAGE as error:
        raise InputError(f"{path} is not a GGUF file: {why(error)}") from error
    texts = {
        text_of(k): text_of(v) for k, v in metadata.items() if isinstance(v, (str, int, float))
    }
    return Tensors(stored, texts, "GGUF")


def gguf_package(path: Path) -> ModuleType:
    """The gguf package.

    Raises:
        InputError: it is not installed, which ``path`` needs.
    """
    try:
        import gguf
    except ImportError as error:
        raise InputError(f"{path} is GGUF, for which `pip install 'mezzotint[gguf]'`") from error
    return gguf


def _header(raw: mmap.mmap, gguf: ModuleType) -> tuple[dict[str, object], dict[str, _Span]]:
    cursor = _Cursor(raw, 4)
    if (version := cursor.number("I")) not in VERSIONS:
        raise ValueError(f"its version is {version:#x}, not {VERSIONS}")
    count = cursor.count(_LEAST_TENSOR)
    metadata: dict[str, object] = {}
    for _ in range(cursor.count(_LEAST_ENTRY)):
        key = cursor.text()
        metadata[key] = cursor.value()
    tensors: dict[str, _Span] = {}
    for _ in range(count):
        name = name_of(cursor.text())
        if name in tensors:
            raise ValueError(f"two tensors are called {name!r}")
        if (dims := cursor.number("I")) > MAX_DIMS:
            raise ValueError(f"{name!r} has {dims:,} dimensions")
        shape = shape_of(cursor.numbers(f"{dims}Q")[::-1])
        tensors[name] = _Span(cursor.number("I"), shape, cursor.number("Q"))
    alignment = metadata.get("general.alignment", 32)
    if not (isinstance(alignment, int) and 0 < alignment <= 1 << 20):
        raise ValueError("its alignment is no number of bytes")
    start = -(-cursor.at // alignment) * alignment
    placed = {n: _Span(s.kind, s.shape, start + s.begin) for n, s in tensors.items()}
    end = refuse_overlap((s.begin, s.begin + _bytes(s, gguf)) for s in placed.values())
    if end > len(raw):
        raise ValueError(f"it is cut short: its tensors end at byte {end:,} of {len(raw):,}")
    return metadata, placed


def _bytes(span: _Span, gguf: ModuleType) -> int:
    """The size of a tensor, whose rows are whole blocks."""
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(span.kind)]
    if span.shape[-1:] and span.shape[-1] % block:
        raise ValueError(f"a row of {span.shape[-1]:,} is not in blocks of {block}")
    return math.prod(span.shape) // block * size


def _stored(
    path: Path, name: str, raw: mmap.mmap, span: _Span, original: object, gguf: ModuleType
) -> Stored:
    shape = span.shape if original is None else shape_of(original)
    if math.prod(shape) != math.prod(span.shape):
        raise ValueError(f"{name!r} has two shapes of different size")
    kind = gguf.GGMLQuantizationType(span.kind)
    if kind.name in DTYPES:
        read = partial(tensor_at, raw, span.begin, DTYPES[kind.name], shape)
    else:
        read = partial(_unpacked, path, name, raw, span, shape, gguf)
    return Stored(kind.name, shape, read)


def _unpacked(
    path: Path, name: str, raw: mmap.mmap, span: _Span, shape: tuple[int, ...], gguf: ModuleType
) -> Tensor:
    if not math.prod(shape):
        return torch.empty(shape)
    kind = gguf.GGMLQuantizationType(span.kind)
    size = _bytes(span, gguf)
    packed = np.frombuffer(raw, np.uint8, size, span.begin)
    rows = packed.reshape(math.prod(span.shape[:-1]), -1)
    try:
        with np.errstate(all="ignore"):
            numbers = gguf.quants.dequantize(rows, kind)
    except NotImplementedError as error:
        raise InputError(f"{name} in {path} is {kind.name}, which gguf cannot unpack") from error
    return torch.from_numpy(numbers).view(shape)
