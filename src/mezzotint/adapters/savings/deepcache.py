"""DeepCache (Ma et al. 2312.00858): a U-Net's deep features change little from step to step.

They are computed in every N-th step and kept for those between, which compute the finest level's
first blocks down and last blocks up alone (their eq. 6 and 7).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mezzotint.adapters.base import Injected, Told
from mezzotint.adapters.fit import any_unet
from mezzotint.adapters.savings.recall import Recall
from mezzotint.engines.around import around, engine_at
from mezzotint.errors import InputError
from mezzotint.families.base import Part


@dataclass(frozen=True)
class DeepCache:
    """An ``Adapter`` that computes deep features in some steps only; see ``deepcache``."""

    every: int
    blocks: int

    def inject(self, parts: Mapping[str, Part]) -> Injected:
        """Begin to keep features; see ``Adapter``."""
        unet = any_unet(parts, "deepcache")
        most = unet.params.blocks + 1
        if self.blocks > most:
            raise InputError(
                f"deepcache with {self.blocks} blocks: the finest level of this U-Net has {most}"
            )
        recall = Recall[Tensor]()

        def answer(forward: Callable[..., Tensor], *inputs: Any, **named: Any) -> Tensor:
            call, execute = recall.call(*inputs[:4]), engine_at(unet)
            if call is None or self.every == 1:
                return forward(*inputs, **named)
            if call.kept is not None and call.step % self.every:
                return execute(unet.shallow, self.blocks, call.kept, *inputs, **named)
            made, call.kept = execute(unet.with_deep, self.blocks, *inputs, **named)
            return made

        return Injected(around(unet, answer), recall.at, run=recall.run, told=self._told())

    def _told(self) -> Told:
        if self == deepcache(self.every):
            return "saving", f"deepcache:{self.every}"
        return "DeepCache", f"in every {self.every} steps, {self.blocks} blocks"


def deepcache(every: int = 3, blocks: int = 2) -> DeepCache:
    """Compute a U-Net's deep features in every so many steps, and only then.

    Args:
        every: N; 1 saves nothing and is exact.
        blocks: of the finest level's on the way up, how many are computed in all steps, 1 up to all
            of them; with as many less one on the way down.

    Raises:
        InputError: a number is none of these.
    """
    for name, number in (("every", every), ("blocks", blocks)):
        if number < 1 or number != int(number):
            raise InputError(f"deepcache {name} {number:g}: give a whole number from 1, such as 2")
    return DeepCache(int(every), int(blocks))
