"""One process or several: who this one is, and what it computes on."""

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from mezzotint.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """The processes that train together, as ``torchrun`` started them."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes the files and talks to the terminal."""
        return self.rank == 0

    def rows(self, batch: int) -> slice:
        """This process's rows of a batch.

        Raises:
            InputError: the batch cannot be shared out evenly.
        """
        if batch % self.size:
            raise InputError(f"batch {batch} cannot be shared by {self.size} processes")
        part = batch // self.size
        return slice(self.rank * part, (self.rank + 1) * part)

    def wait(self) -> None:
        """Let every process come here before any goes on."""
        if self.size > 1:
            dist.barrier()

    def leader_first(self, make: Callable[[], T]) -> T:
        """What ``make`` gives, after the leading process has made it: the others find its files."""
        made = make() if self.leads else None
        self.wait()
        return make() if made is None else made

    def missing(self, files: Sequence[Path]) -> list[int]:
        """This process's share of the numbers of the files that are not there yet."""
        todo = [number for number, file in enumerate(files) if not file.exists()]
        self.wait()  # every process has to have seen the same files before one writes
        return todo[self.rank :: self.size]

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` holds in some process."""
        if self.size == 1:
            return flag
        raised = torch.tensor(int(flag), device=self.device)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return bool(raised.item())


@contextmanager
def joined() -> Generator[Group]:
    """Join the process group that ``torchrun`` describes, if it does, and leave it at the end.

    Inside another such block it is the same group.
    """
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    group = Group(rank, size, _device(int(os.environ.get("LOCAL_RANK", 0))))
    if size == 1 or dist.is_initialized():
        yield group
        return
    dist.init_process_group("nccl" if group.device.type == "cuda" else "gloo")
    try:
        yield group
    finally:
        dist.destroy_process_group()


def gathered(rows: Tensor) -> Tensor:
    """The rows of every process, ``(b, …)``, with a gradient for those of this one."""
    return _Gather.apply(rows) if dist.is_initialized() else rows


class _Gather(torch.autograd.Function):
    """Every process goes on to compute the same loss, and data parallelism takes the mean of their
    gradients: each therefore hands back the gradient of its own rows as often as there are
    processes.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        size = dist.get_world_size()
        return grads[0].chunk(size)[dist.get_rank()] * size


def _device(local_rank: int) -> torch.device:
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank)
        return torch.device("cuda", local_rank)
    return torch.device("cpu")
