"""How much a network computes, which is the same on every machine and however busy that is."""

from collections.abc import Callable, Sequence
from typing import Any

import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

BY_WEIGHTS = (F.linear, F.conv1d, F.conv2d, F.conv3d)


class Work(TorchFunctionMode):
    """Counts what is computed while it is entered, and changes no bit of it.

    Attributes:
        operations: multiplications by weights, and additions; attention itself has no weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if func in BY_WEIGHTS:
            self.operations += 2 * made.numel() * args[1][0].numel()
        return made
