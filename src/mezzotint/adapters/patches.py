"""Changes of weights, put in and taken out in any order.

A change is *fused*, added into the weight, or *live*, added to what the layer puts out:
(W + ΔW)·x = W·x + ΔW·x. Either way ΔW is of the weight before any change, and changes are summed in
the order of their names, so that the order in which they came makes no difference, not even in
rounding.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from mezzotint.adapters.deltas import Delta, DoRA, LoRA
from mezzotint.nn.precision import conv2d, linear


@dataclass
class Dial:
    """The scale of an adapter, which may be turned while it is in use."""

    value: float


@dataclass(frozen=True, eq=False)
class Change:
    """One adapter's change of one tensor, ``factor`` · dial · ΔW.

    Attributes:
        name: of the adapter.
        dial: the adapter's.
        factor: of this tensor.
    """

    name: str
    delta: Delta
    dial: Dial
    factor: float

    @property
    def scale(self) -> float:
        """What ΔW is multiplied by now."""
        return self.factor * self.dial.value


@dataclass(frozen=True)
class Placed:
    """A change in its place: ``eject`` takes it out, ``refresh`` follows its dial."""

    eject: Callable[[], None]
    refresh: Callable[[], None]


class _Fused:
    """What a tensor was, and what is added into it."""

    def __init__(self, tensor: Tensor) -> None:
        self.original = tensor.data
        self.changes: list[Change] = []

    @torch.no_grad()
    def merge(self, tensor: Tensor) -> None:
        """Let ``tensor`` be W + Σ s·ΔW, computed in float32 or wider; W itself without changes."""
        active = _in_order(self.changes)
        if not active:
            tensor.data = self.original
            return
        wide = _widened(self.original)
        added = sum((change.scale * change.delta.delta(wide) for change in active), start=0 * wide)
        tensor.data = (wide + added).to(self.original.dtype)


_FUSED: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def fuse(tensor: Tensor, change: Change) -> Placed:
    """Add a change into ``tensor``, which must not be moved or cast until it is ejected."""
    fused = cast("_Fused", _FUSED.setdefault(tensor, _Fused(tensor)))
    fused.changes.append(change)
    fused.merge(tensor)

    def eject() -> None:
        if change not in fused.changes:
            return
        fused.changes.remove(change)
        fused.merge(tensor)
        if not fused.changes:
            del _FUSED[tensor]

    return Placed(eject, lambda: fused.merge(tensor))


def _widened(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def original(tensor: Tensor) -> Tensor:
    """What ``tensor`` is without the changes that are fused into it."""
    fused: _Fused | None = _FUSED.get(tensor)
    return tensor.data if fused is None else fused.original


_Term = Callable[[nn.Module, Tensor], Tensor]  # of a layer and its input


class _Live:
    """What is added to a layer's output: a forward hook."""

    def __init__(self, layer: nn.Module) -> None:
        self.terms: dict[Change, _Term] = {}
        self.handle = layer.register_forward_hook(self)

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        added = [self.terms[change](layer, inputs[0]) for change in _in_order(self.terms)]
        return output + sum(added[1:], start=added[0]) if added else output


_LIVE: WeakKeyDictionary[nn.Module, _Live] = WeakKeyDictionary()


def can_live(layer: nn.Module) -> bool:
    """Whether ``layer`` is linear in its weight and its input."""
    return isinstance(layer, nn.Linear | nn.Conv2d)


def go_live(layer: nn.Module, kind: str, change: Change) -> Placed:
    """Add a change of the "weight" or the "bias" to the output of a layer that ``can_live``."""
    live = _LIVE.get(layer) or _LIVE.setdefault(layer, _Live(layer))
    live.terms[change] = _term(layer, kind, change)

    def eject() -> None:
        if live.terms.pop(change, None) and not live.terms:
            live.handle.remove()
            del _LIVE[layer]

    return Placed(eject, lambda: None)


def _term(layer: nn.Module, kind: str, change: Change) -> _Term:
    """s·ΔW·x as a function of x; but for LoRA's and what is trained, ΔW is computed here, once."""
    delta = change.delta
    cored = isinstance(layer, nn.Conv2d)
    if kind == "weight" and isinstance(delta, LoRA) and (cored or delta.mid is None):
        return lambda layer, x: _low_rank(layer, delta, change.scale, x)
    weight = layer.get_parameter("weight")
    tensor: Tensor | None = getattr(layer, kind)
    before = weight.new_zeros(len(weight)) if tensor is None else original(tensor)
    if kind == "weight" and isinstance(delta, DoRA) and delta.magnitude.requires_grad:
        return lambda layer, x: change.scale * _apply(layer, delta.delta(_widened(before)).to(x), x)
    with torch.no_grad():
        full = delta.delta(_widened(before)).to(before.dtype)
    if kind == "weight":
        return lambda layer, x: change.scale * _apply(layer, full.to(x), x)
    bias = full[:, None, None] if isinstance(layer, nn.Conv2d) else full
    return lambda layer, x: change.scale * bias.to(x)


def _low_rank(layer: nn.Module, delta: LoRA, scale: float, x: Tensor) -> Tensor:
    """s·α/r·B(A·x), the spatial part of a convolution in A or in the core."""
    up, down, scale = delta.up.to(x), delta.down.to(x), scale * delta.factor
    if isinstance(layer, nn.Linear):
        return linear(scale * linear(x, down.flatten(1)), up.flatten(1))
    assert isinstance(layer, nn.Conv2d)
    if delta.mid is not None:
        x = conv2d(x, down.flatten(1)[:, :, None, None])
        core = delta.mid.to(x).reshape(*delta.mid.shape[:2], *layer.kernel_size)
        narrow = _apply(layer, core, x)
    else:
        narrow = _apply(layer, down.reshape(len(down), -1, *layer.kernel_size), x)
    return conv2d(scale * narrow, up.flatten(1)[:, :, None, None])


def _apply(layer: nn.Module, weight: Tensor, x: Tensor) -> Tensor:
    """What ``layer`` computes, with another weight and no bias."""
    if isinstance(layer, nn.Conv2d):
        return conv2d(x, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)
    return linear(x, weight)


def _in_order(changes: Iterable[Change]) -> list[Change]:
    return sorted((change for change in changes if change.scale), key=lambda change: change.name)
