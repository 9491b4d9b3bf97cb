"""Attention in bfloat16 on CPUs that multiply it: what attention.c computes; see ``native``."""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from mezzotint.nn.native import computes_alone, native, sooner

WIDEST = 512  # numbers of a head, as in the source
FEWEST = 128 * 64  # pairs of queries and keys for which it is worth a call

Kernel = Callable[[Tensor, Tensor, Tensor], Tensor]


def kernel_for(query: Tensor, key: Tensor, value: Tensor) -> Kernel | None:
    """What computes softmax(QKᵀ/√d)·V of these as ``nn.attention.attend`` has it, if it is wanted.

    It is for bfloat16 on a CPU that multiplies it, where nobody asks for gradients, traces,
    compiles or records, and for as many queries and keys as make up for the call. The size of the
    batch plays no part, so a picture's attention is the same in every batch.
    """
    three = (query, key, value)
    wanted = (
        computes_alone(*three)
        and query.shape[2] * key.shape[2] >= FEWEST
        and query.shape[3] % 2 == 0
        and query.shape[3] <= WIDEST
        and all(_plain(x, query) for x in three)
    )
    return kernel() if wanted else None


def _plain(x: Tensor, query: Tensor) -> bool:
    b, heads, _, d = query.shape
    same = x.ndim == 4 and (x.shape[0], x.shape[1], x.shape[3]) == (b, heads, d)
    return same and x.stride(3) == 1


@cache
def kernel() -> Kernel | None:
    """The compiled kernel; None where it cannot be had or PyTorch's is quicker."""
    return native("attention", loaded, quicker)


def loaded(path: Path) -> Kernel:
    """A compiled kernel as a function of queries, keys and values.

    Raises:
        OSError: it cannot be loaded, or the system does not let it use the CPU's tiles.
    """
    library = ctypes.CDLL(str(path))
    if library.ready():
        raise OSError("the system does not give the CPU's tiles")
    run = library.attend
    run.argtypes = [ctypes.c_void_p] * 7 + [ctypes.c_float]
    run.restype = None

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        b, heads, m, d = query.shape
        n = key.shape[2]
        packed = query.new_empty(b * heads * _up(n, 32) * (_up(d, 32) + _up(d, 16)))
        squares = query.new_empty(b * heads * (_up(n, 32) // 32), dtype=torch.float32)
        out = query.new_empty(b, m, heads, d)
        strides = [stride for x in (query, key, value) for stride in x.stride()[:3]]
        sizes = (ctypes.c_long * 15)(b, heads, m, n, d, torch.get_num_threads(), *strides)
        places = [x.data_ptr() for x in (out, query, key, value, packed, squares)]
        run(*places, sizes, d**-0.5)
        return out.transpose(1, 2)

    return attend


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def quicker(kernel: Kernel) -> bool:
    """Whether it takes less time than PyTorch's, each at its best of a few turns."""
    generator = torch.Generator().manual_seed(0)  # leaves the caller's random numbers alone
    query = torch.randn(1, 8, 1024, 64, generator=generator, device="cpu").bfloat16()
    return sooner(
        lambda: kernel(query, query, query),
        lambda: F.scaled_dot_product_attention(query, query, query),
    )
