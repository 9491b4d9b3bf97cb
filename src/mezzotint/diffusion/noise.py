"""Noise that is the same for a picture alone and in a batch."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from mezzotint.errors import InputError

Noise: TypeAlias = Callable[[Tensor], Tensor]
"""x (b, …) → standard normal numbers shaped, typed and placed like it."""


def seeded(seeds: Sequence[int]) -> Noise:
    """A source with one generator an image, so that image k draws what it would draw alone.

    The numbers are drawn in float32 on the CPU: they depend on the seed, the shape of an image and
    how often was drawn before, and on neither batch, device nor dtype.

    Raises:
        InputError: when called with a batch of another size than ``seeds``.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw(x: Tensor) -> Tensor:
        if len(x) != len(generators):
            raise InputError(f"{len(generators)} seeds for a batch of {len(x)}: one each is needed")
        return torch.stack([torch.randn(x.shape[1:], generator=g) for g in generators]).to(x)

    return draw
