"""A world of four blobs, and kinds of generator small enough to learn it in seconds."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from mezzotint.models.unet import UNetParams
from mezzotint.training.draw import Draw
from mezzotint.training.taxonomy.decoder import DecoderParams
from mezzotint.training.taxonomy.diffusion import Diffusion
from mezzotint.training.taxonomy.flow import Flow, FlowParams
from mezzotint.training.taxonomy.gan import GAN
from mezzotint.training.taxonomy.kind import GRAIN, Kind, Shape, dequantised
from mezzotint.training.taxonomy.vae import VAE

SHAPE = Shape(channels=1, side=4, told=2)
DECODER = DecoderParams(z=4, channels=(16, 16), blocks=1, groups=1)
FLOW = FlowParams(patches=2, passes=2, depth=1, width=16, heads=1)
UNET = UNetParams(
    channels_in=1,
    channels_out=1,
    channels=(16,),
    blocks=1,
    depths=(0,),
    mid_depth=1,
    heads=(1,),
    context_width=2,
    y_width=2,
    groups=1,
    guided=False,
)
KINDS: dict[str, Callable[[Shape], Kind]] = {
    "gan": lambda shape: GAN(shape, DECODER),
    "vae": lambda shape: VAE(shape, DECODER),
    "flow": lambda shape: Flow(shape, FLOW),
    "diffusion": lambda shape: Diffusion(shape, UNET, 10),
}
# told 0, a latent is ± the first pattern; told 1, ± the second
PATTERNS = torch.tensor([[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]])
NOISE = 0.2


def blobs(draw: Draw) -> tuple[Tensor, Tensor]:
    """Latents (b, 1, 4, 4), and which of two patterns they show; with which sign is not told."""
    which = torch.from_numpy(draw.integers("which", 2))
    sign = torch.from_numpy(draw.integers("sign", 2)) * 2.0 - 1
    pattern = (sign[:, None] * PATTERNS[which]).repeat_interleave(4, 1).view(-1, 1, 4, 4)
    x = pattern + NOISE * draw.normal("blob", 1, 4, 4)
    return dequantised(x, draw.uniform("grain", 1, 4, 4)), torch.eye(2)[which]


def some(count: int, seed: int = 99) -> Draw:
    """Random numbers for so many rows that no training draws."""
    return Draw(seed, 0, count, slice(None), torch.device("cpu"))


def entropy() -> float:
    """Bits a dimension of what is told of: the noise in each, and one bit for the sign."""
    return math.log2(NOISE * math.sqrt(2 * math.pi * math.e) / GRAIN) + 1 / SHAPE.dimensions


def places(x: Tensor) -> Tensor:
    """Where latents lie along both patterns, (b, 2); a blob is at ±1 of one and 0 of the other."""
    return x.view(-1, 4, 4).mean(2) @ PATTERNS.T / 4
