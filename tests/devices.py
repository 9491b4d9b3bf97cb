"""A device without float64, such as Apple's: the meta device stands in for it."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class WithoutDoubles(TorchDispatchMode):
    """Fails where a float64 tensor would be made on the device.

    Nothing can be read from the meta device either, so that no step waits for one.
    """

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for made in tree_leaves(out):
            if isinstance(made, Tensor) and made.is_meta:
                assert made.dtype != torch.float64, f"{func} made float64 numbers on the device"
        return out
