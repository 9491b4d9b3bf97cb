"""Weights small enough to ship: 8-bit rows in a safetensors file.

A matrix or a convolution kernel is stored as int8 with one float32 scale for each output row,
`w ≈ q · s` with `s = max|w| / 127` over the row; vectors and scalars stay float32. The rounding
error of a weight is at most half a step, `s / 2`. That is a quarter of the bytes of float32 and
needs no code from the file to read back.
"""

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.files import write_whole

_SCALE = "::scale"  # no parameter name contains a colon


def pack(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Store every tensor of two or more dimensions as int8 rows and their scales.

    Raises:
        InputError: a weight is infinite or not a number, as those of a run that diverged.
    """
    packed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        weight = weight.detach().float().cpu().contiguous()
        if not weight.isfinite().all():
            raise InputError(f"{name} cannot be packed: some of its numbers are not finite")
        if weight.ndim < 2:
            packed[name] = weight
            continue
        rows = weight.flatten(1)
        scale = rows.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / 127
        packed[name] = (rows / scale[:, None]).round().to(torch.int8).view(weight.shape)
        packed[name + _SCALE] = scale
    return packed


def unpack(packed: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return float32 weights: ``unpack(pack(w))`` is within half an int8 step of ``w``.

    What was never packed, in whatever precision, is only brought to float32.
    """
    weights: dict[str, Tensor] = {}
    for name, tensor in packed.items():
        if name.endswith(_SCALE):
            continue
        scale = packed.get(name + _SCALE)
        if scale is None:
            weights[name] = tensor.float()
        else:
            weights[name] = tensor.float() * scale.view(-1, *[1] * (tensor.ndim - 1))
    return weights


def save_packed(path: Path, weights: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write ``weights`` packed to ``path``, whole or not at all.

    Raises:
        InputError: a weight is not finite, or ``path`` cannot be written.
    """
    write_whole(path, safetensors.torch.save(pack(weights), metadata))
