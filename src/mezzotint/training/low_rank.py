"""A LoRA that is being trained, in its place in a network that stays as it is."""

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from mezzotint.adapters.deltas import LoRA
from mezzotint.adapters.lora import inject
from mezzotint.adapters.patches import can_live
from mezzotint.adapters.save import save_lora
from mezzotint.families.base import Part


class LowRank(nn.Module):
    """B·A for every linear layer and convolution (Hu et al. 2106.09685), B zero at first.

    With its changes switched off, the network is the one that it was before: teacher and student
    are one network in memory.

    Args:
        network: is frozen here.
        rank: rows of A; a layer with fewer rows or columns gets as many as it has.
    """

    def __init__(self, network: nn.Module, rank: int) -> None:
        super().__init__()
        network.requires_grad_(False)
        layers = {name: layer for name, layer in network.named_modules() if can_live(layer)}
        pairs = [_factors(layer.get_parameter("weight"), rank) for layer in layers.values()]
        self.ups = nn.ParameterList(up for up, _ in pairs)
        self.downs = nn.ParameterList(down for _, down in pairs)
        self.changes: dict[str, LoRA] = {
            f"{name}.weight": LoRA(up, down)
            for name, up, down in zip(layers, self.ups, self.downs, strict=True)
        }
        self._scale = 1.0
        parts = {"network": Part(network, ())}
        self._placed = inject({"network": self.changes}, parts, "trained", lambda _: self._scale)

    @contextmanager
    def off(self) -> Generator[None]:
        """Have the network be as it was, inside the block."""
        before = self._scale
        self._turn(0.0)
        try:
            yield
        finally:
            self._turn(before)

    def save(self, file: Path, parts: Mapping[str, Part], metadata: Mapping[str, str]) -> None:
        """Write the changes in float16, in kohya's form, as changes of ``parts["network"]``."""
        halves = {
            name: replace(lora, up=lora.up.half(), down=lora.down.half())
            for name, lora in self.changes.items()
        }
        save_lora(file, {"network": halves}, parts, "kohya", metadata)

    def _turn(self, scale: float) -> None:
        self._scale = scale
        self._placed.at(0.0)


def _factors(weight: Tensor, rank: int) -> tuple[nn.Parameter, nn.Parameter]:
    """B (out, r) or (out, r, 1, 1) of zeros, and A (r, in) or (r, in, h, w)."""
    least = min(rank, len(weight), weight[0].numel())
    down = torch.empty(least, *weight.shape[1:], device=weight.device)
    nn.init.kaiming_uniform_(down, a=math.sqrt(5))
    up = torch.zeros(len(weight), least, *[1] * (weight.ndim - 2), device=weight.device)
    return nn.Parameter(up), nn.Parameter(down)
