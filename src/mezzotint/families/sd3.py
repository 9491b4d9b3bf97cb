"""Stable Diffusion 3 and 3.5 (Esser et al. 2403.03206).

An MM-DiT that predicts the velocity of rectified flow on latents of 16 channels, and is told what
two CLIPs and a T5 made of the prompt.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from mezzotint.diffusion import Process
from mezzotint.families.base import Canvas, Conditioning, Family, constant
from mezzotint.families.text import Encoded, Reads

SHIFT = 3.0  # of the noise levels, at every size


def join(encoded: Sequence[Encoded], canvas: Canvas) -> Conditioning:
    """Both CLIPs side by side, as wide as T5 with zeros, then T5 (fig. 2a); both pooled vectors."""
    *clips, t5 = encoded
    beside = torch.cat([clip.context for clip in clips], dim=2)
    beside = F.pad(beside, (0, t5.context.shape[2] - beside.shape[2]))
    pooled = [clip.pooled for clip in clips if clip.pooled is not None]
    return Conditioning(torch.cat([beside, t5.context], dim=1), torch.cat(pooled, dim=1))


SD3 = Family(
    name="sd3",
    release="sd3",
    process=Process.flow(),
    prediction="flow",
    time_scale=1000.0,
    latent_mean=0.0609,
    latent_std=1 / 1.5305,
    reads=(
        Reads(length=75, repeats=True, skip=1, normed=False),
        Reads(length=75, repeats=True, skip=1, normed=False),
        Reads(length=255, repeats=False, skip=0, normed=True),
    ),
    join=join,
    zero_blank=False,
    size=1024,
    smallest=64,
    largest=2048,
    multiple=16,
    steps=28,
    cfg=7.0,
    sampler="euler",
    spacing="flow_linspace",
    stops_short=False,
    shift=constant(SHIFT),
    guidance=None,
)
