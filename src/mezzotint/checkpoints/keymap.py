"""Key maps: what a published checkpoint calls its tensors, and what we call them."""

import re
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from mezzotint.checkpoints.faults import refuse_any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Held:
    """Several of our layers or tensors in one of theirs, or one that theirs holds otherwise.

    Attributes:
        names: our templates.
        how: "stacked" along the first dimension in the order of ``names``; "transposed"; or
            "swapped", the second half of the first dimension before the first.
        shares: rows of each in a stack, as proportions; equal where not given.
    """

    names: tuple[str, ...]
    how: Literal["stacked", "transposed", "swapped"] = "stacked"
    shares: tuple[int, ...] = ()

    def rows(self, number: int) -> list[int]:
        """How many of so many rows each part of a stack has; what is over is the last one's."""
        shares = self.shares or (1,) * len(self.names)
        ends = [number * sum(shares[:n]) // sum(shares) for n in range(len(shares) + 1)]
        return [end - start for start, end in pairwise(ends)]

    def split(self, tensor: Tensor) -> Sequence[Tensor]:
        """Ours out of theirs: views of a stack, else copies, which are laid out as usual."""
        if self.how == "transposed":
            return [tensor.T.contiguous() if tensor.ndim == 2 else tensor]
        if self.how == "swapped":
            return [_swapped(tensor) if tensor.ndim else tensor]
        whole = len(self.names) < 2 or not tensor.ndim
        return [tensor] * len(self.names) if whole else tensor.split(self.rows(len(tensor)))

    def join(self, tensors: Sequence[Tensor]) -> Tensor:
        """Theirs out of ours, the inverse of ``split``."""
        if self.how == "transposed":
            return tensors[0].T.contiguous()
        if self.how == "swapped":
            return _swapped(tensors[0])
        return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors))

    def shapes(self, shape: Shape) -> Sequence[Shape]:
        """The shapes of ``split`` for theirs."""
        if self.how == "transposed":
            return [shape[::-1]]
        if len(self.names) < 2 or not shape:
            return [shape] * len(self.names)
        return [(n, *shape[1:]) for n in self.rows(shape[0])]


Ours = str | Held
Pairs = tuple[tuple[str, Ours], ...]


