"""A decoder that has to be taken for pictures draws what no latent holds."""

import pytest
import torch
from torch import Tensor, nn

from mezzotint.models.autoencoder import AutoencoderParams, Decoder
from mezzotint.training.tasks.critic import Critic, balanced, critics_loss, decoders_loss

SIDE, BATCH = 16, 8
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
    latents = torch.where(striped, 1.0, -1.0)[:, None, None, None].expand(BATCH, 2, 2, 2)
    return images, latents.clone()


def contrast(share: float, steps: int = 350) -> tuple[float, float]:
    """How much a decoder's striped and plain pictures vary, the critic counting ``share``."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    decoder, critic = Decoder(PARAMS), Critic(1, 2)
    optimizer = torch.optim.AdamW([*decoder.parameters(), *critic.parameters()], 4e-3, (0.5, 0.99))
    for _ in range(steps):
        images, latents = pictures(generator)
        decoded = decoder(latents)
        near = (decoded - images).abs().mean()
        fooling = decoders_loss(critic, decoded, latents)
        alike = balanced(fooling, near, decoder.conv_out.weight)
        loss = near + share * alike * fooling + critics_loss(critic, images, decoded, latents)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    spread = decoded.detach().std((1, 2, 3))
    return spread[::2].mean().item(), spread[1::2].mean().item()


def test_texture_is_drawn_where_the_latent_says_there_is_some():
    striped, plain = contrast(share=1.0)
    assert striped > 0.25  # of the 0.5 that is there
    assert plain < striped / 3


def test_without_a_critic_what_is_nearest_is_drawn():
    assert max(contrast(share=0.0, steps=150)) < 0.1


@pytest.fixture
def players() -> tuple[Critic, nn.Conv2d, Tensor, Tensor]:
    torch.manual_seed(0)
    decoder = nn.Conv2d(2, 3, 1)
    latents = torch.randn(2, 2, 16, 16)
    return Critic(3, 2), decoder, latents, decoder(latents)


def test_each_side_learns_from_its_own_loss_alone(players):
    critic, decoder, latents, decoded = players
    decoders_loss(critic, decoded, latents).backward()
    assert decoder.weight.grad.any()
    assert all(weight.grad is None for weight in critic.parameters())
    decoder.weight.grad = None
    critics_loss(critic, torch.randn_like(decoded), decoded, latents).backward()
    assert decoder.weight.grad is None
    assert all(weight.grad is not None for weight in critic.parameters())


def test_gradients_are_brought_to_one_length(players):
    critic, decoder, latents, decoded = players
    fooling, near = decoders_loss(critic, decoded, latents), 7 * decoded.square().mean()
    factor = balanced(fooling, near, decoder.weight)
    lengths = [
        torch.autograd.grad(loss, decoder.weight, retain_graph=True)[0].norm()
        for loss in (factor * fooling, near)
    ]
    torch.testing.assert_close(*lengths)
