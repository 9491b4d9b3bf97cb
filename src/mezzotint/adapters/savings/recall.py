"""What is remembered of a picture from one step to the next, and of no other picture."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor

from mezzotint.adapters.base import Run

T = TypeVar("T")


@dataclass
class Call(Generic[T]):
    """A call of the network, the same in every step: of the same size, with the same prompts.

    Attributes:
        size: of its latents.
        told: what it is told beside them and the time.
        step: how many steps of the run came before this one.
        kept: what an adapter remembers of an earlier step; None for nothing.
    """

    size: torch.Size
    told: tuple[Tensor | None, ...]
    step: int = 0
    kept: T | None = None

    def again(self, size: torch.Size, told: tuple[Tensor | None, ...]) -> bool:
        """Whether a call of this size that is told this is the same."""
        return (
            size == self.size and len(told) == len(self.told) and all(map(_same, told, self.told))
        )


@dataclass
class _Memory(Generic[T]):
    """What is known of a run."""

    progress: float = 0.0
    step: int = 0
    calls: list[Call[T]] = field(default_factory=list[Call[T]])
    next: int = 0


class Recall(Generic[T]):
    """Memory of every run that goes on, told which is next as `Injected` is.

    A step may ask the network several times, as second-order samplers do at two times of it and as
    prompts of unequal lengths do at one: a sampler's are one call, the prompts' are several. A run
    that goes back to more noise begins afresh.
    """

    def __init__(self) -> None:
        self._runs: WeakKeyDictionary[Run, _Memory[T]] = WeakKeyDictionary()
        self._now: ref[Run] | None = None

    def run(self, run: Run) -> None:
        """Hear in which run the network is asked next."""
        self._now = ref(run)
        self._runs.setdefault(run, _Memory())

    def at(self, progress: float) -> None:
        """Hear how much of it is done."""
        memory = self._memory()
        if memory is None:
            return
        if progress < memory.progress:
            memory.step, memory.calls = 0, []
        elif progress > memory.progress:
            memory.step += 1
        memory.progress, memory.next = progress, 0

    def call(self, x: Tensor, _: Tensor, *told: Tensor | None) -> Call[T] | None:
        """The call that this is, of latents x, a time and prompts; None outside of all runs."""
        memory = self._memory()
        if memory is None:
            return None
        place, memory.next = memory.next, memory.next + 1
        known = memory.calls[place] if place < len(memory.calls) else None
        if known is None or not known.again(x.shape, told):
            known = Call[T](x.shape, told)
            memory.calls[place:] = [known]
        known.step = memory.step
        return known

    def _memory(self) -> _Memory[T] | None:
        run = self._now and self._now()
        return None if run is None else self._runs.get(run)


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one is other or torch.equal(one, other)
