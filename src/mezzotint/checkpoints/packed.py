"""Weights small enough to ship: 8-bit rows in a safetensors file.

A matrix or a convolution kernel is stored as int8 with one float32 scale for each output row,
`w ≈ q · s` with `s = max|w| / 127` over the row; vectors and scalars stay float32. The rounding
error of a weight is at most half a step, `s / 2`. That is a quarter of the bytes of float32 and
needs no code from the file to read back.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from mezzotint.checkpoints.tensors import Stored
from mezzotint.errors import InputError
from mezzotint.files import write_whole

_SCALE = "::scale"  # no parameter name contains a colon
_ROWS = "int8 rows"  # how packed numbers are stored, beside the names that safetensors has


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
        weights[name] = tensor.float() if scale is None else _product(tensor, scale)
    return weights


def unpacked(stored: Mapping[str, Stored], source: str) -> Mapping[str, Stored]:
    """A file's tensors, each packed one to be read as its weight; as they are if none is.

    Args:
        stored: what lies in the file.
        source: what the file is called in an error.

    Raises:
        InputError: a scale has no rows of int8.
    """
    scales = {n.removesuffix(_SCALE): s for n, s in stored.items() if n.endswith(_SCALE)}
    kept = {name: each for name, each in stored.items() if not name.endswith(_SCALE)}
    for name, scale in scales.items():
        rows = kept.get(name)
        if rows is None or rows.dtype != "I8" or scale.shape != rows.shape[:1]:
            raise InputError(f"{source}: {name}{_SCALE} {scale.shape} is no scale of int8 rows")
        kept[name] = Stored(_ROWS, rows.shape, partial(_read, rows, scale))
    return kept if scales else stored


def _read(rows: Stored, scale: Stored) -> Tensor:
    return _product(rows.read(), scale.read())


def _product(rows: Tensor, scale: Tensor) -> Tensor:
    return rows.float() * scale.view(-1, *[1] * (rows.ndim - 1))


def save_packed(path: Path, weights: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write ``weights`` packed to ``path``, whole or not at all.

    Raises:
        InputError: a weight is not finite, or ``path`` cannot be written.
    """
    write_whole(path, safetensors.torch.save(pack(weights), metadata))
