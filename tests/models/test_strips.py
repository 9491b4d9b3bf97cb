"""Autoencoders in strips do what they do at once, and what does not would be seen."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import psnr, randomised
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mezzotint.errors import InputError
from mezzotint.models import strips
from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams
from mezzotint.models.tiny_autoencoder import TinyAutoencoder, TinyAutoencoderParams
from mezzotint.nn import rows

PARAMS = AutoencoderParams(  # Stable Diffusion's in small: groups of two channels, attention
    image_channels=3,
    latent_channels=4,
    patch=1,
    channels=(8, 16, 16),
    blocks=2,
    mid_attention=True,
    latent_convs=True,
    groups=4,
)
TINY = TinyAutoencoderParams(image_channels=3, latent_channels=4, width=8, blocks=(1, 2, 1))
ENOUGH = 60.0  # dB
ROWS = 8  # of a strip


@settings(max_examples=8)
@given(
    patch=st.sampled_from([1, 2]),
    channels=st.sampled_from([(8,), (8, 16), (16, 8, 8), (8, 8, 16)]),
    blocks=st.integers(1, 2),
    groups=st.sampled_from([0, 2]),
    mid_attention=st.booleans(),
    strip=st.sampled_from([1, 700, 10**9]),
    fewest=st.integers(2, 5),
    h=st.integers(1, 5),
    w=st.integers(1, 2),
)
def test_any_autoencoder_in_strips_is_the_same_function(
    patch: int,
    channels: tuple[int, ...],
    blocks: int,
    groups: int,
    mid_attention: bool,
    strip: int,
    fewest: int,
    h: int,
    w: int,
) -> None:
    params = replace(
        PARAMS,
        patch=patch,
        channels=channels,
        blocks=blocks,
        groups=groups,
        mid_attention=mid_attention and groups > 0,
    )
    torch.manual_seed(0)
    autoencoder = randomised(Autoencoder(params)).double()
    z = torch.randn(1, 4, h, w).double()
    images = torch.randn(1, 3, h * params.factor, w * params.factor).double()
    with pytest.MonkeyPatch.context() as patched, torch.no_grad():
        patched.setattr(rows, "STRIP", strip)
        patched.setattr(rows, "FEWEST", fewest)
        decoded = strips.decode(autoencoder, z)
        encoded = strips.encode(autoencoder, images)
        torch.testing.assert_close(decoded, autoencoder.decode(z), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(encoded, autoencoder.encode(images), rtol=1e-9, atol=1e-9)


@pytest.fixture
def autoencoder() -> Autoencoder:
    return randomised(Autoencoder(PARAMS))


@pytest.fixture
def short(monkeypatch) -> None:
    """Strips of ``ROWS`` rows, so that a small picture has many."""
    monkeypatch.setattr(rows, "STRIP", 1)
    monkeypatch.setattr(rows, "FEWEST", ROWS)


def seam(error: Tensor) -> float:
    """Mean error of the rows at strips' borders against that of the others."""
    by_row = error.abs().mean(dim=(0, 1, 3))
    border = torch.arange(len(by_row)) % ROWS % (ROWS - 1) == 0
    return (by_row[border].mean() / by_row[~border].mean()).item()


@torch.no_grad()
def compared(autoencoder: Autoencoder) -> tuple[float, float]:
    """PSNR of strips against the whole in float32, and how much their borders stand out."""
    z = torch.randn(1, 4, 16, 12) + torch.linspace(-2, 2, 16)[:, None]  # no rows are alike
    whole = autoencoder.decode(z)
    made = strips.decode(autoencoder, z)
    return psnr(made, whole), seam(made - whole)


def test_there_are_no_seams(short, autoencoder: Autoencoder) -> None:
    agreement, stands_out = compared(autoencoder)
    assert agreement > 2 * ENOUGH
    assert stands_out < 1.5


def own_statistics(norm, x):
    """Each strip normalised by itself."""
    return rows.Made(x, norm, x.shape[0])


def no_reach(conv, x):
    """Each strip convolved by itself."""
    return rows.Made(x, conv, conv.out_channels, down=conv.stride[0])


@pytest.mark.parametrize(
    ("name", "broken"), [("activated", own_statistics), ("convolved", no_reach)]
)
def test_strips_by_themselves_would_be_seen(
    short, autoencoder: Autoencoder, monkeypatch, name: str, broken: Callable
) -> None:
    monkeypatch.setattr(strips, name, broken)
    agreement, stands_out = compared(autoencoder)
    assert agreement < ENOUGH
    assert stands_out > 1.5 or name == "activated"  # which is wrong everywhere


@torch.no_grad()
def test_half_precision_is_no_further_from_exact_than_at_once(short, autoencoder) -> None:
    z = torch.randn(1, 4, 16, 12)
    exact = autoencoder.decode(z)
    autoencoder.bfloat16()
    at_once, made = (
        f(z.bfloat16()) for f in (autoencoder.decode, partial(strips.decode, autoencoder))
    )
    assert made.dtype == torch.bfloat16
    assert psnr(made.float(), exact) > psnr(at_once.float(), exact) - 1


@torch.no_grad()
def test_a_tiny_autoencoder_in_strips_is_the_same_function(short) -> None:
    tiny = randomised(TinyAutoencoder(TINY)).double()
    z, images = torch.randn(1, 4, 9, 5).double(), torch.rand(1, 3, 36, 20).double()
    torch.testing.assert_close(strips.decode_tiny(tiny, z), tiny.decode(z))
    torch.testing.assert_close(strips.encode_tiny(tiny, images), tiny.encode(images))


def test_sizes_are_refused_as_they_are_at_once(autoencoder: Autoencoder) -> None:
    for encode, network in (
        (strips.encode, autoencoder),
        (strips.encode_tiny, TinyAutoencoder(TINY)),
    ):
        with pytest.raises(InputError, match="10x8: both must be multiples of 4"):
            encode(network, torch.zeros(1, 3, 8, 10))


class Peak(TorchDispatchMode):
    """The most bytes that tensors made in here took at once."""

    def __init__(self) -> None:
        super().__init__()
        self.there: dict[StorageWeakRef, int] = {}
        self.most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        made = [leaf.untyped_storage() for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        self.there |= {StorageWeakRef(storage): storage.nbytes() for storage in made}
        self.there = {ref: size for ref, size in self.there.items() if not ref.expired()}
        self.most = max(self.most, sum(self.there.values()))
        return out


def peak(run: Callable[[], object]) -> int:
    with torch.no_grad(), Peak() as seen:
        run()
    return seen.most


def test_little_more_than_the_largest_map_is_in_memory(monkeypatch) -> None:
    params = replace(PARAMS, mid_attention=False, blocks=1)
    autoencoder, h, w = randomised(Autoencoder(params)), 40, 4
    monkeypatch.setattr(rows, "STRIP", 1)
    most = 4 * 8 * h * w * 16  # bytes of the largest map between two blocks
    z, images = torch.randn(1, 4, h, w), torch.randn(1, 3, 4 * h, 4 * w)
    assert 4 * strips.widest(autoencoder, 16 * h * w) == 2 * most
    at_once = peak(lambda: autoencoder.decode(z))
    decoding = peak(lambda: strips.decode(autoencoder, z))
    encoding = peak(lambda: strips.encode(autoencoder, images))
    assert most < min(encoding, decoding) <= max(encoding, decoding) < 1.7 * most
    assert at_once > 4 * most
