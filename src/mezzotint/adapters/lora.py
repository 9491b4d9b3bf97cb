"""LoRA and its relatives: files of weight changes, injected into a model's networks."""

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor, nn

from mezzotint.adapters import dialects
from mezzotint.adapters.base import Injected, Report, Told
from mezzotint.adapters.blocks import factor_for
from mezzotint.adapters.contents import digest
from mezzotint.adapters.deltas import Delta, rows
from mezzotint.adapters.names import Layer, Names
from mezzotint.adapters.origin import made_for
from mezzotint.adapters.patches import Change, Dial, Placed, can_live, fuse, go_live
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.errors import InputError
from mezzotint.families.base import Part

Changes = Mapping[str, Mapping[str, Delta]]
"""ΔW by part and by our tensor name."""
Scale = float | Callable[[float], float]
"""A number, or a function of how much of the sampling is done, 0…1."""


@dataclass(frozen=True)
class LoRAFile:
    """The changes that a file holds, and how strongly they are wanted; an ``Adapter``.

    Attributes:
        name: what it is called in errors.
        tensors, metadata: the file's, in any dialect.
        scale: multiplies every change; 0 leaves the model as it is, 1 is as trained.
        blocks: factors by the beginning of our names, part first: "text", "network.down.1"; the
            longest holds, and what has none is as trained.
        fused: changes are added into the weights, which takes nothing while sampling and a copy of
            each changed weight, rather than to the layers' outputs.
    """

    name: str
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    scale: Scale = 1.0
    blocks: Mapping[str, float] = field(default_factory=dict[str, float])
    fused: bool = False

    def changes(self, parts: Mapping[str, Part]) -> tuple[Changes, Report]:
        """What the file changes in these networks, and what of it found its place.

        Raises:
            InputError: less than half of it did, or more than a tenth has other sizes; the line
                says what it seems to be made for.
        """
        names = Names(parts)
        found, stray = dialects.layers(self.tensors, self.metadata)
        changes: dict[str, dict[str, Delta]] = {}
        matched: list[str] = []
        unmatched = list(stray)
        misshaped: list[str] = []
        for layer_name, layer_changes in found.items():
            layer = names.find(layer_name)
            ours = _split(names, layer, layer_changes) if layer else None
            known = changes.setdefault(layer.part, {}) if layer else {}
            if layer is None or (ours and ours.keys() & known.keys()):
                unmatched.append(layer_name)
            elif ours is None:
                misshaped.append(layer_name)
            else:
                known.update(ours)
                matched.append(layer_name)
        report = Report(self.name, tuple(matched), tuple(unmatched), tuple(misshaped))
        total = len(matched) + len(unmatched) + len(misshaped)
        if not matched or 2 * len(matched) < total or 10 * len(misshaped) > total:
            raise InputError(f"{report}; {made_for(self.tensors, self.metadata)}")
        return changes, report

    def inject(self, parts: Mapping[str, Part]) -> Injected:
        """Put the changes into the networks; see ``Adapter``."""
        changes, report = self.changes(parts)
        made = inject(changes, parts, self.name, self.scale, self.blocks, self.fused, report)
        return replace(made, told=self._told(), contents=lambda: digest(self.tensors))

    def _told(self) -> Told:
        if self.blocks or callable(self.scale):
            return "LoRA", f"{self.name} with scales of one's own"
        return "lora", f"{self.name}:{self.scale}"


def lora(
    file: str | Path,
    scale: Scale = 1.0,
    blocks: Mapping[str, float] | None = None,
    fused: bool = False,
) -> LoRAFile:
    """Read a LoRA, LoHa, LoKr or DoRA of any dialect from a file; see ``LoRAFile``.

    Raises:
        InputError: it cannot be read, is no file of tensors, or would run code.
    """
    path = Path(file)
    tensors = open_tensors(path)
    return LoRAFile(path.name, dict(tensors), tensors.metadata, scale, blocks or {}, fused)


def inject(
    changes: Changes,
    parts: Mapping[str, Part],
    name: str,
    scale: Scale = 1.0,
    blocks: Mapping[str, float] | None = None,
    fused: bool = False,
    report: Report | None = None,
) -> Injected:
    """Put ``changes`` into the networks; see ``LoRAFile`` for what is said the same there.

    What is not a linear layer or a convolution, such as a normalisation, is fused in any case, and
    the bias of a layer that has none is live.

    Raises:
        InputError: the scale is no number, or a name in ``blocks`` begins none of the networks'.
    """
    blocks = blocks or {}
    _check(blocks, parts)
    dial = Dial(_at(scale, 0.0, name))
    placed: list[Placed] = []

    def eject() -> None:
        for place in placed:
            place.eject()

    with ExitStack() as undo:
        undo.callback(eject)
        for part, tensors in changes.items():
            for tensor, delta in tensors.items():
                layer_name, _, kind = tensor.rpartition(".")
                layer = parts[part].module.get_submodule(layer_name)
                change = Change(name, delta, dial, factor_for(f"{part}.{tensor}", blocks))
                target: nn.Parameter | None = getattr(layer, kind)
                if target is None or (can_live(layer) and not fused):
                    placed.append(go_live(layer, kind, change))
                else:
                    placed.append(fuse(target, change))
        undo.pop_all()

    def at(progress: float) -> None:
        value = _at(scale, progress, name)
        if value != dial.value:
            dial.value = value
            for place in placed:
                place.refresh()

    return Injected(eject, at, report)


def _split(names: Names, layer: Layer, changes: Mapping[str, Delta]) -> dict[str, Delta] | None:
    """The changes by our tensor names, None where one has another shape or no place."""
    ours: dict[str, Delta] = {}
    for kind, delta in changes.items():
        pieces = names.pieces(layer, kind)
        if not pieces:
            return None
        for piece in pieces:
            try:
                part = delta if piece.index is None else rows(delta, piece.index, piece.total)
            except ValueError:
                return None
            if not part.fits(piece.shape):
                return None
            ours[piece.name] = part
    return ours


def _at(scale: Scale, progress: float, name: str) -> float:
    value = scale(progress) if callable(scale) else scale
    if not math.isfinite(value):
        raise InputError(f"{name}: scale {value} is no number; 1 is as trained")
    return float(value)


def _check(blocks: Mapping[str, float], parts: Mapping[str, Part]) -> None:
    names = {f"{part}.{name}" for part, p in parts.items() for name, _ in p.module.named_modules()}
    for prefix, factor in blocks.items():
        if prefix not in names and prefix not in parts:
            raise InputError(
                f"block {prefix!r} is not in the model: try 'text' or 'network.down.1'"
            )
        if not math.isfinite(factor):
            raise InputError(f"block {prefix!r}: factor {factor} is no number; 1 is as trained")
