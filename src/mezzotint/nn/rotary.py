"""Rotary positions: places as angles by which queries and keys are turned (Su et al. 2021)."""

from collections.abc import Sequence

import torch
from torch import Tensor

Rotation = tuple[Tensor, Tensor]  # cosines and sines (n, d/2), float32


def rotation(places: Tensor, widths: Sequence[int]) -> Rotation:
    """Cosines and sines of places (n, axes), axis k in ``widths[k]`` channels of a head.

    Angles are place·10000^(−2i/width) (eq. 15), in float64 on the CPU, as not every device has it.
    """
    angles = [
        torch.outer(place, 1 / 10000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width))
        for place, width in zip(places.cpu().double().unbind(1), widths, strict=True)
    ]
    turn = torch.cat(angles, dim=1)
    return turn.cos().float().to(places.device), turn.sin().float().to(places.device)


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn each two neighbouring channels of x (b, heads, n, d) by an angle (eq. 34).

    Always in float32, because published networks were trained with its rounding.
    """
    cos, sin = rotation
    a, b = x.float().unflatten(3, (-1, 2)).unbind(4)
    return torch.stack([a * cos - b * sin, b * cos + a * sin], dim=4).flatten(3).to(x.dtype)
