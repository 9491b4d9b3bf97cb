"""What a network is told of a caption, or what a text encoder that learns along reads of it."""

from collections.abc import Callable

import torch
from torch import Tensor

from mezzotint.families.base import Canvas, Conditioning, Model, text_name
from mezzotint.families.text import Encoded
from mezzotint.training.task import Batch

Reads = Callable[[str, Canvas], Batch]
"""(caption, canvas) → tensors of one row, the same names and shapes for every caption."""


def encoded(model: Model) -> Reads:
    """``context`` (n, d), and ``vector`` (d,) where the family has one, in float32 on the host.

    For text encoders that stay as they are. Without a caption it is what the family was trained to
    be told then, which ``Family.zero_blank`` says.
    """

    @torch.no_grad()
    def read(caption: str, canvas: Canvas) -> Batch:
        made = [encoder(encoder.windows([caption])) for encoder in model.encoders]
        if not caption and model.family.zero_blank:
            made = [_zeros(each) for each in made]
        told = model.family.join(made, canvas)
        rows = {"context": told.context, "vector": told.vector}
        return {name: row[0].float().cpu() for name, row in rows.items() if row is not None}

    return read


def tokens(model: Model) -> Reads:
    """The token ids (n,) of each text encoder: ``tokens``, ``tokens_2`` …

    For text encoders that learn along.
    """

    def read(caption: str, canvas: Canvas) -> Batch:
        return {
            text_name(k).replace("text", "tokens"): encoder.windows([caption])[0]
            for k, encoder in enumerate(model.encoders)
        }

    return read


def told(batch: Batch) -> Conditioning:
    """What the network is told of a batch whose captions were ``encoded``."""
    return Conditioning(batch["context"], batch.get("vector"))


def told_by(model: Model, batch: Batch) -> Conditioning:
    """What the network is told of a batch of ``tokens``, by the text encoders as they are now."""
    names = [text_name(k).replace("text", "tokens") for k in range(len(model.encoders))]
    made = [encoder(batch[name]) for encoder, name in zip(model.encoders, names, strict=True)]
    height, width = (side * model.factor for side in batch["latents"].shape[2:])
    return model.family.join(made, Canvas(height, width))


def _zeros(made: Encoded) -> Encoded:
    pooled: Tensor | None = None if made.pooled is None else torch.zeros_like(made.pooled)
    return Encoded(torch.zeros_like(made.context), pooled)
