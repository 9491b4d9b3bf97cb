"""Large pictures in strips: an engine before another, which small pictures are left to.

What decides is the size alone, never how much memory is free: strips round otherwise than the
whole, and a seed is to give the same picture on any day. The exception is a picture that there was
no memory for, which is said aloud.
"""

import warnings
from collections.abc import Callable
from math import prod
from typing import Any, cast

import torch
from torch import Tensor

from mezzotint.engines.base import Engine, owner
from mezzotint.errors import is_out_of_memory
from mezzotint.models import strips
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.tiny_autoencoder import TinyAutoencoder

BOUND = 2**29
"""Bytes of the largest map of a picture that is taken at once, which needs five times as much: that
of 1024 × 1024 pixels in Stable Diffusion's autoencoder in half precision, of 724 × 724 in float32.
"""

_Coded = Tensor | tuple[Tensor, ...]  # a picture or a latent, or a latent's mean and variance
_STRIPS: dict[object, Callable[[Any, Tensor], _Coded]] = {
    Autoencoder.encode: strips.encode,
    Autoencoder.decode: strips.decode,
    TinyAutoencoder.encode: strips.encode_tiny,
    TinyAutoencoder.decode: strips.decode_tiny,
}


def stripped(engine: Engine, bound: int = BOUND) -> Engine:
    """The engine, but that autoencoders take a large picture in strips, and several in turn.

    Args:
        engine: executes everything else, and what is to be differentiated.
        bound: bytes of the largest map that pictures may have where they are taken at once.
    """

    def execute(run: Callable[..., Any], /, *inputs: Any, **named: Any) -> Any:
        function = getattr(run, "__func__", None)
        if function not in _STRIPS or torch.is_grad_enabled():
            return engine(run, *inputs, **named)
        autoencoder, (batch,) = cast("Any", owner(run)), cast("tuple[Tensor]", inputs)
        decodes = function in (Autoencoder.decode, TinyAutoencoder.decode)
        pixels = prod(batch.shape[2:]) * (autoencoder.params.factor**2 if decodes else 1)
        largest = strips.widest(autoencoder, pixels) * batch.element_size()

        def one(picture: Tensor) -> _Coded:
            return _STRIPS[function](autoencoder, picture)

        if largest > bound:
            return _in_turn(one, batch)
        if len(batch) * largest > bound:
            return _in_turn(lambda picture: _or_else(one, engine, run, picture), batch)
        return _or_else(lambda all: _in_turn(one, all), engine, run, batch)

    return execute


def _or_else(
    instead: Callable[[Tensor], _Coded], engine: Engine, run: Callable[..., _Coded], batch: Tensor
) -> _Coded:
    """What the engine makes of pictures, or something else where it has no memory for that."""
    try:
        return engine(run, batch)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    # after the handler: till then the error holds what was in memory when it came
    warnings.warn("there is no memory to take pictures at once: going on in strips", stacklevel=2)
    return instead(batch)


def _in_turn(each: Callable[[Tensor], _Coded], batch: Tensor) -> _Coded:
    """What is made of each picture, as a batch again."""
    made = [each(picture) for picture in batch.split(1)]
    if isinstance(made[0], Tensor):
        return torch.cat(cast("list[Tensor]", made))
    return tuple(map(torch.cat, zip(*made, strict=True)))
