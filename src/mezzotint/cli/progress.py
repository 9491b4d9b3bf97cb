"""Progress on stderr, so that stdout holds nothing but paths."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class _Counted(Protocol):
    @property
    def total(self) -> int: ...


S = TypeVar("S", bound=_Counted)


def step_bar(steps: Iterable[S]) -> Iterator[S]:
    """Pass steps on as they come, with a bar on a terminal of how many of their total are done."""
    columns = (TextColumn("step"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
    screen = Console(stderr=True)
    with Progress(
        *columns, console=screen, transient=True, disable=not screen.is_terminal
    ) as progress:
        task = progress.add_task("", total=None)
        for step in steps:
            progress.update(task, total=step.total, advance=1)
            yield step
