"""fp8 weights with their scales beside them, as ComfyUI's `fp8_scaled` files have them.

Next to `NAME.weight` in float8 stands one number, `NAME.scale_weight`; their product is the weight.
`NAME.scale_input` and the mark `scaled_fp8` are for kernels that multiply in fp8.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from mezzotint.checkpoints.tensors import Stored, Tensors
from mezzotint.errors import InputError

WEIGHT, SCALE, INPUT, MARK = ".weight", ".scale_weight", ".scale_input", "scaled_fp8"
NUMBER = torch.bfloat16  # holds what three bits of mantissa times a scale hold


def unscaled(tensors: Tensors, source: str) -> Tensors:
    """``tensors`` with each scaled weight multiplied by its scale when it is read.

    Args:
        tensors: a file's; those without scales are given back as they are.
        source: what the file is called in an error.

    Raises:
        InputError: a scale has no weight, or is no single number.
    """
    scales = {name: stored for name, stored in tensors.stored.items() if name.endswith(SCALE)}
    if not scales:
        return tensors
    kept = {
        name: stored
        for name, stored in tensors.stored.items()
        if not (name.endswith((SCALE, INPUT)) or name.rpartition(".")[2] == MARK)
    }
    for name, scale in scales.items():
        weight = name.removesuffix(SCALE) + WEIGHT
        if weight not in kept or scale.shape not in ((), (1,)):
            raise InputError(f"{source}: {name} {scale.shape} is no scale of a {weight}")
        kept[weight] = replace(kept[weight], read=partial(_product, kept[weight].read, scale))
    return replace(tensors, stored=kept)


def _product(read: Callable[[], Tensor], scale: Stored) -> Tensor:
    return (read().float() * scale.read().float()).to(NUMBER)
