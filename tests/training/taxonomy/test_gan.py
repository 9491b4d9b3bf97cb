"""Both sides of the game, for critics whose scores and slopes are known."""

import pytest
import torch
import torch.nn.functional as F
from blobs import DECODER, SHAPE, blobs, some
from torch import Tensor, nn

from mezzotint.training.taxonomy.gan import GAMMA, GAN


class Linear(nn.Module):
    """⟨w, x⟩, as steep everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.linspace(-1, 2, 16).view(1, 1, 4, 4))

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        return (self.w * x).flatten(1).sum(1)


@pytest.fixture
def gan() -> GAN:
    torch.manual_seed(0)
    made = GAN(SHAPE, DECODER)
    made.critic = Linear()
    return made


def test_the_critic_pays_for_its_slope(gan: GAN):
    draw = some(8)
    x, told = blobs(draw)
    made = gan.generator(draw.normal("z of the critic", gan.width), told)
    game = F.softplus(gan.critic(made, told) - gan.critic(x, told)).mean()
    steep = gan.critic.w.square().sum()
    loss = gan.loss("critic", x, told, draw)
    assert loss.item() == pytest.approx((game + GAMMA * steep).item(), rel=1e-5)
    (slope,) = torch.autograd.grad(loss - GAMMA * steep, gan.critic.w)
    (of_game,) = torch.autograd.grad(game, gan.critic.w)
    assert torch.allclose(slope, of_game, atol=1e-5)  # the penalty's own slope is in it
    assert not torch.allclose(slope, torch.zeros_like(slope), atol=1e-3)


def test_the_generator_climbs_what_the_critic_says(gan: GAN):
    draw = some(8)
    x, told = blobs(draw)
    made = gan.generator(draw.normal("z of the generator", gan.width), told)
    game = F.softplus(gan.critic(x, told) - gan.critic(made, told)).mean()
    assert gan.loss("generator", x, told, draw).item() == pytest.approx(game.item(), rel=1e-5)


def test_a_critic_s_turn_leaves_the_generator_alone(gan: GAN):
    x, told = blobs(some(8))
    loss = gan.loss("critic", x, told, some(8))
    weights = list(gan.generator.parameters())
    slopes = torch.autograd.grad(loss, weights, allow_unused=True)
    assert all(slope is None for slope in slopes)
    loss = gan.loss("generator", x, told, some(8))
    slopes = torch.autograd.grad(loss, weights, allow_unused=True)
    assert any(slope is not None and slope.any() for slope in slopes)
