"""Each kind of generator learns a world of four blobs, of which two are told apart."""

import math

import pytest
import torch
from blobs import KINDS, SHAPE, blobs, entropy, places, some
from torch import Tensor, nn

from mezzotint.diffusion import Process, seeded
from mezzotint.errors import InputError
from mezzotint.training.taxonomy.decoder import Decoder, DecoderParams
from mezzotint.training.taxonomy.diffusion import TIME_SCALE
from mezzotint.training.taxonomy.kind import (
    GRAIN,
    Kind,
    Settings,
    Shape,
    bits_a_dimension,
    dequantised,
)
from mezzotint.training.taxonomy.train import Plan, train

BITS_ABOVE = {"vae": 1.5, "flow": 0.4, "diffusion": 0.8}  # the entropy, after so short a training


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """A kind after a short training, by name."""
    made: dict[str, Kind] = {}

    def trained(name: str) -> Kind:
        if name not in made:
            torch.manual_seed(0)
            kind = KINDS[name](SHAPE)
            kind.settings = Settings(4e-3, kind.settings.betas)
            plan = Plan(name, "blobs", seed=0, steps=150, batch=24)
            folder = tmp_path_factory.mktemp("taxonomy") / name
            train(kind, plan, blobs, folder, torch.device("cpu"))
            made[name] = kind
        return made[name]

    return trained


@torch.no_grad()
def drawn(kind: Kind, told: Tensor) -> Tensor:
    return kind.sample(told, seeded(range(len(told))))


def share_at_blobs(x: Tensor, which: Tensor) -> float:
    """The share of latents at one of the two blobs that they were asked for."""
    place = places(x)
    own = place.gather(1, which[:, None]).squeeze(1)
    other = place.gather(1, 1 - which[:, None]).squeeze(1)
    return (((own.abs() - 1).abs() < 0.35) & (other.abs() < 0.35)).float().mean().item()


def test_draws_what_it_is_told_with_either_sign(kind: Kind, name: str, trained):
    which = torch.arange(200) % 2
    told = torch.eye(2)[which]
    found = drawn(trained(name), told)
    assert share_at_blobs(found, which) > 0.8
    own = places(found).gather(1, which[:, None])
    assert 0.25 < (own > 0).float().mean() < 0.75
    assert share_at_blobs(found, 1 - which) < 0.1
    assert share_at_blobs(drawn(kind, told), which) < 0.1  # before it had learnt anything


def test_bits_come_down_to_the_entropy_and_not_below(kind: Kind, name: str, trained):
    after = trained(name)
    draw = some(512)
    x, told = blobs(draw)
    with torch.no_grad():
        bits, before = after.bits(x, told, draw), kind.bits(x, told, draw)
        if name == "gan":
            assert bits is None
            return
        lied = after.bits(x, 1 - told, draw)
    assert bits is not None
    assert bits.shape == (512,)
    assert entropy() - 0.05 < bits.mean() < entropy() + BITS_ABOVE[name]
    assert bits.mean() < before.mean() - 0.5
    assert bits.mean() < lied.mean() - 0.5


def test_an_untrained_flow_is_the_standard_normal():
    draw = some(2000)
    x = draw.normal("x", 1, 4, 4)
    bits = KINDS["flow"](SHAPE).bits(x, torch.zeros(2000, 2), draw)
    assert bits is not None
    assert bits.mean().item() == pytest.approx(of_normal(1.0), abs=0.02)
    assert bits.mean().item() != pytest.approx(of_normal(0.9), abs=0.02)


class Perfect(nn.Module):
    """v of data N(0, std²): E[αε − σx₀ | x] = ασ(1 − std²)/(α²std² + σ²)·x."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor, t: Tensor, context: Tensor, y: Tensor) -> Tensor:
        process = Process.cosine()
        alpha, sigma = process.alpha(t / TIME_SCALE), process.sigma(t / TIME_SCALE)
        share = alpha * sigma * (1 - self.std**2) / ((alpha * self.std).square() + sigma.square())
        return share[:, None, None, None] * x


@pytest.mark.parametrize("std", [0.5, 1.0, 2.0])
def test_the_bound_of_a_perfect_denoiser_is_tight(std: float):
    draw = some(20_000)
    x, told = std * draw.normal("x", 1, 4, 4), torch.zeros(20_000, 2)
    kind = KINDS["diffusion"](SHAPE)

    def bits(believed: float) -> float:
        kind.generator = Perfect(believed)
        found = kind.bits(x, told, draw)
        assert found is not None
        return found.mean().item()

    assert bits(std) == pytest.approx(of_normal(std), abs=0.05)
    # one that believes in another normal pays for it what Gibbs' inequality says
    other = 1.5 * std
    believed = of_normal(other) + (1 / 1.5**2 - 1) / 2 / math.log(2)
    assert bits(other) == pytest.approx(believed, abs=0.05)


def of_normal(std: float) -> float:
    """Bits a dimension of normal latents, in steps of a grain."""
    return math.log2(std * math.sqrt(2 * math.pi * math.e) / GRAIN)


def test_a_picture_is_the_same_alone_and_in_a_batch(name: str, trained):
    told = torch.eye(2).repeat(3, 1)
    kind = trained(name)
    many = drawn(kind, told)
    with torch.no_grad():
        alone = kind.sample(told[4:5], seeded([4]))
    assert torch.allclose(many[4:5], alone, atol=1e-4)
    assert not torch.allclose(many[3:4], alone, atol=1e-2)


def test_dequantising_moves_nothing_by_more_than_a_grain():
    draw = some(50)
    x, u = 3 * draw.normal("x", 1, 4, 4), draw.uniform("u", 1, 4, 4)
    spread = dequantised(x, u)
    assert (spread - x).abs().max() <= GRAIN
    assert (spread - x).abs().max() > GRAIN / 2
    assert torch.equal(dequantised(spread, u), spread)


def test_bits_of_a_uniform_density():
    """One that is 2⁻³ wide has 2 steps of a grain, of a bit each."""
    nats = torch.full((3,), SHAPE.dimensions * -3 * math.log(2))
    assert bits_a_dimension(nats, SHAPE) == pytest.approx([1.0] * 3)


def test_latents_that_do_not_halve_are_named():
    params = DecoderParams(z=4, channels=(16, 16, 16), blocks=1, groups=1)
    with pytest.raises(InputError, match="side 6: it must be a multiple of 4"):
        Decoder(Shape(1, 6, 2), params)
