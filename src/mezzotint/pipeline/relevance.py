"""Where in a picture an edit has something to do, or has done it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mezzotint.families.base import Canvas, Model
from mezzotint.pipeline.looking import above, contrast, looked_at, resized, taken_for
from mezzotint.pipeline.prompts import Dialect
from mezzotint.pipeline.words import DIALECT, read


@torch.no_grad()
def relevance_mask(
    model: Model,
    latents: Tensor,
    prompt: str,
    source: str,
    share: float,
    dialect: Dialect = DIALECT,
) -> Tensor:
    """Where the prompt changes what a picture is taken for, (1, 1, H, W) in [0, 1], soft at edges.

    It is the mask of DiffEdit (Couairon et al. 2210.11427, section 3.2).

    Args:
        model: whose network looks, four times at each of both.
        latents: of the picture, clean, (1, c, h, w); H and W are its sides in pixels.
        prompt: what is asked for.
        source: what the picture shows now.
        share: of the greatest change, from which on a place counts.
        dialect: of both.
    """
    height, width = (side * model.factor for side in latents.shape[2:])
    views = looked_at(model, latents)
    before, after = (
        taken_for(model, reading.told, views)
        for reading in read(model, (source, prompt), Canvas(height, width), dialect)
    )
    return _above_share(before, after, share, (height, width))


def changed_mask(before: Tensor, after: Tensor, share: float, sides: tuple[int, int]) -> Tensor:
    """Where a picture came out changed, (1, 1, H, W) in [0, 1], soft at edges.

    Mirzaei et al. (2308.08947, section 3.1) ask the network instead, beforehand, what an
    instruction changes. What was drawn answers more sharply, and no network has to look again.

    Args:
        before, after: latents (1, c, h, w).
        share: of the greatest change, from which on a place counts.
        sides: H and W.
    """
    return _above_share([before], [after], share, sides)


def _above_share(
    before: Sequence[Tensor], after: Sequence[Tensor], share: float, sides: tuple[int, int]
) -> Tensor:
    apart = contrast(before, after)
    # where nothing changes at all, everything is as relevant
    some = share > 0 and bool(apart.any())
    found = above(share, apart / apart.max()) if some else torch.ones_like(apart)
    return resized(found, sides).clamp(0, 1)
