"""LoRAs of several of our layers as one, where a file's layer holds them all.

Releases stack queries, keys and values. With the B of each in a block of its own along a diagonal,
and their A one above the other, the change of the stack is that of each; where all have one A, as
those do that were read from such a file, it is the stack's.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from mezzotint.adapters.deltas import Delta, DoRA, LoRA

Place = Callable[[Mapping[str, Tensor]], Tensor]
"""Puts the rows of each of ours, (rows, n), where they are in theirs."""


def joined(layers: Mapping[str, LoRA | DoRA], rows: Mapping[str, int], place: Place) -> LoRA | DoRA:
    """The change of one of their weights.

    Args:
        layers: the changes of our weights that it holds, or of some of them.
        rows: how many each of our weights has that it holds.
        place: from ours to theirs.

    Raises:
        ValueError: it holds several, and those have magnitudes, but not each of them one a row; or
            a Tucker core.
    """
    pairs = {name: parted(delta) for name, delta in layers.items()}
    whole = _stacked({name: pair for name, (pair, _) in pairs.items()}, rows, place)
    magnitudes = {name: each.flatten(1) for name, (_, each) in pairs.items() if each is not None}
    if not magnitudes:
        return whole
    by_rows = {name: (count, 1) for name, count in rows.items()}
    if {name: tuple(each.shape) for name, each in magnitudes.items()} == by_rows:
        return DoRA(whole, place(magnitudes))
    if len(rows) > 1:
        raise ValueError("magnitudes of all of it, or of a part alone")
    return DoRA(whole, *magnitudes.values())  # a column: rows may change their places


def parted(delta: Delta) -> tuple[LoRA, Tensor | None]:
    """A LoRA, and the magnitudes where it gives a direction alone."""
    match delta:
        case LoRA():
            return delta, None
        case DoRA(direction=LoRA() as lora, magnitude=magnitude):
            return lora, magnitude
        case _:
            raise TypeError(f"no LoRA in a {type(delta).__name__}")


def _stacked(loras: Mapping[str, LoRA], rows: Mapping[str, int], place: Place) -> LoRA:
    first, *others = loras.values()
    if len(rows) > 1 and any(each.mid is not None for each in loras.values()):
        raise ValueError("a Tucker core of a part")
    shared = all(torch.equal(first.down, each.down) for each in others)
    alike = all(first.factor == each.factor for each in others)
    rank = first.rank if shared else sum(each.rank for each in loras.values())
    ups = {name: first.up.new_zeros(count, rank) for name, count in rows.items()}
    begin = 0
    for name, each in loras.items():
        block = ups[name][:, begin : begin + each.rank]
        block += (1.0 if alike else each.factor) * each.up.flatten(1)
        begin += 0 if shared else each.rank
    down = first.down if shared else torch.cat([each.down for each in loras.values()])
    factor = first.factor if alike else 1.0
    return LoRA(place(ups), down, factor * rank, first.mid)
