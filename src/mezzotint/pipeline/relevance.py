"""Where in a picture an edit has something to do."""

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

    With an instruction, and nothing said as ``source``, it is the relevance of Mirzaei et al.
    2308.08947, section 3.1; with what the picture shows as ``source`` it is the mask of DiffEdit
    (Couairon et al. 2210.11427, section 3.2).

    Args:
        model: whose network looks, four times at each of both.
        latents: of the picture, clean, (1, c, h, w); H and W are its sides in pixels.
        prompt: what is asked for.
        source: what it is compared with.
        share: of the greatest change, from which on a place counts.
        dialect: of both.
    """
    height, width = (side * model.factor for side in latents.shape[2:])
    views = looked_at(model, latents)
    before, after = (
        taken_for(model, reading.told, views)
        for reading in read(model, (source, prompt), Canvas(height, width), dialect)
    )
    apart = contrast(before, after)
    # where nothing changes at all, everything is as relevant
    found = above(share, apart / apart.max()) if apart.any() else torch.ones_like(apart)
    return resized(found, (height, width)).clamp(0, 1)
