"""What a run says as it goes: progress bar or lines, JSONL file, TensorBoard if installed."""

import json
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mezzotint.errors import writing
from mezzotint.files import write_whole

CURVES = "tensorboard"


def note(line: str) -> None:
    """Print one line, outside a run."""
    Console(stderr=True).print(line, highlight=False, markup=False, soft_wrap=True)


def note_progress(what: str, done: int, total: int) -> None:
    """Print how far something has come, outside a run."""
    note(f"{what}: {min(done, total)} of {total}")


class Journal:
    """The voice of a run. In a process that does not lead, every method does nothing."""

    def __init__(self, folder: Path, title: str, steps: int, batch: int, speaks: bool) -> None:
        self.console = Console(stderr=True, quiet=not speaks)
        self._speaks = speaks
        self._file = folder / "log.jsonl"
        self._batch = batch
        self._steps = steps
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
            console=self.console,
            disable=not (speaks and self.console.is_terminal),
        )
        self._bar = self._progress.add_task(title, total=steps, status="")
        self._folder = folder
        self._curves: Any = None
        self._mark = (0, time.perf_counter())

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._progress.stop()
        if self._curves is not None:
            with suppress(OSError) if error else writing(self._folder / CURVES):
                self._curves.close()

    def begin(self, step: int) -> None:
        """Go on from ``step``; what an interrupted run logged after it is forgotten."""
        self._mark = (step, time.perf_counter())
        self._progress.update(self._bar, completed=step)
        if self._speaks:
            self._curves = _tensorboard(self._folder, step)
        if self._speaks and self._file.exists():
            lines = self._file.read_text().splitlines(keepends=True)
            write_whole(self._file, "".join(ln for ln in lines if _step_of(ln) <= step).encode())

    def advance(self) -> None:
        """One step was done."""
        self._progress.advance(self._bar)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Record the values of a step.

        Raises:
            InputError: the folder is not writable, or the disk is full.
        """
        if not self._speaks:
            return
        with writing(self._file), self._file.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self._curves is not None:
            with writing(self._folder / CURVES):
                for name, value in values.items():
                    self._curves.add_scalar(name, value, step)

    def held_out(self, step: int, figures: Mapping[str, float]) -> None:
        """Record, and say, how well held-out data is served after a step."""
        self.log(step, {f"held_out/{name}": value for name, value in figures.items()})
        said = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.say(f"step {step}/{self._steps}  held out: {said}")

    def report(self, step: int, values: Mapping[str, float]) -> None:
        """Record the training values of a step, with the throughput since the last report."""
        before, then = self._mark
        self._mark = (step, time.perf_counter())
        rate = (step - before) * self._batch / max(1e-9, self._mark[1] - then)
        self.log(step, {**values, "samples_per_s": round(rate, 2)})
        status = f"loss {values['loss']:.4f}  {rate:.0f} samples/s"
        self._progress.update(self._bar, status=status)
        if not self.console.is_terminal:
            left = (self._steps - step) * self._batch / max(rate, 1e-9)
            self.say(f"step {step}/{self._steps}  {status}  {left / 60:.1f} min left")

    @contextmanager
    def aside(self) -> Generator[None]:
        """Do something that is no training inside the block: it does not count as throughput."""
        begun = time.perf_counter()
        yield
        step, then = self._mark
        self._mark = (step, then + time.perf_counter() - begun)

    def say(self, line: str) -> None:
        """Print one line."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):  # the last line of a killed run may be cut
        return float("inf")


def _tensorboard(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    with writing(folder / CURVES):
        return SummaryWriter(str(folder / CURVES), purge_step=step + 1)
