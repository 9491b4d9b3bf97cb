"""diffusers' noise is diffusers' own, numpy's Philox formula A1111's: number for number."""

import numpy as np
import pytest
import torch
from diffusers.utils.torch_utils import randn_tensor

from mezzotint.diffusion.noise import diffusers
from mezzotint.diffusion.philox import normal, philox

SHAPE = (3, 4, 6, 5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_one_generator_for_a_batch(dtype):
    generator = torch.Generator().manual_seed(11)
    images = [diffusers(11, place, SHAPE[0]) for place in range(SHAPE[0])]
    for _ in range(3):
        theirs = randn_tensor(SHAPE, generator, dtype=dtype)
        ours = [image(torch.empty(1, *SHAPE[1:], dtype=dtype)) for image in images]
        assert torch.equal(torch.cat(ours), theirs)


def test_a_generator_an_image():
    theirs = randn_tensor(SHAPE, [torch.Generator().manual_seed(seed) for seed in (4, 5, 6)])
    ours = [diffusers(seed)(torch.empty(1, *SHAPE[1:])) for seed in (4, 5, 6)]
    assert torch.equal(torch.cat(ours), theirs)


def test_the_dtype_decides_the_numbers():
    """Or the dtypes above would prove nothing."""
    single, half, double = (
        diffusers(1)(torch.empty(1, 64, dtype=dtype)).double()
        for dtype in (torch.float32, torch.bfloat16, torch.float64)
    )
    assert not torch.equal(half, single)
    assert (double - single).abs().max() > 0.1


def test_box_muller_is_that_of_a1111s_nv():
    """Its arithmetic: float32 constants, float64 between, rounded at the end."""
    n = 100_000
    counter = torch.zeros(4, n, dtype=torch.int64)
    counter[0], counter[2] = 2, torch.arange(n)
    x, y = philox(counter, (77, 0)).numpy().astype(np.uint32)[:2]
    unit, turn = np.float32([2.3283064e-10]), np.float32([2.3283064e-10 * 6.2831855])
    radius = np.sqrt(-2.0 * np.log(x * unit + unit / 2))
    theirs = (radius * np.sin(y * turn + turn / 2)).astype(np.float32)
    assert np.array_equal(normal(77, 2, (n,)).numpy(), theirs)