@dataclass(frozen=True)
class KeyMap:
    """Pairs of templates, theirs and ours, that name the same layer or tensor.

    A ``{}`` stands for an index, the same in both. A template names a layer, whose ``.weight`` and
    ``.bias`` it covers, or a tensor by its full name. Ours is a ``Held`` where one of theirs is not
    simply one of ours.

    Attributes:
        pairs: (theirs, ours), used in both directions.
        also: (theirs, ours) for other names of theirs, which are read where the first is not there,
            and never written.
        ignored: templates of theirs that hold, with all below them, nothing we need; one that is
            in ``also`` may be there besides the first name.
        pointwise: last names of our linear layers that are 1 × 1 convolutions in theirs.
    """

    pairs: Pairs
    also: Pairs = ()
    ignored: tuple[str, ...] = ()
    pointwise: tuple[str, ...] = ()

    def to_ours(
        self, theirs: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str
    ) -> dict[str, Tensor]:
        """The tensors of ``theirs`` by our names, exactly those of ``wanted``.

        Args:
            theirs: a checkpoint's tensors, by its own names.
            wanted: a module's ``state_dict()``, for names and shapes (the meta device will do).
            source: what the checkpoint is called in an error.

        Raises:
            InputError: tensors are missing, unexpected or mis-shaped; it lists them.
        """
        ours: dict[str, Tensor] = {}
        unexpected: list[str] = []
        misshaped: list[str] = []
        for key, tensor in theirs.items():
            held = self._read(key, theirs)
            if held is None or any(name in ours or name not in wanted for name in held.names):
                unexpected.append(key)
                continue
            for name, part in zip(held.names, held.split(tensor), strict=True):
                shape = tuple(wanted[name].shape)
                if len(shape) == 2 and tuple(part.shape) in ((*shape, 1), (*shape, 1, 1)):
                    part = part.reshape(shape)  # a pointwise convolution is a linear layer
                if tuple(part.shape) != shape:
                    misshaped.append(f"{key} {tuple(part.shape)} for {shape}")
                ours[name] = part
        missing = list(self.held(name for name in wanted if name not in ours))
        refuse_any(source, {"missing": missing, "unexpected": unexpected, "mis-shaped": misshaped})
        return ours

    def to_theirs(self, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A module's ``state_dict()`` by the published names.

        Raises:
            KeyError: a tensor that the map has no name for, or one that is missing from a stack.
        """
        return {
            theirs: held.join([self._widened(name, ours[name]) for name in held.names])
            for theirs, held in self._written(ours).items()
        }

    def held(self, ours: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Their name of each of our tensors → our names of all that it holds, in order.

        Raises:
            KeyError: a tensor that the map has no name for.
        """
        return {theirs: held.names for theirs, held in self._written(ours).items()}

    def held_in(self, file: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Their names in a file → our names of all that each holds; unknown ones are left out."""
        read = {key: self._read(key, file) for key in file}
        return {key: held.names for key, held in read.items() if held is not None}

    def shapes(self, theirs: Mapping[str, Shape]) -> dict[str, Shape]:
        """Our names and shapes of a file's, as its header tells them.

        Names that the map does not know are left out; a pointwise convolution has its four sizes.
        """
        ours: dict[str, Shape] = {}
        for key, shape in theirs.items():
            held = self._read(key, theirs)
            if held is not None:
                ours.update(zip(held.names, held.shapes(shape), strict=True))
        return ours

    def _read(self, key: str, file: Container[str]) -> Held | None:
        """What their tensor holds, in a file of these names; None where it is unknown."""
        if (other := _find(key, self._from_also)) is not None:
            _, held = other
            if not any(name in file for name in self.held(held.names)):
                return held
        if any(_below(template).fullmatch(key) for template in self.ignored):
            return Held(())
        found = _find(key, self._from_theirs)
        return None if found is None else found[1]

    def _written(self, ours: Iterable[str]) -> dict[str, Held]:
        found: dict[str, Held] = {}
        for key in ours:
            pair = _find(key, self._from_ours)
            if pair is None:
                raise KeyError(f"no name for {key}")
            found.setdefault(*pair)
        return found

    def _widened(self, key: str, tensor: Tensor) -> Tensor:
        *_, layer, kind = ("", *key.split("."))
        widens = kind == "weight" and layer in self.pointwise
        return tensor[:, :, None, None] if widens else tensor

    @cached_property
    def _from_theirs(self) -> "_Index":
        return _index((theirs, theirs, ours) for theirs, ours in self.pairs)

    @cached_property
    def _from_also(self) -> "_Index":
        return _index((theirs, theirs, ours) for theirs, ours in self.also)

    @cached_property
    def _from_ours(self) -> "_Index":
        return _index(
            (name, theirs, ours) for theirs, ours in self.pairs for name in _as_held(ours).names
        )


def under(theirs: str, ours: str, pairs: Iterable[tuple[str, Ours]]) -> Pairs:
    """The same pairs below a module, which is called ``theirs`` and ``ours``."""
    return tuple(
        (f"{theirs}.{a}", f"{ours}.{b}" if isinstance(b, str) else _under(ours, b))
        for a, b in pairs
    )


_Entry = tuple[re.Pattern[str], str, Held]  # what to match, and the pair it is of
_Index = dict[str, list[_Entry]]  # by template, every number replaced by {}
_NUMBER = re.compile(r"\d+")
_LEAF = re.compile(r"\.(weight|bias)$")


def _index(entries: Iterable[tuple[str, str, Ours]]) -> _Index:
    index: _Index = {}
    for template, theirs, ours in entries:
        entry = _pattern(template), theirs, _as_held(ours)
        index.setdefault(_NUMBER.sub("{}", template), []).append(entry)
    return index


def _find(key: str, index: _Index) -> tuple[str, Held] | None:
    """The one pair with a template that matches ``key``, its indices and its leaf put in."""
    found: list[tuple[str, Held]] = []
    for name in dict.fromkeys((key, _LEAF.sub("", key))):
        for pattern, theirs, held in index.get(_NUMBER.sub("{}", name), ()):
            if match := pattern.fullmatch(name):
                leaf, indices = key[len(name) :], match.groups()
                names = tuple(ours.format(*indices) + leaf for ours in held.names)
                found.append((theirs.format(*indices) + leaf, replace(held, names=names)))
    if len(found) > 1:
        raise KeyError(f"{key} is named by several templates: {[name for name, _ in found]}")
    return found[0] if found else None


def _as_held(ours: Ours) -> Held:
    return Held((ours,)) if isinstance(ours, str) else ours


def _under(module: str, held: Held) -> Held:
    return replace(held, names=tuple(f"{module}.{name}" for name in held.names))


def _swapped(tensor: Tensor) -> Tensor:
    return torch.cat(tensor.chunk(2)[::-1])


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.escape(template).replace(r"\{\}", r"(\d+)"))


@cache
def _below(template: str) -> re.Pattern[str]:
    return re.compile(_pattern(template).pattern + r"(\..*)?", re.DOTALL)
