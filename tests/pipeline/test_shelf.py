"""Networks that take turns draw the same pictures, and leave memory when it is another's turn."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mezzotint.checkpoints.reader import open_tensors
from mezzotint.engines.base import eager
from mezzotint.families.base import Model
from mezzotint.files.pages import is_mapped
from mezzotint.pipeline import load
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.shelf import Shelf

FOX = "a fox in the snow"
CPU = torch.device("cpu")


def network(*sizes: int) -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes)))


def in_file(network: nn.Module, path: Path) -> None:
    """Let a network have its weights in a file."""
    save_file(network.state_dict(), path)
    tensors = open_tensors(path)
    for name, weight in network.named_parameters():
        weight.data = tensors[name]


@pytest.fixture
def pair(tmp_path: Path) -> list[nn.Sequential]:
    """Two networks with their weights in files."""
    made = [network(3, 50, 60), network(60, 40, 2)]
    for k, each in enumerate(made):
        in_file(each, tmp_path / f"{k}.safetensors")
    return made


def dtypes(network: nn.Module) -> list[torch.dtype]:
    return [weight.dtype for weight in network.parameters()]


def test_one_at_a_time_is_in_memory_but_for_its_first_weight(pair) -> None:
    one, other = pair
    numbers = [weight.clone() for weight in one.parameters()]
    shelf = Shelf(pair, CPU, torch.bfloat16)
    x = torch.randn(5, 3).bfloat16()
    with torch.no_grad():
        other(one(x))
    assert [is_mapped(weight) for weight in other.parameters()] == [False] * 4
    assert [is_mapped(weight) for weight in one.parameters()] == [False, True, True, True]
    for weight, number in zip(one.parameters(), numbers, strict=True):
        assert torch.equal(weight, number.to(weight.dtype))
    with torch.no_grad():
        again = shelf.engine(eager)(one.forward, x)
    assert dtypes(one) == [torch.bfloat16] * 4
    assert is_mapped(other[1].weight)
    assert torch.equal(again, one(x))


def test_what_the_file_has_as_it_is_computed_with_is_never_copied(pair) -> None:
    one, other = pair
    shelf = Shelf(pair, CPU, torch.float32)
    for each in (one, other, one):
        shelf.turn(each)
        assert all(is_mapped(weight) for network in pair for weight in network.parameters())


def replaced(weight: nn.Parameter) -> None:
    weight.data = weight.data + 1


def written_to(weight: nn.Parameter) -> None:
    with torch.no_grad():
        weight += 1


@pytest.mark.parametrize("change", [replaced, written_to])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("turn", [True, False])
def test_what_an_adapter_changes_stays(pair, change: Callable, dtype, turn: bool) -> None:
    one, other = pair
    shelf = Shelf(pair, CPU, dtype)
    shelf.turn(one if turn else other)
    weight = one[1].weight
    change(weight)
    changed = weight.clone()
    for each in (other, one):
        shelf.turn(each)
    assert weight.dtype == dtype
    assert torch.equal(weight, changed.to(dtype))


def test_what_an_adapter_gives_back_takes_turns_again(pair) -> None:
    one, other = pair
    shelf = Shelf(pair, CPU, torch.bfloat16)
    weight, number = one[1].weight, one[1].weight.clone()
    original = weight.data
    weight.data = original + 1
    shelf.turn(one)
    weight.data = original  # while the others are in their place
    shelf.turn(one)
    assert torch.equal(weight, number.bfloat16())
    shelf.turn(other)
    assert is_mapped(weight)


def copied(model: Model) -> Model:
    """The same with networks of its own."""
    return replace(
        model,
        network=deepcopy(model.network),
        autoencoder=deepcopy(model.autoencoder),
        encoders=deepcopy(model.encoders),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_pictures_are_the_same(tiny_model: Model, tmp_path: Path, dtype: torch.dtype) -> None:
    model = copied(tiny_model)
    for name, each in model.modules.items():
        in_file(each, tmp_path / f"{name}.safetensors")
    drawn, expected = (
        Pipeline(ready(own, eager, CPU, dtype), "tiny").generate(FOX, seed=1, steps=2)
        for ready, own in ((load._spared, model), (load._placed, copied(tiny_model)))
    )
    assert torch.equal(drawn.latents, expected.latents)
    assert dtypes(model.autoencoder) == [dtype] * len(dtypes(model.autoencoder))
    for each in (model.network, model.encoders[0].network):
        assert all(is_mapped(weight) for weight in list(each.parameters())[1:])


def test_placing_lets_go_of_each_weight_before_the_next(pair, monkeypatch) -> None:
    one, _ = pair
    told = []
    monkeypatch.setattr(load, "let_go", lambda tensor: told.append((tensor.dtype, dtypes(one))))
    load._place(one, CPU, torch.bfloat16)
    done, left = torch.bfloat16, torch.float32
    assert told == [(left, [done] * (k + 1) + [left] * (3 - k)) for k in range(4)]
    load._place(one, CPU, torch.bfloat16)
    assert len(told) == 4


def test_kernels_are_placed_as_convolutions_take_them_unless_they_stay_in_their_file(
    tmp_path: Path,
) -> None:
    apart, stays = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)
    in_file(stays, tmp_path / "one.safetensors")
    expected = apart.weight.detach().clone()
    for each in (apart, stays):
        load._place(each, CPU, torch.float32)
    assert apart.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(apart.weight, expected)
    assert is_mapped(stays.weight.data)
    load._place(stays, CPU, torch.bfloat16)
    assert stays.weight.is_contiguous(memory_format=torch.channels_last)
