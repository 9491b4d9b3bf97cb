"""Group normalisation in bfloat16 and channels-last on CPUs: what normalisation.c computes."""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from mezzotint.nn.native import computes_alone, native, sooner

WIDEST = 4096  # channels, as in the source
PART = 256  # pixels that are added up at once, as in the source
FEWEST = 2**14  # numbers of a map for which it is worth a call

Kernel = Callable[[Tensor, Tensor, Tensor, int, float, bool], Tensor]
"""(x, weight, bias, groups, eps, silu) → x normalised, and after SiLU if that is asked for."""


def kernel_for(x: Tensor, weight: Tensor, bias: Tensor, groups: int) -> Kernel | None:
    """What normalises x (b, c, h, w) in groups of channels, if it is wanted.

    It is for bfloat16 on a CPU that multiplies it, where nobody asks for gradients, traces,
    compiles or records, and for maps in channels-last that make up for the call. The size of the
    batch plays no part, so a map's result is the same in every batch.
    """
    wanted = (
        computes_alone(x, weight, bias)
        and x.ndim == 4
        and x[0].numel() >= FEWEST
        and x.shape[1] <= WIDEST
        and x.shape[1] // groups % 2 == 0
        and x.is_contiguous(memory_format=torch.channels_last)
    )
    return kernel() if wanted else None


@cache
def kernel() -> Kernel | None:
    """The compiled kernel; None where it cannot be had or PyTorch's is quicker."""
    return native("normalisation", loaded, quicker)


def loaded(path: Path) -> Kernel:
    """A compiled kernel as a function.

    Raises:
        OSError: it cannot be loaded.
    """
    run = ctypes.CDLL(str(path)).normalise
    run.argtypes = [ctypes.c_void_p] * 6 + [ctypes.c_double]
    run.restype = None

    def normalise(
        x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool
    ) -> Tensor:
        b, c, h, w = x.shape
        out = torch.empty_like(x)
        weight, bias = weight.contiguous(), bias.contiguous()
        sums = x.new_empty(2 * b * -(-h * w // PART) * groups, dtype=torch.float64)
        sizes = (ctypes.c_long * 6)(b, h * w, c, groups, silu, torch.get_num_threads())
        places = [each.data_ptr() for each in (out, x, weight, bias, sums)]
        run(*places, sizes, eps)
        return out

    return normalise


def quicker(kernel: Kernel) -> bool:
    """Whether it takes less time than PyTorch's, each at its best of a few turns."""
    generator = torch.Generator().manual_seed(0)  # leaves the caller's random numbers alone
    x = torch.randn(1, 320, 64, 64, generator=generator, device="cpu").bfloat16()
    x = x.contiguous(memory_format=torch.channels_last)
    weight = x.new_ones(320)
    return sooner(
        lambda: kernel(x, weight, weight, 32, 1e-5, True),
        lambda: F.silu(F.group_norm(x, 32, weight, weight, 1e-5)),
    )
