"""Little memory: networks take turns, and one at a time has its weights in memory.

A text encoder is read before the first step, the denoiser at each, the autoencoder after the last.
So what computes next takes its weights from the file, in the dtype and on the device that it
computes in, and those of all others lie in their files again, from where they can be read no less.
Where a file has them as they are computed with, nothing is copied.
"""

# pyright: reportPrivateUsage=false
# Torch has no public way to ask for a tensor's version.

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from mezzotint.engines.base import Engine, owner
from mezzotint.files.pages import is_mapped, let_go


@dataclass
class _Place:
    """Where a weight's numbers lie in a file, and where they were put, 0 for nowhere.

    A weight that is elsewhere, or that was written to since, has numbers of its own, as from an
    adapter: those stay.
    """

    file: Tensor
    version: int
    put: int = 0


class Shelf:
    """Networks that take turns; a network's first weight stays: it tells what it computes in.

    Args:
        networks: whose weights are in files, or in memory for good.
        device: where they compute.
        dtype: what they compute in.
    """

    def __init__(
        self, networks: Sequence[nn.Module], device: torch.device, dtype: torch.dtype
    ) -> None:
        self.networks, self.device, self.dtype = networks, device, dtype
        self.places = WeakTensorKeyDictionary()
        for network in networks:
            for weight in islice(_weights(network), 1):
                self._take(weight)
            # a network that is hooked is asked for nothing beforehand, when it is another's turn
            network.register_forward_pre_hook(lambda network, _: self.turn(network))

    def engine(self, engine: Engine) -> Engine:
        """The engine, but that it is a network's turn before a method of it is executed."""

        def execute(run: Callable[..., Any], /, *inputs: Any, **named: Any) -> Any:
            network = owner(run)
            if network is not None and network is not run and network in self.networks:
                self.turn(network)
            return engine(run, *inputs, **named)

        return execute

    def turn(self, network: nn.Module) -> None:
        """Have the weights of a network in memory, and those of all others in their files."""
        for other in self.networks:
            if other is not network:
                for weight in islice(_weights(other), 1, None):
                    self._put_back(weight)
        for weight in _weights(network):
            self._take(weight)

    def _take(self, weight: Tensor) -> None:
        if weight not in self.places and is_mapped(weight):
            self.places[weight] = _Place(weight.data, weight._version)
        before = weight.data
        now = before.to(self.device, self.dtype if before.is_floating_point() else None)
        if now.data_ptr() == before.data_ptr():
            return
        weight.data = now
        place = cast("_Place | None", self.places.get(weight))
        if place is not None and before.data_ptr() == place.file.data_ptr():
            place.put, place.version = now.data_ptr(), weight._version
            let_go(before)

    def _put_back(self, weight: Tensor) -> None:
        place = cast("_Place | None", self.places.get(weight))
        if place is None or weight._version != place.version:
            return
        if weight.data_ptr() == place.put:
            weight.data = place.file
            place.put, place.version = 0, weight._version
        elif weight.data_ptr() == place.file.data_ptr():
            let_go(weight)


def _weights(network: nn.Module) -> Iterator[Tensor]:
    return chain(network.parameters(), network.buffers())
