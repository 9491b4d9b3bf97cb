"""FLUX.1 dev, schnell and Fill (Black Forest Labs 2024).

A transformer that predicts the velocity of rectified flow on latents of 16 channels. It is told
what T5 made of the prompt, and the prompt as one vector of a CLIP. Guidance was distilled into dev,
which is told its scale; schnell was distilled to one to four steps without any.
"""

from collections.abc import Sequence
from dataclasses import replace

from mezzotint.diffusion import Process, flux_shift
from mezzotint.families.base import Canvas, Conditioning, Family, constant
from mezzotint.families.text import Encoded, Reads
from mezzotint.models.flux import PATCH


def join(encoded: Sequence[Encoded], canvas: Canvas) -> Conditioning:
    """T5's context, CLIP's vector."""
    clip, t5 = encoded
    return Conditioning(t5.context, clip.pooled)


def shift(height: int, width: int) -> float:
    """What the noise levels of a latent of so many pixels are shifted by."""
    return flux_shift(height * width // PATCH**2)


FLUX_DEV = Family(
    name="flux-dev",
    release="flux",
    process=Process.flow(),
    prediction="flow",
    time_scale=1000.0,
    latent_mean=0.1159,
    latent_std=1 / 0.3611,
    reads=(
        Reads(length=75, repeats=False, skip=0, normed=True),
        Reads(length=511, repeats=False, skip=0, normed=True),
    ),
    join=join,
    zero_blank=False,
    size=1024,
    smallest=64,
    largest=4096,
    multiple=16,
    steps=28,
    cfg=1.0,
    sampler="euler",
    spacing="flow_shift",
    stops_short=False,
    shift=shift,
    guidance=3.5,
)

FLUX_SCHNELL = replace(
    FLUX_DEV,
    name="flux-schnell",
    reads=(FLUX_DEV.reads[0], replace(FLUX_DEV.reads[1], length=255)),
    steps=4,
    shift=constant(1.0),
    guidance=None,
)
