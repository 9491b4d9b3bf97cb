"""How much the pictures of one prompt differ from seed to seed."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mezzotint.errors import InputError


@dataclass(frozen=True)
class Diversity:
    """Mean distances between pictures.

    Attributes:
        seeds: of one prompt.
        prompts: of different prompts: what the first can be compared with.
        ratio: the first by the second; 0 if every seed gives one picture, near 1 if the prompt
            does not matter.
    """

    seeds: float
    prompts: float
    ratio: float


def diversity(vectors: Tensor) -> Diversity:
    """Mean pairwise distances of vectors (p, k, d): of p prompts, k pictures each.

    Raises:
        InputError: there are fewer than two prompts, or fewer than two pictures of each.
    """
    p, k, _ = vectors.shape
    if min(p, k) < 2:
        raise InputError(f"{p} prompts, {k} pictures each: diversity needs two or more of both")
    flat = vectors.flatten(0, 1)
    apart = torch.cdist(flat, flat).view(p, k, p, k).sum(dim=(1, 3))
    within = apart.trace() / (p * k * (k - 1))
    between = (apart.sum() - apart.trace()) / (p * (p - 1) * k * k)
    return Diversity(within.item(), between.item(), (within / between).nan_to_num(0.0).item())
