"""Initialisation of networks: for training from scratch, and none at all for loading."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def zeroed(layer: Layer) -> Layer:
    """Set a layer to zero, so that the branch it ends adds nothing until training opens it."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


@contextmanager
def unfilled() -> Generator[None]:
    """Modules that are made in here have shapes but no values, until weights are assigned.

    Initialisers are passed over, and not only run without memory: torch's meta device imports its
    compiler for some of them, and that takes longer than drawing a picture.
    """
    with torch.device("meta"), _PassOver():
        yield


class _PassOver(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return given["tensor"] if "tensor" in given else args[0]
        return func(*args, **given)
