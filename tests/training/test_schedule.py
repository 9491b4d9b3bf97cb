import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mezzotint.training.ema import EMA
from mezzotint.training.schedule import ema_decay, lr_scale


def test_the_rate_rises_stays_and_falls_to_nothing():
    scales = [lr_scale(k, 100, 9, 0.5, "linear") for k in range(100)]
    assert scales[:10] == pytest.approx([0.1 * (k + 1) for k in range(10)])
    assert scales[10:51] == pytest.approx([1.0] * 41)
    assert scales[50:] == pytest.approx([1 - k / 50 for k in range(50)])


def test_the_cosine_falls_as_a_cosine():
    halfway = lr_scale(75, 100, 0, 0.5, "cosine")
    assert halfway == pytest.approx(0.5)
    assert lr_scale(50, 100, 0, 0.5, "cosine") == 1
    assert 0 < lr_scale(99, 100, 0, 0.5, "cosine") < 0.01


@given(
    steps=st.integers(1, 300),
    warmup=st.integers(0, 400),
    share=st.floats(0, 1),
    shape=st.sampled_from(["linear", "cosine"]),
)
def test_no_step_is_without_a_rate(steps, warmup, share, shape):
    assert all(0 < lr_scale(k, steps, warmup, share, shape) <= 1 for k in range(steps))


def test_the_average_is_the_weighted_sum_of_all_weights_seen():
    network = nn.Linear(3, 2)
    seen = [network.weight.detach().clone()]
    ema = EMA(network, decay=0.7)
    for step in range(12):
        with torch.no_grad():
            network.weight += torch.randn(2, 3)
        seen.append(network.weight.detach().clone())
        ema.update(step)

    decays = [min(0.7, (1 + k) / (10 + k)) for k in range(12)]
    share = torch.tensor([1.0, *(1 - d for d in decays)])
    for k, decay in enumerate(decays):
        share[: k + 1] *= decay
    expected = (share[:, None, None] * torch.stack(seen)).sum(0)
    torch.testing.assert_close(ema.weights["weight"], expected)
    assert share.sum() == pytest.approx(1)
    assert ema_decay(10**6, 0.7) == 0.7


def test_the_average_is_lent_to_the_network_and_taken_back():
    network = nn.Linear(3, 2)
    ema = EMA(network, decay=0.9)
    before = network.weight.detach().clone()
    with torch.no_grad():
        network.weight += 1
    ema.update(0)
    now, mean = network.weight.detach().clone(), ema.weights["weight"].clone()
    with ema.applied():
        assert torch.equal(network.weight, mean)
    assert torch.equal(network.weight, now)
    assert torch.equal(ema.weights["weight"], mean)
    assert not torch.equal(now, before)
