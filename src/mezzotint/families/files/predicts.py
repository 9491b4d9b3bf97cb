"""Whether a network predicts ε or v, where no file says so: Stable Diffusion 2.x in one file."""

import torch
from torch import nn

from mezzotint.models.unet import UNet

SIDE, TOKENS, NOISIEST = 16, 77, 999.0
ALIKE = 0.5  # of ε and pure noise it is 1 but for what little is left of x₀, of v about 0


@torch.no_grad()
def predicts_v(network: nn.Module) -> bool:
    """Ask a U-Net what it sees in pure noise.

    At the noisiest step x is next to nothing but ε, so that a network which predicts ε gives x
    back. One that predicts v = α·ε − σ·x₀ gives −x₀ there, which has nothing to do with x.
    """
    if not isinstance(network, UNet):
        raise TypeError(f"{type(network).__name__} is not told by this")
    weight = next(network.parameters())
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, network.params.channels_in, SIDE, SIDE, generator=generator)
    context = torch.zeros(1, TOKENS, network.params.context_width)
    t = torch.tensor([NOISIEST])
    out = network(x.to(weight), t.to(weight.device), context.to(weight)).float().cpu()
    return torch.cosine_similarity(out.flatten(), x.flatten(), dim=0).item() < ALIKE
