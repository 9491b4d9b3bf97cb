"""The denoiser of a prompt: the network, told what the prompt says at each step, and guided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import torch
from torch import Tensor

from mezzotint.adapters.negatives import negative_rows
from mezzotint.diffusion import Denoiser, denoiser
from mezzotint.diffusion.guidance import Pair, cfg, interval
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
        interval: the shares of the sampling, 0…1, between which that is done, and the negative
            prompt is asked at all; None for throughout.
    """

    positive: Sequence[Told]
    negative: Told | None
    scale: float
    guidance: float | None
    beside: Tensor | None
    image_cfg: float
    guide: Guide = cfg
    interval: tuple[float, float] | None = None


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
    weights = [told.weight for told in asked.positive]
    unseen = None if asked.image_cfg == 1 else _unseen(asked.beside)

    @lru_cache(maxsize=2)  # what a schedule says now and, where it alternates, in turns with that
    def batches(*rows: _Row) -> list[_Batch]:
        return _batches(model, rows, asked.guidance)

    def answers(x: Tensor, t: Tensor, negative: Told | None) -> list[Tensor]:
        step = int((grid[:-1] >= t.to(grid)).sum())
        at((step - 1) / (len(grid) - 1))
        rows = [_Row(part.at(step), asked.beside, negative=False) for part in asked.positive]
        if negative is None:
            return _answers(model, batches(*rows), x, t)
        away = negative.at(step)
        rows += [_Row(away, asked.beside, negative=True)]
        if unseen is None:
            return _answers(model, batches(*rows), x, t)
        rows += [_Row(away, unseen, negative=True)]
        *seeing, blind = _answers(model, batches(*rows), x, t)
        pull = (asked.image_cfg - 1) * (seeing[-1] - blind)
        return [each + pull for each in seeing]

    def alone(x: Tensor, t: Tensor) -> Tensor:
        return answers(x, t, None)[0]

    if asked.negative is None:
        return alone

    def pair(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        *conds, uncond = answers(x, t, asked.negative)
        if weights == [1.0]:
            return conds[0], uncond
        moves = (w * (cond - uncond) for w, cond in zip(weights, conds, strict=True))
        return uncond + torch.stack(list(moves)).sum(0), uncond

    both = asked.guide(pair, asked.scale)
    if asked.interval is None:
        return both
    # parts that are weighted move away from the negative prompt at any scale
    plain = alone if weights == [1.0] else cfg(pair, 1.0)
    return interval(both, plain, model.family.process, *_ratios(model, asked.interval, grid))


def _ratios(model: Model, shares: tuple[float, float], grid: Tensor) -> tuple[float, float]:
    """Of the steps that begin within these shares of the sampling, what σ/α stays above and is."""
    steps, process = len(grid) - 1, model.family.process
    first, end = (grid[sum(k / steps < share for k in range(steps))] for share in shares)
    (alpha_end, sigma_end), (alpha, sigma) = process.at(end), process.at(first)
    return float(sigma_end / alpha_end), float(sigma / alpha)


def _unseen(beside: Tensor | None) -> Tensor | None:
    return None if beside is None else torch.zeros_like(beside)


@dataclass(frozen=True)
class _Row:
    """One row of a batch: what the network is told, and whether it is of the negative prompt."""

    told: Conditioning
    beside: Tensor | None
    negative: bool


@dataclass(frozen=True)
class _Batch:
    """Rows that go through the network together."""

    negative: list[bool]
    denoise: Denoiser


def _batches(model: Model, rows: Sequence[_Row], guidance: float | None) -> list[_Batch]:
    """All rows as one batch if their prompts are of one length, and else each as one of its own."""
    alike = len({row.told.context.shape for row in rows}) == 1
    family, found = model.family, list[_Batch]()
    for batch in [rows] if alike else [[row] for row in rows]:
        told = [replace(row.told, beside=row.beside) for row in batch]
        network = model.network_for(sum(told[1:], start=told[0]), guidance)
        denoise = denoiser(network, family.process, family.prediction)
        found.append(_Batch([row.negative for row in batch], denoise))
    return found


def _answers(model: Model, batches: Sequence[_Batch], x: Tensor, t: Tensor) -> list[Tensor]:
    """x̂₀ under the condition of each row."""
    found: list[Tensor] = []
    for batch in batches:
        negative_rows(model.network, batch.negative)
        rows = len(batch.negative)
        found += batch.denoise(torch.cat([x] * rows), t).chunk(rows)
    return found
