"""DeepCache (Ma et al. 2312.00858): a U-Net's deep features change little from step to step.

They are computed in every N-th step and kept for those between, which compute the finest level's
first blocks down and last blocks up alone (their eq. 6 and 7).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.adapters.base import Injected
from mezzotint.adapters.fit import any_unet
from mezzotint.adapters.savings.around import around
from mezzotint.adapters.savings.recall import Call, Recall
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.models.unet import UNet
from mezzotint.nn.memory import Memory
from mezzotint.nn.transformer import readers


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
        whole: Call[Tensor] | None = None

        def answer(forward: Callable[..., Tensor], *inputs: Any, **named: Any) -> Tensor:
            nonlocal whole
            call = recall.call(*inputs[:4])
            if call is not None and call.kept is not None and call.step % self.every:
                whole = None
                return shallow(unet, self.blocks, call.kept, *inputs, **named)
            whole = call
            return forward(*inputs, **named)

        def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if whole is not None and self.every > 1:
                whole.kept = inputs[0][:, : -unet.params.skips[self.blocks - 1]].clone()

        end = around(unet, answer)
        handle = _blocks(unet.up[-1])[-self.blocks].register_forward_pre_hook(keep)

        def eject() -> None:
            end()
            handle.remove()

        return Injected(eject, recall.at, run=recall.run)


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


def shallow(
    unet: UNet,
    blocks: int,
    deep: Tensor,
    x: Tensor,
    t: Tensor,
    context: Tensor,
    y: Tensor | None = None,
    guidance: Tensor | None = None,
    residuals: Sequence[Tensor] | None = None,
    memory: Memory | None = None,
) -> Tensor:
    """What ``unet`` predicts if the last ``blocks`` on its way up are given ``deep`` from below.

    The rest is as for ``UNet.forward``; these few blocks read the prompt themselves, rather than in
    ``memory``.
    """
    time = unet.embed(t, y, guidance, x.dtype)
    first, last = _blocks(unet.down[0])[: blocks - 1], _blocks(unet.up[-1])[-blocks:]
    read = (each.keys_values(context) for block in (*first, *last) for each in readers(block))
    features = [unet.enter(x)]
    for block in first:
        features.append(block(features[-1], time, read))
    if residuals is not None:
        features = [own + more for own, more in zip(features, residuals, strict=False)]
    for block in last:
        deep = block(torch.cat([deep, features.pop()], dim=1), time, read)
    return F.pixel_shuffle(unet.conv_out(unet.norm_out(deep)), unet.params.patch)


def _blocks(level: nn.Module) -> list[nn.Module]:
    return list(cast("nn.ModuleList", level.blocks))
