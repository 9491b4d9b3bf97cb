"""The denoiser of a prompt: the network, told what the prompt says at each step, and guided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor

from mezzotint.adapters.ip_adapter import negative_rows
from mezzotint.diffusion import Denoiser, denoiser
from mezzotint.diffusion.guidance import Pair, cfg
from mezzotint.families.base import Conditioning, Model
from mezzotint.pipeline.conditioning import Told

Guide: TypeAlias = Callable[[Pair, float], Denoiser]
"""What x̂₀ under both prompts makes at a guidance scale: ``cfg``, and others of its kind."""


@dataclass(frozen=True)
class Asked:
    """What pictures are made of.

    Attributes:
        positive: the parts of the prompt.
        negative: the negative prompt; None where nothing is guided, not even by a picture.
        scale: of the guidance.
        guidance: what a network is told that guidance was distilled into.
        beside: what is joined to the latents (1, c, h, w), if anything is.
        image_cfg: the scale of guidance by what is joined; 1 where nothing is guided by it.
        guide: how the two prompts are put together.
    """

    positive: Sequence[Told]
    negative: Told | None
    scale: float
    guidance: float | None
    beside: Tensor | None
    image_cfg: float
    guide: Guide = cfg


def guided(model: Model, asked: Asked, grid: Tensor, at: Callable[[float], None]) -> Denoiser:
    """The denoiser for one picture at a time; prompts of one length go through in one batch.

    The parts of a prompt add up as energies do (Liu et al. 2206.01714, eq. 11): each moves x̂₀ away
    from the negative prompt's by its own weight, and the guidance scale multiplies all of it.

    Guidance by a picture adds (image_cfg − 1) times what seeing it changes under the negative
    prompt; with that, this is InstructPix2Pix's (Brooks et al. 2211.09800, eq. 3).

    Args:
        model: whose network.
        asked: the prompts, encoded.
        grid: the sampler's times, which tell at which step of a schedule it is.
        at: told how much of the sampling is done, 0…1, before the network is asked.
    """
    conditional = [told.weight for told in asked.positive]
    beside, guides = asked.beside, asked.image_cfg != 1
    unseen = torch.zeros_like(beside) if beside is not None and guides else None

    def answers(x: Tensor, t: Tensor) -> list[Tensor]:
        step = int((grid[:-1] >= t.to(grid)).sum())
        at((step - 1) / (len(grid) - 1))
        told = [_Row(part.at(step), negative=False) for part in asked.positive]
        told += [_Row(asked.negative.at(step), negative=True)] if asked.negative else []
        rows = [row.beside(beside) for row in told]
        if unseen is None:
            return _answers(model, rows, asked.guidance, x, t)
        *seeing, blind = _answers(model, [*rows, told[-1].beside(unseen)], asked.guidance, x, t)
        pull = (asked.image_cfg - 1) * (seeing[-1] - blind)
        return [each + pull for each in seeing]

    if asked.negative is None:
        return lambda x, t: answers(x, t)[0]

    def pair(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        *conds, uncond = answers(x, t)
        if conditional == [1.0]:
            return conds[0], uncond
        moves = (w * (cond - uncond) for w, cond in zip(conditional, conds, strict=True))
        return uncond + torch.stack(list(moves)).sum(0), uncond

    return asked.guide(pair, asked.scale)


@dataclass(frozen=True)
class _Row:
    """One row of a batch: what the network is told, and whether it is of the negative prompt."""

    told: Conditioning
    negative: bool

    def beside(self, joined: Tensor | None) -> "_Row":
        """The same with this joined to the latents."""
        return replace(self, told=replace(self.told, beside=joined))


def _answers(
    model: Model, rows: Sequence[_Row], guidance: float | None, x: Tensor, t: Tensor
) -> list[Tensor]:
    """x̂₀ under each condition."""
    alike = len({row.told.context.shape for row in rows}) == 1
    found: list[Tensor] = []
    for batch in [rows] if alike else [[row] for row in rows]:
        negative_rows(model.network, [row.negative for row in batch])
        told = sum((row.told for row in batch[1:]), start=batch[0].told)
        network = model.network_for(told, guidance)
        denoise = denoiser(network, model.family.process, model.family.prediction)
        found += denoise(torch.cat([x] * len(batch)), t).chunk(len(batch))
    return found
