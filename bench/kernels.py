"""How quick our kernels in bfloat16 are on this CPU: `python bench/kernels.py`.

Ours and PyTorch's take turns, with a large product of matrices or a copy between them. Prints
tables and writes them into docs/benchmarks.md; `--dry` writes nothing.
"""

import sys
import time
from collections.abc import Callable
from os import getloadavg

import torch
import torch.nn.functional as F
from speed import REPORT
from torch import Tensor

from mezzotint.bench.page import machine, write
from mezzotint.nn import cpu_attention, cpu_norm

TURNS, SECONDS = 2, 0.2  # at least so many, and so long, for each shape
SIDE = 2048  # of the matrices whose product is the ceiling

# b, heads, queries, keys, numbers of a head; b is 2 where guidance draws with and without a prompt
SHAPES = {
    "SD 1.5, 512²": (2, 8, 4096, 4096, 40),
    "its second level": (2, 8, 1024, 1024, 80),
    "its third": (2, 8, 256, 256, 160),
    "its prompt": (2, 8, 4096, 77, 40),
    "SDXL, 512²": (2, 10, 1024, 1024, 64),
    "SDXL, 1024²": (2, 10, 4096, 4096, 64),
    "its second level, 1024²": (2, 20, 1024, 1024, 64),
    "its prompt, 1024²": (2, 10, 4096, 77, 64),
    "FLUX, 512²": (1, 24, 1536, 1536, 128),
    "FLUX, 1024²": (1, 24, 4608, 4608, 128),
    "autoencoder, 512²": (1, 1, 4096, 4096, 512),
    "autoencoder, 1024²": (1, 1, 16384, 16384, 512),
    "embedded U-Net's prompt": (2, 5, 256, 48, 32),
    "embedded transformer": (2, 4, 256, 256, 64),
}

# b, channels, side, groups
MAPS = {
    "SD 1.5, 512²": (2, 320, 64, 32),
    "its second level": (2, 640, 32, 32),
    "its third": (2, 1280, 16, 32),
    "SDXL, 1024²": (2, 320, 128, 32),
    "autoencoder, 512², coarsest": (1, 512, 64, 32),
    "its middle": (1, 512, 256, 32),
    "its finest": (1, 128, 512, 32),
}


def main() -> None:
    attend, normalise = cpu_attention.kernel(), cpu_norm.kernel()
    if attend is None or normalise is None:
        sys.exit("this machine has not all of our kernels: PyTorch's are used")
    for figures in (attention(attend), normalisation(normalise)):
        print(figures)
        if "--dry" not in sys.argv:
            write(REPORT, figures)


@torch.inference_mode()
def attention(ours: cpu_attention.Kernel) -> str:
    """The figures as Markdown."""
    load, rows, peak = getloadavg()[0], list[tuple[str, float, float]](), 0.0
    matrix = torch.randn(SIDE, SIDE).bfloat16()
    for name, (b, heads, m, n, d) in SHAPES.items():
        query, key, value = (
            torch.randn(b, length, heads, d).bfloat16().transpose(1, 2) for length in (m, n, n)
        )
        mine, theirs, product = quickest(
            lambda q=query, k=key, v=value: ours(q, k, v),
            lambda q=query, k=key, v=value: F.scaled_dot_product_attention(q, k, v),
            lambda: matrix @ matrix,
        )
        work = 4 * b * heads * m * n * d / 1e12
        rows.append((f"{name}: {b}·{heads}, {m}×{n}, {d}", work / mine, work / theirs))
        peak = max(peak, 2 * SIDE**3 / product / 1e12)
    table = "\n".join(
        f"| {name} | {a:.2f} | {b:.2f} | {b / a:.2f} | {a / peak:.0%} |" for name, a, b in rows
    )
    return (
        "## Attention\n\n"
        "| batch·heads, queries×keys, width of a head | ours, TFLOP/s | PyTorch's | "
        "time, ours / PyTorch's | of the ceiling |\n|---|---|---|---|---|\n"
        f"{table}\n\n"
        "Our kernel is used where networks compute in bfloat16 on a Linux machine whose CPU "
        "multiplies it (AVX-512 BF16, quicker with AMX) and which has a C compiler: the first use "
        "compiles it, in a second or two, into the cache, where an empty file remembers a machine "
        "on which PyTorch's is quicker. Float32, training, causal attention and exported graphs "
        "have PyTorch's.\n\n"
        f"bfloat16; the best of at least {TURNS} in turn. The ceiling is {peak:.2f} TFLOP/s, a "
        f"product of {SIDE}² matrices. {surroundings(load)}"
    )


@torch.inference_mode()
def normalisation(ours: cpu_norm.Kernel) -> str:
    """The figures as Markdown."""
    load, rows = getloadavg()[0], list[str]()
    for name, (b, c, side, groups) in MAPS.items():
        x = torch.randn(b, c, side, side).bfloat16().contiguous(memory_format=torch.channels_last)
        weight, bias = torch.randn(2, c).bfloat16()
        into = torch.empty_like(x)
        mine, theirs, copied = quickest(
            lambda x=x, w=weight, b=bias, g=groups: ours(x, w, b, g, 1e-5, True),
            lambda x=x, w=weight, b=bias, g=groups: F.silu(F.group_norm(x, g, w, b), inplace=True),
            lambda x=x, into=into: into.copy_(x),
        )
        shape = f"{name}: {b}·{c}, {side}², {groups}"
        rows.append(
            f"| {shape} | {1e3 * mine:.2f} ms | {1e3 * theirs:.2f} ms | {mine / theirs:.2f} | "
            f"{mine / copied:.1f} |"
        )
    table = "\n".join(rows)
    return (
        "## Normalisation\n\n"
        "| batch·channels, pixels, groups | ours | PyTorch's | ours / PyTorch's | "
        "ours / copying the map |\n|---|---|---|---|---|\n"
        f"{table}\n\n"
        "Group normalisation and SiLU in channels-last. Ours reads a map twice and writes it once, "
        "into memory that it asks for; the copy has its memory already. It is used where "
        "attention's is, and in float32, in training and in exported graphs PyTorch's.\n\n"
        f"bfloat16; the best of at least {TURNS} in turn. {surroundings(load)}"
    )


def surroundings(load: float) -> str:
    return (
        f"On {machine()}, torch {torch.__version__} with {torch.get_num_threads()} thread(s); the "
        f"load average was {load:.1f} when it began. Made by `python bench/kernels.py`.\n"
    )


def quickest(*runs: Callable[[], Tensor]) -> list[float]:
    """The least seconds of each, taken in turn; of one thread what else runs does not count."""
    clock = time.perf_counter if torch.get_num_threads() > 1 else time.thread_time
    least = [float("inf")] * len(runs)
    start, turns = clock(), 0
    while turns < TURNS or clock() - start < SECONDS:
        for k, run in enumerate(runs):
            began = clock()
            run()
            least[k] = min(least[k], clock() - began)
        turns += 1
    return least


if __name__ == "__main__":
    main()
