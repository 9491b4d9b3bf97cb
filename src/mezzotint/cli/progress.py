"""Progress on stderr, so that stdout holds nothing but paths."""

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)


class _Counted(Protocol):
    @property
    def total(self) -> int: ...


S = TypeVar("S", bound=_Counted)


def step_bar(steps: Iterable[S]) -> Iterator[S]:
    """Pass steps on as they come, with a bar on a terminal of how many of their total are done."""
    columns = (TextColumn("step"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
    with _bar(*columns) as progress:
        task = progress.add_task("", total=None)
        for step in steps:
            progress.update(task, total=step.total, advance=1)
            yield step


@contextmanager
def byte_bar() -> Generator[Callable[[int, int], None]]:
    """Give a function to tell how many bytes of how many are written, shown as a bar."""
    with _bar(DownloadColumn(binary_units=True), BarColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task("", total=None)

        def tick(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield tick


@contextmanager
def phase_bar() -> Generator[Callable[[str, int, int], None]]:
    """Give a function to tell what is being done, and how much of how much is, shown as bars.

    Where there is no terminal, a line is printed for each tenth.
    """
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), BarColumn())
    with _bar(*columns, TimeRemainingColumn()) as progress:
        tasks: dict[str, TaskID] = {}

        def tick(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)
            if progress.disable and done * 10 // total > (done - 1) * 10 // total:
                print(f"{what} {done}/{total}", file=sys.stderr, flush=True)

        yield tick


def _bar(*columns: ProgressColumn) -> Progress:
    screen = Console(stderr=True)
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
