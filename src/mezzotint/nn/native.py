"""Kernels in C, for what PyTorch does slowly in bfloat16 on CPUs that multiply it.

The C compiler of the machine makes one when it is first wanted, in a second or two, and it is kept
in the cache, by the rules of `files.compiled`. Where there is no compiler, or no such CPU (or
another system than Linux), there is none, and PyTorch's own kernel computes.
"""

import os
import subprocess
import time
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from mezzotint.errors import InputError
from mezzotint.files.compiled import CompiledStore, own_folder

STORE = CompiledStore(".so")
SHARED = Path(__file__).with_name("lanes.h")  # what every source includes

AVX = (
    *("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vbmi", "-mavx512bf16"),
    "-mfma",
)
AMX = ("-mamx-tile", "-mamx-bf16")

K = TypeVar("K")


def native(name: str, loaded: Callable[[Path], K], quicker: Callable[[K], bool]) -> K | None:
    """A kernel; None where it cannot be had or PyTorch's is quicker.

    Args:
        name: of what it computes, for people; the source is of this name and in this folder.
        loaded: a compiled library as a function; raises OSError where it cannot be loaded.
        quicker: whether that takes less time than PyTorch's own.
    """
    if not has(AVX):
        return None
    flags = AVX + AMX if has(AMX) else AVX
    code = b"".join(path.read_bytes() for path in (source(name), SHARED))
    digest = sha256(code + " ".join(flags).encode()).hexdigest()
    key = f"{name}-{digest[:16]}"
    try:
        folder = own_folder()
        if kept := STORE.find(key):
            try:
                # an empty file remembers that PyTorch's is quicker here
                return loaded(kept.path) if kept.data else None
            except OSError:  # it is of another system, with other libraries
                STORE.forget(key)
        return _made(folder, name, key, flags, loaded, quicker)
    except (InputError, OSError) as error:
        warnings.warn(f"{name} is PyTorch's own, which takes longer: {error}", stacklevel=3)
        return None


def _made(
    folder: Path,
    name: str,
    key: str,
    flags: tuple[str, ...],
    loaded: Callable[[Path], K],
    quicker: Callable[[K], bool],
) -> K | None:
    """Compile, and keep what is quicker: the kernel, or nothing where that is PyTorch's.

    Raises:
        OSError: what was compiled cannot be loaded.
    """
    with TemporaryDirectory(dir=folder) as place:  # from where code may be loaded
        path = Path(place) / f"{name}.so"
        try:
            compile_to(path, source(name), flags)
        except (OSError, subprocess.CalledProcessError):
            return None
        kernel = loaded(path)
        ours = quicker(kernel)
        STORE.keep(key, path.read_bytes() if ours else b"")
    return kernel if ours else None


def source(name: str) -> Path:
    """Where a kernel's source is."""
    return Path(__file__).with_name(f"{name}.c")


def has(flags: tuple[str, ...]) -> bool:
    """Whether this machine's CPU has the features that these options of a compiler name."""
    try:
        cpu = Path("/proc/cpuinfo").read_text().replace("_", "").split()
    except OSError:
        return False
    return {flag.removeprefix("-m").replace("-", "") for flag in flags} <= set(cpu)


def compile_to(path: Path, source: Path, flags: tuple[str, ...]) -> None:
    """Compile a source for a CPU with these features.

    Raises:
        OSError: there is no compiler.
        CalledProcessError: it cannot compile this.
    """
    how = ["-std=gnu11", "-O3", "-fopenmp", "-shared", "-fPIC", *flags]
    command = [os.environ.get("CC") or "cc", *how, str(source), "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True)


def computes_alone(*tensors: Tensor) -> bool:
    """Whether these are plain bfloat16 on a CPU, and nobody differentiates, traces or records."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or is_in_torch_dispatch_mode():
        return False
    return all(
        type(x) in (Tensor, torch.nn.Parameter)
        and x.dtype == torch.bfloat16
        and x.device.type == "cpu"
        and not (x.requires_grad and torch.is_grad_enabled())
        for x in tensors
    )


def sooner(ours: Callable[[], object], theirs: Callable[[], object]) -> bool:
    """Whether ours takes less time, each at its best of a few turns."""

    def seconds(run: Callable[[], object]) -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    turns = [(seconds(ours), seconds(theirs)) for _ in range(6)]
    mine, other = (min(column) for column in zip(*turns, strict=True))
    return mine < other
