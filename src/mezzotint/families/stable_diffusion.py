"""Stable Diffusion 1.x, 2.x and XL (Rombach et al. 2022; Podell et al. 2023).

A U-Net on latents of factor 8, noised by a scaled-linear table. 1.x reads the prompt with OpenAI's
CLIP, 2.x with OpenCLIP's penultimate layer; XL with both, and is told sizes beside the prompt.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mezzotint.diffusion import Process
from mezzotint.families.base import Canvas, Conditioning, Family, first_alone
from mezzotint.families.text import Encoded, Reads
from mezzotint.nn.embedding import sinusoidal

SIZE_WIDTH = 256  # of the embedding of each number that XL is told
AESTHETIC, AESTHETIC_NEGATIVE = 6.0, 2.5  # the scores that the refiner is told


def join_xl(encoded: Sequence[Encoded], canvas: Canvas) -> Conditioning:
    """Both contexts side by side; the second's pooled vector and six numbers (2307.01952, 2.2).

    The numbers are the height and width of the picture before it was cropped, the top and left of
    the crop, and the height and width after: that of a picture which was not cropped.
    """
    height, width = float(canvas.height), float(canvas.width)
    numbers = [height, width, 0.0, 0.0, height, width]
    context = torch.cat([each.context for each in encoded], dim=2)
    return Conditioning(context, _with_numbers(encoded[-1], numbers))


def join_refiner(encoded: Sequence[Encoded], canvas: Canvas) -> Conditioning:
    """As XL, with one encoder, and an aesthetic score for the size after cropping."""
    score = AESTHETIC_NEGATIVE if canvas.negative else AESTHETIC
    numbers = [float(canvas.height), float(canvas.width), 0.0, 0.0, score]
    return Conditioning(encoded[0].context, _with_numbers(encoded[0], numbers))


def _with_numbers(encoded: Encoded, numbers: Sequence[float]) -> Tensor:
    pooled = encoded.pooled
    if pooled is None:
        raise TypeError("XL sums prompts up with a CLIP")
    told = sinusoidal(torch.tensor(numbers, device=pooled.device), SIZE_WIDTH).flatten()
    return torch.cat([pooled, told.to(pooled).expand(len(pooled), -1)], dim=1)


SD1 = Family(
    name="sd1",
    release="sd1",
    process=Process.scaled_linear(),
    prediction="eps",
    time_scale=1.0,
    latent_mean=0.0,
    latent_std=1 / 0.18215,
    reads=(Reads(length=75, repeats=True, skip=0, normed=True),),
    join=first_alone,
    zero_blank=False,
    size=512,
    smallest=64,
    largest=4096,
    multiple=8,
    steps=50,
    cfg=7.5,
    sampler="pndm",
    spacing="leading",
    stops_short=True,
    shift=None,
    guidance=None,
)

SD2 = replace(SD1, name="sd2", release="sd2")  # prediction is "v" where it makes 768 × 768


def consistency(family: Family) -> Family:
    """The family distilled to few steps, which is told its guidance scale (2310.04378)."""
    return replace(
        family,
        name=f"{family.name}-lcm",
        steps=4,
        cfg=1.0,
        sampler="lcm",
        spacing="lcm",
        guidance=8.5,
    )


_PENULTIMATE = Reads(length=75, repeats=True, skip=1, normed=False)

SDXL = replace(
    SD1,
    name="sdxl",
    release="xl",
    latent_std=1 / 0.13025,
    reads=(_PENULTIMATE, _PENULTIMATE),
    join=join_xl,
    zero_blank=True,
    size=1024,
    cfg=5.0,
    sampler="euler",
)

SDXL_REFINER = replace(
    SDXL,
    name="sdxl-refiner",
    release="refiner",
    reads=(_PENULTIMATE,),
    join=join_refiner,
    zero_blank=False,
)
