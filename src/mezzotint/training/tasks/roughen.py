"""Pictures made a little worse, as a generator makes them: soft, noisy, off in their colours."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mezzotint.training.draw import Draw

SHRUNK = (0.4, 0.9)  # the side that pictures are brought down to, and up again
NOISE, BLOTCHES = 0.12, 0.2  # the most of them, where pictures span −1 to 1
GAIN, SHIFT = 0.1, 0.08  # of each channel: little enough for every colour to keep its name


def roughened(images: Tensor, draw: Draw) -> Tensor:
    """Images (b, 3, h, w) in [−1, 1], three in four of them blurred, all noisy and tinted.

    A batch is brought down to one size and up again, and each picture takes its own share of that;
    noise is fine, and in blotches of 8 pixels as an autoencoder leaves them.
    """
    side = images.shape[-1]
    low, high = SHRUNK
    small = round(side * (low + (high - low) * draw.coin("shrunk")))
    soft = F.interpolate(images, size=small, mode="area")
    soft = F.interpolate(soft, size=side, mode="bilinear")
    chance = draw.uniform("soft", 1, 1, 1)
    images = torch.lerp(images, soft, (chance * 4 / 3 - 1 / 3).clamp_min(0))
    blotches = F.interpolate(draw.normal("blotches", 3, side // 8, side // 8), size=side)
    images = images + BLOTCHES * draw.uniform("blotched", 1, 1, 1) ** 3 * blotches
    images = images + NOISE * draw.uniform("noisy", 1, 1, 1) ** 2 * draw.normal(
        "noise", 3, side, side
    )
    gain = 1 + GAIN * (2 * draw.uniform("gain", 3, 1, 1) - 1)
    shift = SHIFT * (2 * draw.uniform("shift", 3, 1, 1) - 1)
    return (images * gain + shift).clamp(-1, 1)
