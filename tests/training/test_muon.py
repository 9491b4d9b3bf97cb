"""Muon against its definition in float64, and against AdamW where it is to be AdamW."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mezzotint.training import checkpoint
from mezzotint.training.ema import EMA
from mezzotint.training.exports import channels_last
from mezzotint.training.muon import ADAMS_RMS, MOMENTUM, Muon, decaying, orthogonal

LR, BETAS, DECAY = 0.01, (0.9, 0.99), 0.1


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 99))
def test_singular_values_come_near_one_and_directions_stay(rows, columns, seed):
    draw = torch.Generator().manual_seed(seed)
    u, _ = torch.linalg.qr(torch.randn(rows, rows, generator=draw, dtype=torch.float64))
    v, _ = torch.linalg.qr(torch.randn(columns, columns, generator=draw, dtype=torch.float64))
    n = min(rows, columns)
    s = 10 ** (-1.5 * torch.rand(n, generator=draw, dtype=torch.float64))
    (made,) = orthogonal((u[:, :n] * s @ v[:, :n].T)[None])
    seen = u[:, :n].T @ made @ v[:, :n]  # S of the result, in the old directions
    assert seen.diagonal().min() > 0.55
    assert seen.diagonal().max() < 1.35
    assert (seen - seen.diagonal().diag()).abs().max() < 0.1  # bfloat16's
    assert n == 1 or not torch.allclose(s / s.norm(), seen.diagonal(), atol=0.05)


class Net(nn.Module):
    """One weight of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(80, 72)
        self.first = nn.Conv2d(3, 72, 3, padding=1)
        self.kernel = nn.Conv2d(72, 80, 3, padding=1)
        self.norm = nn.GroupNorm(2, 80)
        self.matrix = nn.Linear(80, 72)
        self.last = nn.Linear(72, 4)

    def forward(self, x, words):
        h = self.first(x) + self.words(words)[:, :, None, None]
        h = self.norm(self.kernel(h)).mean((2, 3))
        return self.last(self.matrix(h).tanh())


def begun(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    return channels_last(Net())


def learn(network: Net, optimizer, step: int) -> None:
    draw = torch.Generator().manual_seed(step)
    x = torch.randn(2, 3, 6, 6, generator=draw)
    network(x, torch.tensor([step % 80, 5])).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_all_but_inner_matrices_are_adams_to_the_bit():
    network, other = begun(), begun()
    muon = Muon(network, LR, BETAS, DECAY)
    adam = torch.optim.AdamW(decaying(other, DECAY), lr=LR, betas=BETAS, fused=True)
    learn(network, muon, 0)
    learn(other, adam, 0)
    same = {
        name
        for (name, weight), twin in zip(network.named_parameters(), other.parameters(), strict=True)
        if torch.equal(weight, twin)
    }
    moved = {name for name, _ in network.named_parameters()} - same
    assert moved == {"kernel.weight", "matrix.weight"}


@pytest.mark.parametrize("name", ["kernel.weight", "matrix.weight"])
def test_a_step_is_the_definitions(name):
    network = begun()
    muon = Muon(network, LR, BETAS, DECAY)
    weight = dict(network.named_parameters())[name]
    momentum = torch.zeros_like(weight, dtype=torch.float64)
    for step in range(3):
        before = weight.detach().double()
        twin = copy.deepcopy(network)
        learn(twin, torch.optim.SGD(twin.parameters(), 0.0), step)
        draw = torch.Generator().manual_seed(step)
        x = torch.randn(2, 3, 6, 6, generator=draw)
        twin(x, torch.tensor([step % 80, 5])).square().mean().backward()
        gradient = dict(twin.named_parameters())[name].grad.double()
        learn(network, muon, step)
        momentum = MOMENTUM * momentum + (1 - MOMENTUM) * gradient
        ahead = (MOMENTUM * momentum + (1 - MOMENTUM) * gradient).flatten(1)
        length = LR * ADAMS_RMS * max(ahead.shape) ** 0.5
        moved = (weight.detach().double() - before * (1 - LR * DECAY)).flatten(1) / -length
        # in the directions of what is ahead, and nearly as far in each that it has
        u, s, vt = torch.linalg.svd(ahead, full_matrices=False)
        along = u.T @ moved @ vt.T
        assert (along - along.diagonal().diag()).abs().max() < 0.15
        large = s > 0.03 * s.norm()
        assert large.sum() >= 2
        assert along.diagonal()[large].min() > 0.55
        assert along.diagonal().max() < 1.35


def test_a_restored_run_goes_on_in_the_same_bits(tmp_path):
    def parts():
        network = begun()
        return network, EMA(network, 0.9), Muon(network, LR, BETAS, DECAY)

    network, ema, muon = parts()
    for step in range(3):
        learn(network, muon, step)
    checkpoint.save(tmp_path, 3, network, ema, muon)
    again, mean, restored = parts()
    assert checkpoint.restore(tmp_path, again, mean, restored, print) == 3
    for step in range(3, 5):
        learn(network, muon, step)
        learn(again, restored, step)
    for weight, twin in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(weight, twin)


def test_what_has_no_gradient_stays():
    network = begun()
    muon = Muon(network, LR, BETAS, DECAY)
    before = copy.deepcopy(network.state_dict())
    network.last(torch.ones(1, 72)).sum().backward()
    muon.step()
    moved = {
        name for name, weight in network.state_dict().items() if (weight != before[name]).any()
    }
    assert moved == {"last.weight", "last.bias"}
