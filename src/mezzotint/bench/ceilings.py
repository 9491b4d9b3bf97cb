"""What a machine can do at best: products, convolutions and memory, each alone and large.

Runs in a process of its own, `python -m mezzotint.bench.ceilings`, and prints the figures as JSON.
`share` puts a network's work beside them: no engine computes it in less time than these rates say.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from mezzotint.bench.figures import Ceilings
from mezzotint.engines.compiled_int8 import has_int8
from mezzotint.nn.precision import multiplies

SIDE = 3072  # of the square matrices
CONVOLUTIONS = (
    (320, 64),
    (512, 128),
    (1280, 32),
)  # channels, side: those of U-Nets and decoders
BYTES = 2**28  # copied, so much that no cache holds it
SECONDS, TIMES = 0.4, 3  # of each measurement: at least the one, and at least as many


@dataclass(frozen=True)
class Place:
    """A device to measure."""

    device: torch.device

    def best(self, run: Callable[[], object]) -> float:
        """The least seconds that ``run`` takes."""
        run()
        spent: list[float] = []
        while sum(spent) < SECONDS or len(spent) < TIMES:
            spent.append(self._cuda(run) if self.device.type == "cuda" else _host(run))
        return min(spent)

    def _cuda(self, run: Callable[[], object]) -> float:
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begun.record()
        run()
        ended.record()
        torch.cuda.synchronize()
        return begun.elapsed_time(ended) / 1000


def _host(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def measure(device: torch.device) -> Ceilings:
    """This machine's figures, with the threads that torch takes by itself."""
    place = Place(device)
    rates = {
        name: _rates(place, dtype)
        for name, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32))
    }
    whole = _whole_numbers(place)
    source = torch.ones(BYTES // 4, device=device)
    copied = torch.empty_like(source)
    return Ceilings(
        device=device.type,
        name=torch.cuda.get_device_name() if device.type == "cuda" else "",
        threads=torch.get_num_threads(),
        rates=rates | {"int8": {"products": whole, "convolutions": whole}},
        bandwidth=2 * BYTES / place.best(partial(copied.copy_, source)),
    )


def _rates(place: Place, dtype: torch.dtype) -> dict[str, float]:
    """FLOP/s in products and convolutions, 0 where they are only emulated, which takes minutes."""
    if not multiplies(dtype, place.device.type):
        return {"products": 0.0, "convolutions": 0.0}
    return {
        "products": _products(place, dtype),
        "convolutions": max(_convolutions(place, dtype, *size) for size in CONVOLUTIONS),
    }


def _products(place: Place, dtype: torch.dtype) -> float:
    a, b = (torch.randn(SIDE, SIDE, device=place.device).to(dtype) for _ in range(2))
    return 2 * SIDE**3 / place.best(partial(torch.mm, a, b))


def _convolutions(place: Place, dtype: torch.dtype, channels: int, side: int) -> float:
    def wide(*shape: int) -> Tensor:
        made = torch.randn(*shape, device=place.device).to(dtype)
        return made.to(memory_format=torch.channels_last)

    x, kernel = wide(2, channels, side, side), wide(channels, channels, 3, 3)
    run = partial(F.conv2d, x, kernel, padding=1)
    return 2 * x.shape[0] * side**2 * 9 * channels**2 / place.best(run)


def _whole_numbers(place: Place) -> float:
    if place.device.type == "cpu" and not has_int8():
        return 0.0
    a, b = (torch.ones(SIDE, SIDE, dtype=torch.int8, device=place.device) for _ in range(2))
    try:
        return 2 * SIDE**3 / place.best(partial(torch._int_mm, a, b))  # pyright: ignore
    except RuntimeError:  # not everywhere
        return 0.0


def main() -> None:
    """Measure, and print."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = False
    with torch.inference_mode():
        print(json.dumps(asdict(measure(device))))


if __name__ == "__main__":
    main()
