"""Token merging (Bolya & Hoffman 2303.17604): pixels that are alike attend as one.

Before a U-Net's self-attention, each of the most redundant tokens is merged into the one that it is
most like, and after it gets what that one got (their 3.1). Others can be merged into one token of
every 2 × 2: the upper left, rather than one by chance, so that a seed means the same each time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.adapters.base import Injected, Told
from mezzotint.adapters.fit import any_unet
from mezzotint.engines.around import around
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.models.unet import UNet
from mezzotint.nn.transformer import PixelTransformer, TransformerBlock

MOST = 0.75  # of the tokens are none that others are merged into


@dataclass(frozen=True)
class TokenMerging:
    """An ``Adapter`` that merges tokens before self-attention; see ``token_merging``."""

    ratio: float
    levels: int

    def inject(self, parts: Mapping[str, Part]) -> Injected:
        """Begin to merge; see ``Adapter``."""
        levels = _levels(any_unet(parts, "token_merging"))
        if not levels:
            raise InputError("token_merging: the pixels of this U-Net do not attend to one another")
        ends = [
            end
            for level in levels[: self.levels]
            for transformer in level
            for end in self._within(transformer)
        ]

        def eject() -> None:
            for end in ends:
                end()

        return Injected(eject, told=self._told())

    def _told(self) -> Told:
        if self == token_merging(self.ratio):
            return "saving", f"token_merging:{self.ratio}"
        return "token merging", f"of {self.ratio} in {self.levels} levels"

    def _within(self, transformer: PixelTransformer) -> list[Callable[[], None]]:
        """Merge in one transformer; what is returned ends it."""
        sides = torch.Size((0, 0))

        def see(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            nonlocal sides
            sides = inputs[0].shape[2:]

        def answer(forward: Callable[..., Tensor], x: Tensor, *others: Any, **named: Any) -> Tensor:
            count = int(self.ratio * x.shape[1])
            if not count:
                return forward(x, *others, **named)
            merging = Merging.of(x, sides[0], sides[1], count)
            return merging.undone(forward(merging.done(x), *others, **named))

        handle = transformer.register_forward_pre_hook(see)
        blocks = [cast("TransformerBlock", block) for block in transformer.blocks]
        return [handle.remove, *(around(block.attend_self, answer) for block in blocks)]


def token_merging(ratio: float = 0.5, levels: int = 1) -> TokenMerging:
    """Merge a share of the tokens before the self-attention of a U-Net's finest levels.

    Args:
        ratio: of the tokens that are merged into others, 0…0.75; 0 saves nothing and is exact.
        levels: how many, of those that have self-attention.

    Raises:
        InputError: a number is none of these.
    """
    if not 0 <= ratio <= MOST:
        raise InputError(f"token_merging ratio {ratio}: give a number from 0 to {MOST}")
    if levels < 1 or levels != int(levels):
        raise InputError(f"token_merging levels {levels}: give a whole number from 1")
    return TokenMerging(float(ratio), int(levels))


@dataclass(frozen=True)
class Merging:
    """Which of n tokens are merged; all rows of a batch alike, so that guidance compares the same.

    Attributes:
        here: indices (m,) of the tokens that others are merged into.
        rest: (k,), of others that stay.
        go: (r,), of those that are merged.
        into: (r,), which of ``here`` each of them goes into.
    """

    here: Tensor
    rest: Tensor
    go: Tensor
    into: Tensor

    @classmethod
    def of(cls, x: Tensor, height: int, width: int, count: int) -> "Merging":
        """Merge ``count`` of the tokens x (b, h·w, c), those that are most like another one.

        Alike is what has a small angle between, in the mean over the batch.
        """
        even = torch.zeros(height, width, dtype=torch.bool, device=x.device)
        even[::2, ::2] = True
        here, others = even.flatten().nonzero()[:, 0], (~even).flatten().nonzero()[:, 0]
        unit = F.normalize(x, dim=2)
        alike = (unit[:, others] @ unit[:, here].transpose(1, 2)).mean(0)
        best, into = alike.max(1)
        order = best.argsort(descending=True, stable=True)
        go, rest = order[:count], order[count:]
        return cls(here, others[rest], others[go], into[go])

    def done(self, x: Tensor) -> Tensor:
        """Tokens (b, n, c) merged: (b, m + k, c), each the mean of what it stands for.

        Sums are a matrix product, which is the same each time; scattering on a GPU is not.
        """
        share = torch.zeros(len(self.here), len(self.go), dtype=x.dtype, device=x.device)
        share[self.into, torch.arange(len(self.go), device=x.device)] = 1
        mean = (x[:, self.here] + share @ x[:, self.go]) / (1 + share.sum(1, keepdim=True))
        return torch.cat([mean, x[:, self.rest]], dim=1)

    def undone(self, x: Tensor) -> Tensor:
        """Merged tokens (b, m + k, c), each in all the places that it stands for: (b, n, c)."""
        stay = torch.cat([self.here, self.rest])
        place = stay.new_empty(len(stay) + len(self.go))
        place[stay] = torch.arange(len(stay), device=place.device)
        place[self.go] = self.into
        return x[:, place]


def _levels(unet: UNet) -> list[list[PixelTransformer]]:
    """The transformers with self-attention of each level that has such, finest first."""
    found = [
        [
            each
            for part in (down, up)
            for each in part.modules()
            if isinstance(each, PixelTransformer) and isinstance(each.blocks[0], TransformerBlock)
        ]
        for down, up in zip(unet.down, reversed(unet.up), strict=True)
    ]
    return [level for level in found if level]
