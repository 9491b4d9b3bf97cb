"""What the tasks share that let a denoiser see a picture beside the prompt."""

from collections.abc import Generator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.families.base import Conditioning, Model
from mezzotint.models.unet import UNet
from mezzotint.training.data.wordings import told, told_by
from mezzotint.training.denoising import refuse_direction
from mezzotint.training.draw import Draw, subseed
from mezzotint.training.task import Batch

HELD_OUT_BATCH = 32


class Source(Protocol):
    """Pictures with companions and captions: ``Pairs`` of the world, ``Examples`` of an album."""

    def __len__(self) -> int: ...

    def batch(self, draw: Draw, blank: NDArray[np.bool_] | None = None) -> Batch:
        """The rows of a step; see ``Pairs``."""
        ...

    def each(self, size: int) -> Generator[Batch]:
        """Every pair once."""
        ...

    def telling(self, shots: Tensor) -> Batch:
        """What would tell, instead of a picture, what pairs (b,) take over of it, as ``batch``."""
        ...


def left_out(draw: Draw, share: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whose prompt and whose picture are left out, (rows,) each: for guidance by either.

    The prompt alone of ``share`` of the rows, the picture alone of as many, and both of as many
    (Brooks et al. 2211.09800, section 3.2.1; Ye et al. 2308.06721, section 4.1.2).
    """
    chance = draw.chances("left out")
    neither = (chance >= 2 * share) & (chance < 3 * share)
    return (chance < share) | neither, ((chance >= share) & (chance < 2 * share)) | neither


@torch.no_grad()
def asked(model: Model, batch: Batch) -> Conditioning:
    """What the network is told of a batch; the text encoders are no part of what learns."""
    return told(batch) if "context" in batch else told_by(model, batch)


def held_out(model: Model, source: Source, seed: int) -> Generator[tuple[Batch, Draw]]:
    """Every pair once, in batches on the model's device with the same draws every time."""
    for step, rows in enumerate(source.each(HELD_OUT_BATCH)):
        count = len(rows["latents"])
        draw = Draw(subseed(seed, "held out"), step, count, slice(None), model.device)
        yield {name: row.to(model.device) for name, row in rows.items()}, draw


def plain_unet(model: Model, base: str, direction: float) -> UNet:
    """The U-Net of a base that draws from a prompt alone.

    Args:
        model: the base.
        base: what it was called.
        direction: weight of the velocity-direction term in the loss.

    Raises:
        InputError: it has none, sees a picture already, or is asked for a velocity's direction and
            predicts none.
    """
    what, network = base or "the embedded model", model.network
    if not isinstance(network, UNet):
        kind = type(network).__name__
        raise InputError(f"{what} is a {kind}: only a U-Net learns this here, give one as base")
    if model.family.beside:
        raise InputError(f"{what} is made for {model.family.beside.purpose}: give its plain base")
    refuse_direction(model, what, direction)
    return network
