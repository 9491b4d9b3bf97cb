"""Attention in bfloat16 on CPUs that multiply it: what attention.c computes.

The C compiler of the machine makes it when it is first wanted, in a second or two, and it is kept
in the cache, by the rules of `files.compiled`. Where there is no compiler, or no such CPU (or
another system than Linux), there is none, and PyTorch's own kernel computes.
"""

import ctypes
import os
import subprocess
import time
import warnings
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from mezzotint.errors import InputError
from mezzotint.files.compiled import CompiledStore, own_folder

STORE = CompiledStore(".so")
SOURCE = Path(__file__).with_name("attention.c")
WIDEST = 512  # numbers of a head, as in the source
FEWEST = 128 * 64  # pairs of queries and keys for which it is worth a call

AVX = ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512bf16", "-mfma")
AMX = ("-mamx-tile", "-mamx-bf16")

Kernel = Callable[[Tensor, Tensor, Tensor], Tensor]


def kernel_for(query: Tensor, key: Tensor, value: Tensor) -> Kernel | None:
    """What computes softmax(QKᵀ/√d)·V of these as ``nn.attention.attend`` has it, if it is wanted.

    It is for bfloat16 on a CPU that multiplies it, where nobody asks for gradients, traces,
    compiles or records, and for as many queries and keys as make up for the call. The size of the
    batch plays no part, so a picture's attention is the same in every batch.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or is_in_torch_dispatch_mode():
        return None
    three = (query, key, value)
    wanted = (
        query.shape[2] * key.shape[2] >= FEWEST
        and query.shape[3] % 2 == 0
        and query.shape[3] <= WIDEST
        and all(type(x) is Tensor and _plain(x, query) for x in three)
        and not (torch.is_grad_enabled() and any(x.requires_grad for x in three))
    )
    return kernel() if wanted else None


def _plain(x: Tensor, query: Tensor) -> bool:
    b, heads, _, d = query.shape
    same = x.ndim == 4 and (x.shape[0], x.shape[1], x.shape[3]) == (b, heads, d)
    return same and x.dtype == torch.bfloat16 and x.device.type == "cpu" and x.stride(3) == 1


@cache
def kernel() -> Kernel | None:
    """The compiled kernel; None where it cannot be had or PyTorch's is quicker."""
    if not has(AVX):
        return None
    flags = AVX + AMX if has(AMX) else AVX
    digest = sha256(SOURCE.read_bytes() + " ".join(flags).encode()).hexdigest()
    key = f"attention-{digest[:16]}"
    try:
        folder = own_folder()
        if kept := STORE.find(key):
            try:
                # an empty file remembers that PyTorch's is quicker here
                return loaded(kept.path) if kept.data else None
            except OSError:  # it is of another system, with other libraries
                STORE.forget(key)
        return _made(folder, key, flags)
    except (InputError, OSError) as error:
        warnings.warn(f"attention is PyTorch's own, which takes longer: {error}", stacklevel=2)
        return None


def has(flags: tuple[str, ...]) -> bool:
    """Whether this machine's CPU has the features that these options of a compiler name."""
    try:
        cpu = Path("/proc/cpuinfo").read_text().replace("_", "").split()
    except OSError:
        return False
    return {flag.removeprefix("-m").replace("-", "") for flag in flags} <= set(cpu)


def _made(folder: Path, key: str, flags: tuple[str, ...]) -> Kernel | None:
    """Compile, and keep what is quicker: the kernel, or nothing where that is PyTorch's.

    Raises:
        OSError: what was compiled cannot be loaded.
    """
    with TemporaryDirectory(dir=folder) as place:  # from where code may be loaded
        path = Path(place) / SOURCE.with_suffix(".so").name
        try:
            compile_to(path, flags)
        except (OSError, subprocess.CalledProcessError):
            return None
        attend = loaded(path)
        ours = quicker(attend)
        STORE.keep(key, path.read_bytes() if ours else b"")
    return attend if ours else None


def compile_to(path: Path, flags: tuple[str, ...]) -> None:
    """Compile the source for a CPU with these features.

    Raises:
        OSError: there is no compiler.
        CalledProcessError: it cannot compile this.
    """
    how = ["-std=gnu11", "-O3", "-fopenmp", "-shared", "-fPIC", *flags]
    command = [os.environ.get("CC") or "cc", *how, str(SOURCE), "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True)


def loaded(path: Path) -> Kernel:
    """A compiled kernel as a function of queries, keys and values.

    Raises:
        OSError: it cannot be loaded, or the system does not let it use the CPU's tiles.
    """
    library = ctypes.CDLL(str(path))
    if library.ready():
        raise OSError("the system does not give the CPU's tiles")
    run = library.attend
    run.argtypes = [ctypes.c_void_p] * 6 + [ctypes.c_float]
    run.restype = None

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        b, heads, m, d = query.shape
        n = key.shape[2]
        packed = query.new_empty(b * heads * _up(n, 32) * (_up(d, 32) + _up(d, 16)))
        out = query.new_empty(b, m, heads, d)
        strides = [stride for x in (query, key, value) for stride in x.stride()[:3]]
        sizes = (ctypes.c_long * 15)(b, heads, m, n, d, torch.get_num_threads(), *strides)
        places = [x.data_ptr() for x in (out, query, key, value, packed)]
        run(*places, sizes, d**-0.5)
        return out.transpose(1, 2)

    return attend


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def quicker(kernel: Kernel) -> bool:
    """Whether it takes less time than PyTorch's, each at its best of a few turns."""
    generator = torch.Generator().manual_seed(0)  # leaves the caller's random numbers alone
    query = torch.randn(1, 8, 1024, 64, generator=generator, device="cpu").bfloat16()

    def seconds(attend: Kernel) -> float:
        start = time.perf_counter()
        attend(query, query, query)
        return time.perf_counter() - start

    turns = [(seconds(kernel), seconds(F.scaled_dot_product_attention)) for _ in range(6)]
    ours, theirs = (min(column) for column in zip(*turns, strict=True))
    return ours < theirs
