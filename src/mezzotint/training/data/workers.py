"""Work on numbered pieces by several processes."""

import multiprocessing
import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from itertools import islice


def by_processes(
    work: Callable[[int], object], todo: Sequence[int], workers: int
) -> Generator[int]:
    """Do each piece of work; yield its number as soon as it is done.

    Args:
        work: a function that another process can find by its name, or a partial of one.
        todo: numbers of the pieces.
        workers: processes; no more than two pieces for each are done ahead of who takes them.
    """
    # spawned, not forked: torch's threads do not survive a fork
    context = multiprocessing.get_context("spawn")
    workers = max(1, min(workers, len(todo)))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_ctrl_c) as pool:
        try:
            rest = iter(todo)
            jobs = {pool.submit(work, number): number for number in islice(rest, 2 * workers)}
            while jobs:
                ready, _ = wait(jobs, return_when=FIRST_COMPLETED)
                for job in ready:
                    job.result()
                    yield jobs.pop(job)
                    for number in islice(rest, 1):
                        jobs[pool.submit(work, number)] = number
        except BaseException:
            pool.shutdown(cancel_futures=True)  # or it would do all the rest before it stops
            raise


def _leave_ctrl_c() -> None:
    """Leave Ctrl-C to the parent: a worker finishes its piece and is sent home."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
