from copy import deepcopy
from dataclasses import replace

import torch
from devices import WithoutDoubles

from mezzotint.families.base import Conditioning, Model


def test_a_sampler_asks_a_network_on_another_device(tiny_model: Model) -> None:
    model = replace(tiny_model, network=deepcopy(tiny_model.network).to("meta"))
    unet, device = model.network.params, torch.device("meta")
    conditioning = Conditioning(
        context=torch.empty(2, 24, unet.context_width, device=device),
        vector=torch.empty(2, unet.y_width, device=device),
    )
    x = torch.empty(2, 4, 8, 8, device=device)
    with WithoutDoubles():
        out = model.network_for(conditioning)(x, torch.tensor(0.5, dtype=torch.float64))
    assert (out.shape, out.dtype, out.device) == (x.shape, torch.float32, device)
