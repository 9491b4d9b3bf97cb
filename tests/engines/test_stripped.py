"""Which pictures are taken in strips, and what becomes of those there is no memory for."""

import pytest
import torch
from oracles import randomised
from torch import Tensor

from mezzotint.engines.base import eager
from mezzotint.engines.stripped import BOUND, stripped
from mezzotint.families.sizes.sd_presets import AUTOENCODER
from mezzotint.models import strips
from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams
from mezzotint.models.tiny_autoencoder import TinyAutoencoder, TinyAutoencoderParams
from mezzotint.nn.init import unfilled

PARAMS = AutoencoderParams(
    image_channels=3,
    latent_channels=4,
    patch=1,
    channels=(8, 8),
    blocks=1,
    mid_attention=True,
    latent_convs=True,
    groups=4,
)
PICTURE = 4 * 8 * 16 * 16  # bytes of the largest map of 16 × 16 pixels


class Asked:
    """An engine that remembers what it was asked for."""

    def __init__(self, memory: float = float("inf")) -> None:
        self.batches: list[int] = []
        self.memory = memory

    def __call__(self, run, /, *inputs, **named):
        self.batches.append(len(inputs[0]))
        if inputs[0].numel() > self.memory:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to …")
        return run(*inputs, **named)


def autoencoders() -> list[Autoencoder | TinyAutoencoder]:
    tiny = TinyAutoencoderParams(image_channels=3, latent_channels=4, width=8, blocks=(1, 1))
    return [randomised(Autoencoder(PARAMS)), randomised(TinyAutoencoder(tiny))]


@pytest.mark.parametrize("autoencoder", autoencoders(), ids=["KL", "tiny"])
@pytest.mark.parametrize(
    ("bound", "batches"), [(2 * PICTURE, [2]), (PICTURE, [1, 1]), (PICTURE - 1, [])]
)
@torch.no_grad()
def test_the_size_decides(autoencoder, bound: int, batches: list[int]) -> None:
    images, z = torch.randn(2, 3, 16, 16), torch.randn(2, 4, 8, 8)
    for run, given in ((autoencoder.encode, images), (autoencoder.decode, z)):
        engine = Asked()
        made = stripped(engine, bound)(run, given)
        assert engine.batches == batches
        torch.testing.assert_close(made, run(given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("side", "number", "whole"), [(720, 4, 1), (728, 4, 0), (1024, 2, 1)])
def test_stable_diffusion_is_taken_at_once_up_to_half_a_gigabyte_a_map(
    side: int, number: int, whole: int
) -> None:
    with unfilled():
        autoencoder = Autoencoder(AUTOENCODER)
    assert (strips.widest(autoencoder, side * side) * number <= BOUND) == whole


def test_what_is_differentiated_is_never_cut() -> None:
    autoencoder, engine = randomised(Autoencoder(PARAMS)), Asked()
    stripped(engine, 0)(autoencoder.decode, torch.randn(1, 4, 8, 8)).sum().backward()
    assert engine.batches == [1]
    assert autoencoder.from_latent.weight.grad is not None


@torch.no_grad()
def test_other_functions_are_the_engines() -> None:
    autoencoder, engine = randomised(Autoencoder(PARAMS)), Asked()
    stripped(engine, 0)(autoencoder.decoder.conv_in, torch.randn(1, 4, 8, 8))
    assert engine.batches == [1]


@torch.no_grad()
def test_without_memory_it_goes_on_in_strips_and_says_so() -> None:
    autoencoder, z = randomised(Autoencoder(PARAMS)), torch.randn(2, 4, 8, 8)
    with pytest.warns(UserWarning, match="no memory to take pictures at once: going on in strips"):
        made = stripped(Asked(memory=0))(autoencoder.decode, z)
    torch.testing.assert_close(made, autoencoder.decode(z), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_other_errors_stay_what_they_are() -> None:
    def fails(run, /, *inputs: Tensor):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    decode = randomised(Autoencoder(PARAMS)).decode
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        stripped(fails)(decode, torch.randn(1, 4, 8, 8))


@torch.no_grad()
def test_a_seed_gives_one_picture_whatever_the_batch() -> None:
    autoencoder, z = randomised(Autoencoder(PARAMS)), torch.randn(2, 4, 8, 8)
    together, alone = (stripped(eager, 0)(autoencoder.decode, given) for given in (z, z[1:]))
    assert torch.equal(together[1:], alone)
