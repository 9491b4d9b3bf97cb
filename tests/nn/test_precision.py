"""Half the bits on devices that do not multiply them: the same numbers, by way of float32."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from oracles import psnr
from torch import nn

import mezzotint as mz
from mezzotint.nn import precision

CPU = torch.device("cpu")
HALVES = [torch.bfloat16, torch.float16]
FOX = "a fox in the snow at night"


@pytest.fixture
def lacking(monkeypatch) -> None:
    """A processor that has products in float32 only."""
    monkeypatch.setattr(precision, "multiplies", lambda dtype, _: dtype == torch.float32)


def rounded(exact: Callable[..., torch.Tensor], *tensors: torch.Tensor) -> torch.Tensor:
    """What a function makes of numbers in float64, in the dtype that they came in."""
    return exact(*(each.double() for each in tensors)).to(tensors[0].dtype)


@pytest.mark.parametrize("dtype", HALVES)
def test_what_is_widened_is_rounded_once(lacking, dtype: torch.dtype):
    torch.manual_seed(0)
    x, weight, bias = (torch.randn(shape).to(dtype) for shape in ((5, 64), (32, 64), (32,)))
    made = precision.linear(x, weight, bias)
    assert made.dtype == dtype
    torch.testing.assert_close(made, rounded(F.linear, x, weight, bias), rtol=0, atol=2**-6)
    assert (made == rounded(F.linear, x, weight, bias)).float().mean() > 0.99
    by_parts = sum(F.linear(x[:, k : k + 1], weight[:, k : k + 1]) for k in range(64)) + bias
    assert (by_parts == rounded(F.linear, x, weight, bias)).float().mean() < 0.9


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("how", [(1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 2, 2)])
def test_convolutions_too(lacking, dtype: torch.dtype, how: tuple[int, ...]):
    torch.manual_seed(0)
    x, weight = torch.randn(2, 8, 9, 9).to(dtype), torch.randn(4, 8 // how[3], 3, 3).to(dtype)
    made = precision.conv2d(x, weight, None, *how)
    exact = rounded(lambda x, weight: F.conv2d(x, weight, None, *how), x, weight)
    assert made.dtype == dtype
    assert (made == exact).float().mean() > 0.99


def test_layers_stay_what_they_are(lacking):
    network = nn.Sequential(nn.Linear(4, 4), nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))
    network.bfloat16()
    seen = []
    network[0].register_forward_hook(lambda *call: seen.append(call))
    names = [name for name, _ in network.named_parameters()]
    precision.widen(network)
    network.float()
    assert [name for name, _ in network.named_parameters()] == names
    assert all(map(isinstance, network, (nn.Linear, nn.Conv2d)))
    x = torch.randn(2, 1, 4, 4)
    assert torch.equal(network(x), network[1](F.linear(x, network[0].weight, network[0].bias)))
    assert len(seen) == 1


def test_float32_is_left_alone(lacking):
    network = nn.Sequential(nn.Linear(4, 4))
    precision.widen(network)
    assert type(network[0]) is nn.Linear


def test_autocast_is_for_devices_that_have_it(lacking):
    with precision.autocast(CPU):
        assert not torch.is_autocast_enabled("cpu")


def test_autocast_is_left_out_where_it_is_not_wanted(monkeypatch):
    monkeypatch.setattr(precision, "multiplies", lambda *_: True)
    for wanted in (True, False):
        with precision.autocast(CPU, wanted):
            assert torch.is_autocast_enabled("cpu") == wanted


@pytest.mark.parametrize("low_memory", [False, True])
def test_every_network_of_a_model_is_widened(lacking, low_memory: bool):
    pipe = mz.load(dtype="bf16", engine="eager", low_memory=low_memory)
    model = pipe.model
    for network in model.modules.values():
        kinds = {type(module) for module in network.modules()}
        assert not kinds & {nn.Linear, nn.Conv2d}
    assert next(model.network.parameters()).dtype == torch.bfloat16
    exact = mz.load(engine="eager").generate(FOX, seed=1, steps=2).latents
    assert psnr(pipe.generate(FOX, seed=1, steps=2).latents, exact) > 35
