"""What the contestants' scripts share: what they are told, their clock, what they print."""

import json
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

POLL = 0.05  # seconds between two looks at how busy a GPU is


class Stopwatch:
    """Times a contestant from its import to its picture; a GPU's steps by its own events.

    Attributes:
        told: the task: model, prompt, size, steps, scale, seed, dtype, device, and so on.
    """

    def __init__(self) -> None:
        self.told: Mapping[str, Any] = json.loads(sys.argv[1])
        self._figures: dict[str, float] = {}
        self._laps: list[Any] = []
        self._since = time.perf_counter()
        self._busy: list[int] = []
        self._done = threading.Event()

    def mark(self, name: str) -> None:
        """Note the seconds since the last mark under this name."""
        self._wait()
        self._figures[name] = time.perf_counter() - self._since
        self._since = time.perf_counter()

    def lap(self) -> None:
        """Note that a step is done."""
        if not self._on_gpu:
            self._laps.append(time.perf_counter())
            return
        if not self._laps:
            threading.Thread(target=self._watch, daemon=True).start()
        event = self._torch.cuda.Event(enable_timing=True)
        event.record()
        self._laps.append(event)

    def drawn(self) -> None:
        """Note that the picture is saved: seconds since the process began, and the peak so far."""
        self._figures["picture"] = time.time() - self.told["began"]
        self._done.set()
        self._figures["peak"] = peak(resource.RUSAGE_SELF)
        self._wait()
        pairs = zip(self._laps, self._laps[1:], strict=False)
        if self._on_gpu:
            gaps = [before.elapsed_time(after) / 1000 for before, after in pairs]
            self._figures["gpu_peak"] = self._torch.cuda.max_memory_allocated()
            if self._busy:
                self._figures["busy"] = statistics.mean(self._busy) / 100
        else:
            gaps = [after - before for before, after in pairs]
        if gaps:
            self._figures["step"] = statistics.median(gaps)

    def decoded(self, decode: Callable[[], object]) -> None:
        """Time decoding the same latents once more."""
        self._since = time.perf_counter()
        decode()
        self.mark("decode")

    def report(self, **more: float) -> None:
        """Print all that was noted, as the last line."""
        print(json.dumps(self._figures | more))

    @property
    def _on_gpu(self) -> bool:
        return self.told["device"] == "cuda" and "torch" in sys.modules

    @property
    def _torch(self) -> Any:
        return sys.modules["torch"]

    def _wait(self) -> None:
        if self._on_gpu:
            self._torch.cuda.synchronize()

    def _watch(self) -> None:
        """Look at how busy the GPU is until the picture is there."""
        try:
            import pynvml  # pyright: ignore[reportMissingImports]
        except ImportError:
            return
        pynvml.nvmlInit()
        gpu = pynvml.nvmlDeviceGetHandleByIndex(self._torch.cuda.current_device())
        while not self._done.wait(POLL):
            self._busy.append(pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu)


def peak(who: int) -> int:
    """Bytes that a process, or the largest of its children, held at most."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(who).ru_maxrss * unit
