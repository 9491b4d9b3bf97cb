"""Key maps: what a published checkpoint calls its tensors, and what we call them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from torch import Tensor

from mezzotint.checkpoints.faults import refuse_any

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class KeyMap:
    """Pairs of templates, theirs and ours, that name the same layer or tensor.

    A ``{}`` stands for an index, the same in both. A template names a layer, whose ``.weight`` and
    ``.bias`` it covers, or a tensor by its full name.

    Attributes:
        pairs: (theirs, ours), used in both directions.
        also: (theirs, ours) for older names of theirs, which are read and never written.
        ignored: templates of theirs that hold nothing we need.
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
        names = [*self.pairs, *self.also, *((template, "") for template in self.ignored)]
        ours: dict[str, Tensor] = {}
        unexpected: list[str] = []
        misshaped: list[str] = []
        for key, tensor in theirs.items():
            name = _rename(key, names)
            if name == "":
                continue
            if name is None or name in ours or name not in wanted:
                unexpected.append(key)
                continue
            shape = tuple(wanted[name].shape)
            if tuple(tensor.shape) == (*shape, 1, 1):
                tensor = tensor.reshape(shape)  # a 1 × 1 convolution is a linear layer
            if tuple(tensor.shape) != shape:
                misshaped.append(f"{key} {tuple(tensor.shape)} for {shape}")
            ours[name] = tensor
        missing = [self._their_name(name) for name in wanted if name not in ours]
        refuse_any(source, {"missing": missing, "unexpected": unexpected, "mis-shaped": misshaped})
        return ours

    def to_theirs(self, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A module's ``state_dict()`` by the published names.

        Raises:
            KeyError: a tensor that the map has no name for.
        """
        theirs: dict[str, Tensor] = {}
        for key, tensor in ours.items():
            *_, layer, kind = ("", *key.split("."))
            if kind == "weight" and layer in self.pointwise:
                tensor = tensor[:, :, None, None]
            theirs[self._their_name(key)] = tensor
        return theirs

    def _their_name(self, key: str) -> str:
        name = _rename(key, [(ours, theirs) for theirs, ours in self.pairs])
        if name is None:
            raise KeyError(f"no name for {key}")
        return name


def under(theirs: str, ours: str, pairs: Iterable[tuple[str, str]]) -> Pairs:
    """The same pairs below a module, which is called ``theirs`` and ``ours``."""
    return tuple((f"{theirs}.{a}", f"{ours}.{b}") for a, b in pairs)


def _rename(key: str, names: Sequence[tuple[str, str]]) -> str | None:
    """What ``key`` is called by the one template that matches it, None where none does."""
    found: list[str] = []
    for template, renamed in names:
        if match := _pattern(template).fullmatch(key):
            *indices, leaf = match.groups()
            found.append(renamed and renamed.format(*indices) + (leaf or ""))
    if len(found) > 1:
        raise KeyError(f"{key} is named by several templates: {found}")
    return found[0] if found else None


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.escape(template).replace(r"\{\}", r"(\d+)") + r"(\.weight|\.bias)?")
