"""LoRAs that are being trained, in their places in networks that stay as they are."""

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from torch import Tensor, nn

from mezzotint.adapters.deltas import DoRA, LoRA, norms
from mezzotint.adapters.lora import inject
from mezzotint.adapters.patches import can_live
from mezzotint.adapters.save import Form, save_lora
from mezzotint.errors import InputError
from mezzotint.families.base import Part

_PROJECTIONS = ("query", "key", "value", "out")  # of an attention
_TOLD = ("time", "vector", "guidance")  # what reads what a network is told beside the prompt


class LowRank(nn.Module):
    """B·A for linear layers and convolutions (Hu et al. 2106.09685), B zero at first.

    With its changes switched off, the networks are those that they were before: teacher and student
    are one network in memory.

    Args:
        modules: by the names of their parts; they are frozen here.
        rank: rows of A; a layer with fewer rows or columns gets as many as it has.
        alpha: α, the change being α/r·B·A; ``rank`` if not given.
        targets: which layers, "attention", "linear", "all", or patterns such as "up.*.query", with
            commas between several. See ``targeted``.
        decomposed: whether the norm of each row is learnt apart (DoRA, Liu et al. 2402.09353).

    Raises:
        InputError: a pattern is the name of no layer.
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        rank: int,
        alpha: float | None = None,
        targets: str = "all",
        decomposed: bool = False,
    ) -> None:
        super().__init__()
        self.ups, self.downs = nn.ParameterList(), nn.ParameterList()
        self.magnitudes = nn.ParameterList()
        self.changes: dict[str, dict[str, LoRA | DoRA]] = {}
        chosen = targeted(modules, targets)
        for part, module in modules.items():
            module.requires_grad_(False)
            self.changes[part] = {
                f"{name}.weight": self._change(
                    module.get_submodule(name).get_parameter("weight"), rank, alpha, decomposed
                )
                for name in chosen[part]
            }
        parts = {name: Part(module, ()) for name, module in modules.items()}
        self._scale = 1.0
        self._placed = inject(self.changes, parts, "trained", lambda _: self._scale)

    @contextmanager
    def off(self) -> Generator[None]:
        """Have the networks be as they were, inside the block."""
        before = self._scale
        self._turn(0.0)
        try:
            yield
        finally:
            self._turn(before)

    def save(
        self,
        file: Path,
        parts: Mapping[str, Part],
        metadata: Mapping[str, str],
        form: Form = "kohya",
    ) -> None:
        """Write the changes in float16, as changes of ``parts``; see ``save_lora``."""
        halves = {
            part: {name: _half(delta) for name, delta in deltas.items()}
            for part, deltas in self.changes.items()
        }
        save_lora(file, halves, parts, form, metadata)

    def _change(
        self, weight: Tensor, rank: int, alpha: float | None, decomposed: bool
    ) -> LoRA | DoRA:
        up, down = _factors(weight, rank)
        self.ups.append(up)
        self.downs.append(down)
        # α/r is the same everywhere, also where r is less than was asked for
        lora = LoRA(up, down, None if alpha is None else alpha * len(down) / rank)
        if not decomposed:
            return lora
        magnitude = nn.Parameter(norms(weight + lora.delta(weight).detach(), 0))
        self.magnitudes.append(magnitude)
        return DoRA(lora, magnitude)

    def _turn(self, scale: float) -> None:
        self._scale = scale
        self._placed.at(0.0)


def targeted(modules: Mapping[str, nn.Module], targets: str) -> dict[str, list[str]]:
    """The names of the layers that ``targets`` names, by part.

    "attention" are queries, keys, values and what comes out of attention; "linear" all linear
    layers but those that read the time or a vector; "all" these and convolutions too.

    Raises:
        InputError: something in it is the name of no layer.
    """
    patterns = [each.strip() for each in targets.split(",")]
    layers = {
        part: {name: layer for name, layer in module.named_modules() if can_live(layer)}
        for part, module in modules.items()
    }
    found = {
        pattern: {
            part: {name for name in own if _is(pattern, name, own[name], modules[part])}
            for part, own in layers.items()
        }
        for pattern in patterns
    }
    for pattern, parts in found.items():
        if not any(parts.values()):
            raise InputError(
                f"targets {pattern!r} are no layers: give attention, linear, all, or a pattern of "
                f"names such as {next(iter(layers['network']), '*')!r}"
            )
    return {
        part: [name for name in own if any(name in found[each][part] for each in patterns)]
        for part, own in layers.items()
    }


def _is(target: str, name: str, layer: nn.Module, module: nn.Module) -> bool:
    parent, _, last = name.rpartition(".")
    match target:
        case "all":
            return True
        case "linear":
            return isinstance(layer, nn.Linear) and not set(name.split(".")) & set(_TOLD)
        case "attention":
            home = module.get_submodule(parent)
            attends = hasattr(home, "query") or hasattr(home, "to_heads")
            return last in _PROJECTIONS and attends
        case _:
            return fnmatchcase(name, target)


def _factors(weight: Tensor, rank: int) -> tuple[nn.Parameter, nn.Parameter]:
    """B (out, r) or (out, r, 1, 1) of zeros, and A (r, in) or (r, in, h, w)."""
    least = min(rank, len(weight), weight[0].numel())
    down = torch.empty(least, *weight.shape[1:], device=weight.device)
    nn.init.kaiming_uniform_(down, a=math.sqrt(5))
    up = torch.zeros(len(weight), least, *[1] * (weight.ndim - 2), device=weight.device)
    return nn.Parameter(up), nn.Parameter(down)


def _half(delta: LoRA | DoRA) -> LoRA | DoRA:
    match delta:
        case DoRA(direction=LoRA() as direction, magnitude=magnitude):
            return DoRA(_half(direction), magnitude)  # few, and each moves a whole row
        case LoRA():
            return replace(delta, up=delta.up.half(), down=delta.down.half())
        case _:
            raise TypeError(f"no LoRA in a {type(delta).__name__}")
