"""What is counted, against torch's own counter."""

import pytest
import torch
from oracles import randomised
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mezzotint.engines.work import Work
from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams
from mezzotint.models.dit import DiT, DiTParams

SIZES = {"channels": 4, "patch": 2, "width": 24, "blocks": 2, "heads": 3, "hidden": 20}
CODER = {"image_channels": 3, "latent_channels": 4, "patch": 2, "channels": (8, 16), "blocks": 1}
LATENTS = torch.randn(2, 4, 16, 8)
CALLS = {
    "transformer": (
        DiT(DiTParams(**SIZES, context_width=12, y_width=6)),
        (LATENTS, torch.tensor([750.3, 21.7]), torch.randn(2, 5, 12), torch.randn(2, 6)),
    ),
    "grouped convolution": (nn.Conv2d(4, 8, 3, stride=2, groups=2), (LATENTS,)),
    "decoder": (
        Autoencoder(
            AutoencoderParams(**CODER, mid_attention=True, latent_convs=True, groups=2)
        ).decode,
        (LATENTS,),
    ),
}


@pytest.mark.parametrize("kind", CALLS)
@torch.no_grad()
def test_it_is_what_torch_counts_and_no_bit_is_another(kind):
    run, inputs = CALLS[kind]
    if isinstance(run, nn.Module):
        randomised(run)
    with FlopCounterMode(display=False) as counter:
        run(*inputs)
    with Work() as work:
        made = run(*inputs)
    assert torch.equal(made, run(*inputs))
    assert work.operations == counter.get_total_flops() > 0
