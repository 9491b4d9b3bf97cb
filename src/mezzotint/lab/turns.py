"""Several visitors on one machine: their drawings take turns, a step at a time.

A network uses every core there is, so two drawings at once would be no sooner done than one after
the other. In turns, both are live: nobody waits longer than the others' next steps take. What a
drawing attaches to the model stays with it between its turns, so it draws with ``own.own`` of that.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(eq=False)
class Job(Generic[T]):
    """Something that is done in steps; iterating it in asyncio waits for each.

    Attributes:
        begin: makes the iterator of its steps; called when its first turn comes.
    """

    begin: Callable[[], Iterator[T]]
    loop: asyncio.AbstractEventLoop
    cancelled: bool = False
    _steps: Iterator[T] | None = None
    _said: "asyncio.Queue[tuple[T] | BaseException | None]" = field(default_factory=asyncio.Queue)

    def cancel(self) -> None:
        """Let it take no further step."""
        self.cancelled = True

    async def __aiter__(self) -> AsyncIterator[T]:
        try:
            while (said := await self._said.get()) is not None:
                if isinstance(said, BaseException):
                    raise said
                yield said[0]
        finally:
            self.cancel()

    def turn(self) -> bool:
        """Take the next step; whether there may be another."""
        try:
            if self._steps is None:
                self._steps = self.begin()
            if self.cancelled:
                close = getattr(self._steps, "close", None)
                if close is not None:
                    close()
                self._say(None)
                return False
            self._say((next(self._steps),))
        except StopIteration:
            self._say(None)
            return False
        except Exception as error:  # it belongs to who waits for the job, not to the worker
            self._say(error)
            return False
        return True

    def _say(self, what: tuple[T] | BaseException | None) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._said.put_nowait, what)


class Turns:
    """A thread in which jobs take turns."""

    def __init__(self) -> None:
        self._jobs: deque[Job[object]] = deque()
        self._changed = Condition()
        self._open = True
        self._worker = Thread(target=self._work, name="turns", daemon=True)
        self._worker.start()

    def run(self, begin: Callable[[], Iterator[T]]) -> Job[T]:
        """Queue a job; called from a coroutine."""
        job = Job(begin, asyncio.get_running_loop())
        with self._changed:
            self._jobs.append(job)  # pyright: ignore[reportArgumentType]
            self._changed.notify()
        return job

    def close(self) -> None:
        """Cancel all jobs and end the thread."""
        with self._changed:
            self._open = False
            for job in self._jobs:
                job.cancel()
            self._changed.notify()
        self._worker.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or not self._open)
                if not self._jobs:
                    return
                job = self._jobs.popleft()
            if job.turn():
                with self._changed:
                    self._jobs.append(job)
                    if not self._open:
                        job.cancel()
