"""Philox 4x32-10, the generator of CUDA, and the normal numbers that CUDA makes of it.

Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3": a number is a keyed hash of its
place, so no number depends on the ones before it.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

ROUNDS = 10
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85  # what is added to the key after each round
_MASK = 0xFFFFFFFF
# cuRAND's constants, which are float32: a whole turn is 2³² steps of this angle
_STEP = 2.0**-32
_TURN = torch.tensor(2 * math.pi * _STEP, dtype=torch.float32).item()


def philox(counter: Tensor, key: tuple[int, int]) -> Tensor:
    """Hash counters (4, n) of 32-bit words, int64, to as many words."""
    a, b, c, d = counter
    left, right = key
    for _ in range(ROUNDS):
        high_a, low_a = _product(a, _MULTIPLIERS[0])
        high_c, low_c = _product(c, _MULTIPLIERS[1])
        a, b, c, d = high_c ^ b ^ left, low_c, high_a ^ d ^ right, low_a
        left, right = (left + _WEYL[0]) & _MASK, (right + _WEYL[1]) & _MASK
    return torch.stack([a, b, c, d])


def normal(seed: int, calls: int, shape: Sequence[int]) -> Tensor:
    """What `torch.randn(shape, device="cuda")` gives after ``calls`` earlier calls, as float32.

    That is the first number of the Box–Muller transform of each place's hash. CUDA computes it in
    float32, and here it is float64 rounded at the end, as in A1111's "NV": the two differ by a few
    units in the last place. A GPU with fewer threads than there are numbers gives the rest of them
    the other three words of the hash, which depends on the GPU's model and is not done here: a
    small one differs from 65,536 numbers on, a large one from 200,000.

    Args:
        seed: 64 bits.
        calls: how often was drawn before.
        shape: at most 2³² numbers.
    """
    n = math.prod(shape)
    counter = torch.zeros(4, n, dtype=torch.int64)
    counter[0] = calls
    counter[2] = torch.arange(n)
    x, y, _, _ = philox(counter, (seed & _MASK, (seed >> 32) & _MASK)).double()
    radius = torch.sqrt(-2 * torch.log(x * _STEP + _STEP / 2))
    return (radius * torch.sin(y * _TURN + _TURN / 2)).float().reshape(tuple(shape))


def _product(word: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """The high and the low word of a product; in halves, because int64 has no room for it."""
    low = (word & 0xFFFF) * factor
    rest = (word >> 16) * factor + (low >> 16)
    return rest >> 16, ((rest & 0xFFFF) << 16) | (low & 0xFFFF)
