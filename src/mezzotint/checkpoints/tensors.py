"""The tensors of a file, read when they are asked for."""

import math
import mmap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

# by the names that safetensors has for them
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F8_E8M0": torch.float8_e8m0fnu,
    "C64": torch.complex64,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


@dataclass(frozen=True)
class Stored:
    """A tensor that lies in a file: how its numbers are stored, its shape, and how to read it."""

    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], Tensor]


@dataclass(frozen=True, eq=False)
class Tensors(Mapping[str, Tensor]):
    """The tensors of a file by name; each is read when it is asked for, and not kept.

    A tensor that can be used as it lies in the file shares the file's mapped pages. Writing to it
    changes this process' copy of a page, never the file.

    Attributes:
        stored: what is known of each tensor without its data.
        metadata: what the file says about itself.
        kind: what sort of file it is, in words.
    """

    stored: Mapping[str, Stored]
    metadata: Mapping[str, str]
    kind: str

    def __getitem__(self, name: str) -> Tensor:
        return self.stored[name].read()

    def __contains__(self, name: object) -> bool:
        return name in self.stored

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Each tensor's shape."""
        return {name: stored.shape for name, stored in self.stored.items()}

    @property
    def dtypes(self) -> dict[str, str]:
        """How each tensor's numbers are stored, such as "F16", "F8_E4M3" or "Q8_0"."""
        return {name: stored.dtype for name, stored in self.stored.items()}


def sizes(
    tensors: Mapping[str, Tensor],
) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
    """The dtype and the shape of each; those of a file are told without reading any.

    What is packed in a file becomes float32 when it is read.
    """
    if isinstance(tensors, Tensors):
        return {n: (DTYPES.get(s.dtype, torch.float32), s.shape) for n, s in tensors.stored.items()}
    return {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items()}


def tensor_at(raw: mmap.mmap, begin: int, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    """The tensor whose numbers begin at byte ``begin`` of a mapped file, which it shares."""
    count = math.prod(shape) * dtype.itemsize
    if not count:
        return torch.empty(shape, dtype=dtype)
    data = torch.frombuffer(raw, dtype=torch.uint8, count=count, offset=begin)
    return aligned(data, dtype.itemsize).view(dtype).view(shape)


def aligned(tensor: Tensor, size: int) -> Tensor:
    """The tensor, copied only if it does not begin at a multiple of ``size`` bytes."""
    return tensor.clone() if tensor.data_ptr() % size else tensor
