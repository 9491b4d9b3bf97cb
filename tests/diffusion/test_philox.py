import pytest
import torch

from mezzotint.diffusion.philox import normal, philox

# the known-answer tests of Random123 (Salmon et al. 2011): counter, key, hash
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]

# torch.randn(3, 4, device="cuda") with seed 0, as A1111's documentation of its "NV" has it
CUDA = [
    [-0.92466259, -0.42534415, -2.6438457, 0.14518388],
    [-0.12086647, -0.57972564, -0.62285122, -0.32838709],
    [-1.07454231, -0.36314407, -1.67105067, 2.26550497],
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter, key, answer):
    counters = torch.tensor([counter, (1, 2, 3, 4)]).T
    assert tuple(philox(counters, key)[:, 0].tolist()) == answer
    assert tuple(philox(counters, (key[0] ^ 1, key[1]))[:, 0].tolist()) != answer


def test_numbers_are_those_of_cuda():
    drawn = normal(0, 0, (3, 4))
    assert drawn.dtype == torch.float32
    torch.testing.assert_close(drawn, torch.tensor(CUDA), rtol=0, atol=4e-7)


def test_every_bit_of_the_seed_counts():
    first = [normal(seed, 0, (1,)).item() for seed in [0, *(1 << bit for bit in range(64))]]
    assert len(set(first)) == 65


def test_numbers_do_not_depend_on_how_many_there_are():
    assert torch.equal(normal(5, 3, (2, 7))[:1], normal(5, 3, (1, 7)))
    assert not torch.equal(normal(5, 4, (1, 7)), normal(5, 3, (1, 7)))


def test_is_standard_normal():
    z = normal(1, 0, (100_000,))
    assert z.mean().abs() < 0.02
    assert (z.std() - 1).abs() < 0.02
