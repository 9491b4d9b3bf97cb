"""Feature maps by their rows: what a convolutional network computes, a strip at a time.

A row of a convolution needs the few rows around it, and nothing else. So a map can be computed in
strips over its whole width, each of a strip of the map before it that reaches a little further, and
what was read for the last time let go: no seam can come of that, and nothing is blended. What does
need a whole map is group normalisation (Wu & He 1803.08494), whose means and variances are gathered
in a pass over the strips beforehand.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.nn.norm import NormSiLU

STRIP = 2**24  # numbers of a strip, 64 MiB in float32
FEWEST = 4  # rows of a strip

Shape = tuple[int, int, int]


class Map(Protocol):
    """A feature map (1, c, h, w) by its rows."""

    @property
    def shape(self) -> Shape:
        """Its c, h and w."""
        ...

    @property
    def held(self) -> int:
        """How many numbers are in memory for it."""
        ...

    @property
    def breadth(self) -> int:
        """How many numbers a row of it takes, here or wherever it is made of most."""
        ...

    def rows(self, first: int, end: int) -> Tensor:
        """Rows ``first`` to ``end``, (1, c, end − first, w); they are not to be written to."""
        ...

    def forget(self, before: int) -> None:
        """Let go of what only rows before this one need: none of them is asked for again."""
        ...


@dataclass(frozen=True)
class Kept:
    """A map that is in memory, in strips by their first rows."""

    shape: Shape
    strips: dict[int, Tensor]

    @property
    def held(self) -> int:
        """How many numbers are in memory for it."""
        return sum(strip.numel() for strip in self.strips.values())

    @property
    def breadth(self) -> int:
        """How many numbers a row takes."""
        return self.shape[0] * self.shape[2]

    def rows(self, first: int, end: int) -> Tensor:
        """Rows of the strips, copied where there are several."""
        found = [
            strip[:, :, max(first - at, 0) : end - at]
            for at, strip in self.strips.items()
            if at < end and first < at + strip.shape[2]
        ]
        return found[0] if len(found) == 1 else torch.cat(found, dim=2)

    def forget(self, before: int) -> None:
        """Let go of strips that end before a row."""
        for at in [at for at, strip in self.strips.items() if at + strip.shape[2] <= before]:
            del self.strips[at]


@dataclass(frozen=True)
class Made:
    """A map whose rows are made of those of another when they are asked for.

    Attributes:
        source: the other.
        run: what makes them; near the edges of what it is given it may lack what is beyond.
        channels: of the result.
        up, down: how many rows of the result are made of how many of the source.
        reach: how many rows of the source count beyond those in the same place; a multiple of
            ``down``.
    """

    source: Map
    run: Callable[[Tensor], Tensor]
    channels: int
    up: int = 1
    down: int = 1
    reach: int = 0

    @property
    def shape(self) -> Shape:
        """Of the result."""
        _, height, width = self.source.shape
        return self.channels, height * self.up // self.down, width * self.up // self.down

    @property
    def held(self) -> int:
        """What the source takes."""
        return self.source.held

    @property
    def breadth(self) -> int:
        """How many numbers a row takes, or what it is made of."""
        channels, _, width = self.shape
        return max(channels * width, self.source.breadth * self.down // self.up)

    def rows(self, first: int, end: int) -> Tensor:
        """The rows, made with those that they reach to, which are cut off."""
        top = self._top(first)
        bottom = min(-(-end * self.down // self.up) + self.reach, self.source.shape[1])
        made = self.run(self.source.rows(top, bottom))
        skipped = first - top * self.up // self.down
        return made[:, :, skipped : skipped + end - first]

    def forget(self, before: int) -> None:
        """Let the source forget what is no longer needed of it."""
        self.source.forget(self._top(before))

    def _top(self, row: int) -> int:
        return max(row * self.down // self.up - self.reach, 0)


@dataclass(frozen=True)
class Sum:
    """A skip and a branch, added up; both may be of one map, where the branch reaches further."""

    skip: Map
    branch: Map
    reach: int

    @property
    def shape(self) -> Shape:
        """Of both."""
        return self.branch.shape

    @property
    def held(self) -> int:
        """What the branch takes."""
        return self.branch.held

    @property
    def breadth(self) -> int:
        """How many numbers a row takes, or what it is made of."""
        return max(self.skip.breadth, self.branch.breadth)

    def rows(self, first: int, end: int) -> Tensor:
        """Rows of both."""
        return self.skip.rows(first, end) + self.branch.rows(first, end)

    def forget(self, before: int) -> None:
        """Let go of what neither needs."""
        self.branch.forget(before)
        self.skip.forget(max(before - self.reach, 0))


def whole(x: Tensor) -> Kept:
    """A map (1, c, h, w) that is there."""
    _, c, h, w = x.shape
    return Kept((c, h, w), {0: x})


def keep(x: Map, *, again: bool = False) -> Kept:
    """Compute a map strip by strip, and let go of what it is made of.

    Args:
        x: the map.
        again: whether what it is made of is read again, and so stays.
    """
    strips: dict[int, Tensor] = {}
    for first, end in _spans(x):
        rows = x.rows(first, end)
        cut = rows.untyped_storage().nbytes() > rows.nbytes
        strips[first] = rows.clone() if cut else rows
        if not again:
            x.forget(end)
    return Kept(x.shape, strips)


def gathered(x: Map) -> Tensor:
    """A map as one tensor (1, c, h, w); what it is made of is let go."""
    return torch.cat(list(keep(x).strips.values()), dim=2)


def convolved(conv: nn.Conv2d, x: Map) -> Made:
    """A map after a convolution that is padded by half of its kernel."""
    stride, reach = conv.stride[0], conv.kernel_size[0] // 2
    return Made(x, conv, conv.out_channels, down=stride, reach=reach * stride)


def activated(norm: nn.Module, x: Map) -> Made:
    """A map after one of ``nn.norm.activation``'s, which goes over it beforehand to normalise."""
    if not isinstance(norm, nn.GroupNorm):
        return Made(x, norm, x.shape[0])
    mean, variance = moments(x, norm.num_groups)
    scale = norm.weight * (variance + norm.eps).rsqrt().repeat_interleave(x.shape[0] // len(mean))
    shift = norm.bias - scale * mean.repeat_interleave(x.shape[0] // len(mean))
    silu = isinstance(norm, NormSiLU)
    return Made(x, partial(_scaled, scale[:, None, None], shift[:, None, None], silu), x.shape[0])


def moments(x: Map, groups: int) -> tuple[Tensor, Tensor]:
    """Means and variances (groups,) of groups of channels, put together from strips.

    The variance of all is the mean of the strips' variances and the variance of their means.
    """
    spans = list(_spans(x))
    found = [_moments(x.rows(first, end), groups) for first, end in spans]
    variances, means = (torch.stack(each) for each in zip(*found, strict=True))
    heights = [end - first for first, end in spans]
    weights = torch.tensor(heights).to(means)[:, None] / x.shape[1]
    mean = (weights * means).sum(0)
    return mean, (weights * (variances + (means - mean).square())).sum(0)


def _moments(rows: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Variances and means (groups,)."""
    wide = torch.promote_types(rows.dtype, torch.float32)
    return torch.var_mean(rows.reshape(groups, -1).to(wide), 1, correction=0)


def _scaled(scale: Tensor, shift: Tensor, silu: bool, rows: Tensor) -> Tensor:
    """A strip with each channel scaled and shifted, and after SiLU."""
    made = (rows * scale).add_(shift)
    return (F.silu(made, inplace=True) if silu else made).to(rows.dtype)


def _spans(x: Map) -> Iterator[tuple[int, int]]:
    """The first and the end row of each strip."""
    height = x.shape[1]
    rows = max(STRIP // x.breadth, FEWEST)
    for first in range(0, height, rows):
        yield first, min(first + rows, height)
