"""Drawings in turns: nobody waits for another's end, and what is cancelled stops at its step."""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, TypeVar

import pytest

from mezzotint.lab.turns import Turns

T = TypeVar("T")


def to_its_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns, run in a thread: a browser of other tests keeps this one's loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@pytest.fixture
def turns():
    turns = Turns()
    yield turns
    turns.close()


def counting(name: str, count: int, log: list[str]) -> Iterator[int]:
    try:
        for k in range(count):
            log.append(f"{name}{k}")
            yield k
            time.sleep(0.005)  # as long as a step may take
    finally:
        log.append(f"{name} closed")


async def taken(job) -> list[int]:
    return [step async for step in job]


def together(turns: Turns, log: list[str]) -> list[list[int]]:
    async def both():
        queued = Event()

        def first() -> Iterator[int]:
            queued.wait()
            yield from counting("a", 4, log)

        jobs = [turns.run(first), turns.run(lambda: counting("b", 4, log))]
        queued.set()
        return await asyncio.gather(*map(taken, jobs))

    return to_its_end(both())


def test_two_jobs_take_turns(turns):
    log: list[str] = []
    assert together(turns, log) == [[0, 1, 2, 3]] * 2
    steps = [each for each in log if "closed" not in each]
    assert steps == ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"]


def test_a_visitor_who_leaves_costs_no_further_step(turns):
    log: list[str] = []

    async def leaves():
        async def some():
            async for step in turns.run(lambda: counting("a", 1000, log)):
                if step == 2:
                    return

        await some()
        return await taken(turns.run(lambda: counting("b", 3, log)))

    assert to_its_end(leaves()) == [0, 1, 2]
    assert "a closed" in log
    assert len([each for each in log if each[0] == "a"]) < 20  # of a thousand


def test_a_fault_reaches_who_waits_and_no_one_else(turns):
    def fails() -> Iterator[int]:
        yield 0
        raise ValueError("no")

    async def both():
        bad, good = turns.run(fails), turns.run(lambda: iter([7, 8]))
        with pytest.raises(ValueError, match="no"):
            await taken(bad)
        return await taken(good)

    assert to_its_end(both()) == [7, 8]


def test_closing_ends_what_runs():
    turns, log = Turns(), []

    async def begun():
        job = turns.run(lambda: counting("a", 10**9, log))
        await anext(aiter(job))
        turns.close()
        return [step async for step in job]

    to_its_end(begun())
    assert log[-1] == "a closed"
    assert not turns._worker.is_alive()
