"""A decoder that is asked for texture draws some, where a latent says that there is some."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mezzotint.models.autoencoder import AutoencoderParams, Decoder
from mezzotint.training.tasks.texture import FAINT, texture_distance

SIDE, BATCH = 32, 8
PARAMS = AutoencoderParams(
    image_channels=1,
    latent_channels=2,
    patch=4,
    channels=(16, 16),
    blocks=1,
    mid_attention=False,
    latent_convs=False,
    groups=0,
)


def pictures(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Grey pictures, half of them striped from an edge that no latent tells; and the latents."""
    striped = torch.arange(BATCH) % 2 == 0
    phase = torch.randint(0, 8, (BATCH, 1), generator=generator)
    stripes = ((torch.arange(SIDE) + phase) // 4 % 2 * 2.0 - 1) * 0.5 * striped[:, None]
    images = stripes[:, None, None].expand(BATCH, 1, SIDE, SIDE).clone()
    latents = torch.where(striped, 1.0, -1.0)[:, None, None, None].expand(BATCH, 2, 4, 4)
    return images, latents.clone()


def contrast(weight: float, steps: int = 100) -> tuple[float, float]:
    """How much a decoder's striped and plain pictures vary, texture counting ``weight``."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    decoder = Decoder(PARAMS)
    optimizer = torch.optim.AdamW(decoder.parameters(), 4e-3)
    for _ in range(steps):
        images, latents = pictures(generator)
        decoded = decoder(latents)
        loss = (decoded - images).abs().mean() + weight * texture_distance(decoded, images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    spread = decoded.detach().std((1, 2, 3))
    return spread[::2].mean().item(), spread[1::2].mean().item()


def test_stripes_are_drawn_where_there_are_some():
    striped, plain = contrast(weight=2.0)
    assert striped > 0.25  # of the 0.5 that is there
    assert plain < striped / 5


def test_what_is_nearest_has_none():
    assert max(contrast(weight=0.0)) < 0.1


@pytest.mark.parametrize("turns", [0, 1])
def test_a_ramp_is_as_strong_as_it_is_steep(turns: int):
    """Per step across, along a diagonal, none down; twice that at each coarser scale."""
    ramp = torch.rot90((0.02 * torch.arange(32.0)).expand(1, 1, 32, 32), turns, (2, 3))
    steep = [math.sqrt((0.02 * 2**scale) ** 2 + FAINT) for scale in range(3)]
    expected = sum(3 * (each - math.sqrt(FAINT)) for each in steep) / 12
    found = texture_distance(ramp, torch.zeros_like(ramp)).item()
    assert found == pytest.approx(expected, rel=1e-3)


@given(st.integers(0, 1000), st.floats(0.1, 1.0))
def test_it_does_not_matter_where_strokes_are(seed: int, strength: float):
    generator = torch.Generator().manual_seed(seed)
    one, other = strength * torch.randn(2, 1, 3, 64, 64, generator=generator)
    assert texture_distance(one, other) < texture_distance(one, 1.5 * other) / 2
    assert texture_distance(one, one) == 0
