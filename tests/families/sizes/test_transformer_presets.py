"""Parameters of the published transformers, as counted by others."""

from collections.abc import Callable

import pytest
from torch import nn

from mezzotint.families.sizes.flux_presets import FLUX_DEV, FLUX_SCHNELL
from mezzotint.families.sizes.sd3_presets import SD3_MEDIUM, SD35_LARGE, T5_XXL
from mezzotint.families.sizes.taesd_presets import TAESD
from mezzotint.models.flux import Flux
from mezzotint.models.mmdit import MMDiT
from mezzotint.models.t5 import T5Encoder
from mezzotint.models.tiny_autoencoder import TinyAutoencoder
from mezzotint.nn.init import unfilled


@pytest.mark.parametrize(
    ("make", "millions"),
    [
        (lambda: Flux(FLUX_DEV), 11901),
        (lambda: Flux(FLUX_SCHNELL), 11891),
        (lambda: MMDiT(SD3_MEDIUM), 2028),
        (lambda: MMDiT(SD35_LARGE), 8057),
        (lambda: T5Encoder(T5_XXL), 4762),
        (lambda: TinyAutoencoder(TAESD), 2),
    ],
)
def test_published_sizes(make: Callable[[], nn.Module], millions: int) -> None:
    with unfilled():
        network = make()
    assert round(sum(p.numel() for p in network.parameters()) / 1e6) == millions
