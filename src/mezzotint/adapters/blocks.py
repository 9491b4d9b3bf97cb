"""Scales for parts of a network, by our names or by the block numbers that users know."""

from collections.abc import Mapping, Sequence

from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.models.unet import UNet

# model, numbers of its blocks in and out that each vector is for, and how many it has of each
_VECTORS: dict[int, tuple[str, Sequence[int], Sequence[int], int]] = {
    17: ("1.x and 2.x", (1, 2, 4, 5, 7, 8), range(3, 12), 12),
    26: ("1.x and 2.x", range(12), range(12), 12),
    12: ("XL", (4, 5, 7, 8), range(6), 9),
    20: ("XL", range(9), range(9), 9),
}


def factor_for(name: str, blocks: Mapping[str, float]) -> float:
    """The factor of the longest of the dotted prefixes in ``blocks`` that ``name`` has, else 1."""
    pieces = name.split(".")
    prefixes = (".".join(pieces[:n]) for n in range(len(pieces), 0, -1))
    return next((blocks[prefix] for prefix in prefixes if prefix in blocks), 1.0)


def by_vector(numbers: Sequence[float], parts: Mapping[str, Part]) -> dict[str, float]:
    """Factors by our names for a vector of block weights, as A1111's users write them.

    17 numbers are BASE (the text encoders), IN 1 2 4 5 7 8, MID and OUT 3…11, the blocks with
    attention of Stable Diffusion 1.x; 26 are all its blocks; 12 and 20 are the same of XL. A block
    that has no number gets 0.

    Raises:
        InputError: so many numbers are of no known vector, or of another kind of network.
    """
    if len(numbers) not in _VECTORS:
        raise InputError(f"{len(numbers)} block weights: there are vectors of 12, 17, 20 and 26")
    model, inputs, outputs, blocks = _VECTORS[len(numbers)]
    network = parts["network"].module
    levels = len(network.down) if isinstance(network, UNet) else 0
    if levels * 3 != blocks:
        raise InputError(f"{len(numbers)} block weights are for Stable Diffusion {model}")
    base, mid = numbers[0], numbers[1 + len(inputs)]
    given_in = dict(zip(inputs, numbers[1:], strict=False))
    given_out = dict(zip(outputs, numbers[2 + len(inputs) :], strict=True))

    factors = {part: base for part in parts if part.startswith("text")}
    factors |= {"network.mid": mid, "network.conv_in": given_in.get(0, 0.0)}
    for level in range(levels):
        up, down = f"network.up.{level}", f"network.down.{level}"
        for j in range(3):
            factors[f"{up}.blocks.{j}"] = given_out.get(3 * level + j, 0.0)
        for j in range(2):
            factors[f"{down}.blocks.{j}"] = given_in.get(3 * level + j + 1, 0.0)
        if level < levels - 1:
            factors[f"{up}.step"] = given_out.get(3 * level + 2, 0.0)
            factors[f"{down}.step"] = given_in.get(3 * level + 3, 0.0)
    return factors
