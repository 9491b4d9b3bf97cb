"""Aspect-ratio buckets: pictures are trained on at about their own shape.

A batch is of one size, so the sizes are few: those of about the area that a model is trained at
(Podell et al. 2023, arXiv 2307.01952, section 2.3). Each picture is scaled to cover the size of the
nearest shape, and what then hangs over is cut off on both sides alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mezzotint.errors import InputError
from mezzotint.families.base import Family
from mezzotint.training.draw import Draw, permutation, subseed, visits

Size = tuple[int, int]
"""Width and height in pixels."""

STEP = 64  # pixels between sides, at 512 and more
STEPS = 8  # at least, in the side of a square


def buckets(family: Family, size: int) -> list[Size]:
    """The sizes that a family is trained at, the square first.

    They have no larger an area than the square of ``size`` has, nearly that, and sides from half of
    ``size`` to twice. All but the square have sides that are multiples of a step: a small folder
    that fell into many buckets would fill none.

    Raises:
        InputError: ``size`` is none that the family can be asked for.
    """
    least, most = family.smallest, family.largest
    if not least <= size <= most or size % family.multiple:
        raise InputError(
            f"pictures of size {size}: {family.name} takes multiples of {family.multiple} "
            f"from {least} to {most}"
        )
    step = family.multiple * max(1, -(-min(STEP, size // STEPS) // family.multiple))
    least, most = max(least, -(-size // 2)), min(most, 2 * size)
    sides = range(-(-least // step) * step, most + 1, step)
    pairs = ((side, min(size * size // side // step * step, sides[-1])) for side in sides)
    found = [pair for pair in pairs if pair[1] >= least]
    return list(dict.fromkeys([(size, size), *found, *((h, w) for w, h in found)]))


def nearest(sizes: Sequence[Size], shape: Size) -> Size:
    """The size whose shape is nearest, by the logarithm of width over height.

    Of sizes of one shape it is the largest.
    """
    aspect = math.log(shape[0] / shape[1])
    return min(sizes, key=lambda s: (round(abs(math.log(s[0] / s[1]) - aspect), 9), -s[0] * s[1]))


def cropped(picture: Image.Image, size: Size, shape: Size) -> Image.Image:
    """The middle of a picture at ``size``.

    Args:
        picture: the picture.
        size: of the result.
        shape: of the picture whose middle is taken: this one's or, if this is a companion, that
            of the picture that it goes with, so that they stay one on the other.
    """
    scale = min(shape[0] / size[0], shape[1] / size[1])
    cut = (1 - scale * new / old for new, old in zip(size, shape, strict=True))
    left, top = (max(0.0, share / 2) for share in cut)  # rounding may take it below
    width, height = picture.size
    box = (left * width, top * height, (1 - left) * width, (1 - top) * height)
    return picture.resize(size, Image.Resampling.LANCZOS, box=box)


@dataclass(frozen=True)
class Plan:
    """Which samples come at which step: each batch from one pool, as a function of the step alone.

    Each entry of a pool calls for one batch in as many steps as there are entries in all, so after
    so many steps every entry was visited as often as a batch has rows, however the pools' sizes
    and the batch's divide. A pool with fewer entries than the batch is gone round again.

    Attributes:
        pools: the numbers of samples, each as often as it is to be visited in an epoch.
    """

    pools: tuple[NDArray[np.int64], ...]

    @property
    def entries(self) -> int:
        """How many there are in all pools."""
        return sum(map(len, self.pools))

    def rows(self, draw: Draw) -> NDArray[np.int64]:
        """The samples of this process's rows of a step's batch, all of one pool."""
        pool_of = np.repeat(np.arange(len(self.pools)), [len(pool) for pool in self.pools])
        seed = subseed(draw.seed, "pools")
        epoch, place = divmod(draw.step, self.entries)
        order = pool_of[permutation(seed, self.entries, epoch)]
        chosen = int(order[place])
        pool = self.pools[chosen]
        turn = epoch * len(pool) + int(np.count_nonzero(order[:place] == chosen))
        start, count = turn * draw.batch, draw.batch
        return pool[visits(subseed(seed, chosen), len(pool), start, count)[draw.rows]]
