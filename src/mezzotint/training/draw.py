"""Everything random in training, as a function of the seed and the step alone.

No generator lives longer than one draw, so a run has no random state to save: step k draws the same
numbers whether the run was interrupted before it or not. Under data parallelism every process draws
for the whole batch and keeps its own rows, so the number of processes changes no number either.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def subseed(*parts: int | str) -> int:
    """A 63-bit seed that depends on every part and their order."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def generator(device: torch.device | str, *parts: int | str) -> torch.Generator:
    """A fresh generator on ``device``, seeded by ``parts``."""
    return torch.Generator(device).manual_seed(subseed(*parts))


@lru_cache(maxsize=4)
def permutation(seed: int, size: int, epoch: int) -> NDArray[np.int64]:
    """The order in which epoch number ``epoch`` visits samples 0 … size − 1."""
    return np.random.default_rng(subseed(seed, "order", size, epoch)).permutation(size)


def visits(seed: int, size: int, start: int, count: int) -> NDArray[np.int64]:
    """Samples number ``start`` … ``start + count − 1`` of an endless run of shuffled epochs."""
    parts: list[NDArray[np.int64]] = []
    position, stop = start, start + count
    while position < stop:
        epoch, offset = divmod(position, size)
        taken = permutation(seed, size, epoch)[offset : offset + stop - position]
        parts.append(taken)
        position += len(taken)
    return np.concatenate(parts)


@dataclass(frozen=True)
class Draw:
    """The random numbers of one step, for the rows of the batch that this process holds.

    Each ``stream`` names an independent sequence; asking twice for a stream gives the same numbers.
    """

    seed: int
    step: int
    batch: int  # rows over all processes
    rows: slice  # those of this process
    device: torch.device

    def generator(self, stream: str) -> torch.Generator:
        """The fresh generator behind a stream, for draws that are not one a row."""
        return generator(self.device, self.seed, stream, self.step)

    def normal(self, stream: str, *shape: int) -> Tensor:
        """Standard normal numbers, ``(rows, *shape)``."""
        return torch.randn(
            self.batch, *shape, generator=self.generator(stream), device=self.device
        )[self.rows]

    def uniform(self, stream: str, *shape: int) -> Tensor:
        """Numbers in [0, 1), ``(rows, *shape)``."""
        return torch.rand(self.batch, *shape, generator=self.generator(stream), device=self.device)[
            self.rows
        ]

    @property
    def whole(self) -> "Draw":
        """The same numbers for the rows of every process."""
        return replace(self, rows=slice(None))

    def chances(self, stream: str) -> NDArray[np.float64]:
        """Numbers in [0, 1) on the host, ``(rows,)``."""
        rng = np.random.default_rng(subseed(self.seed, stream, self.step))
        return rng.random(self.batch)[self.rows]

    def integers(self, stream: str, high: int | Sequence[int]) -> NDArray[np.int64]:
        """Whole numbers in [0, high) on the host, ``(rows,)`` or ``(rows, len(high))``."""
        rng = np.random.default_rng(subseed(self.seed, stream, self.step))
        shape = self.batch if isinstance(high, int) else (self.batch, len(high))
        return rng.integers(0, high, size=shape)[self.rows]

    def coin(self, stream: str) -> float:
        """One number in [0, 1) that all processes share."""
        return float(np.random.default_rng(subseed(self.seed, stream, self.step)).random())
