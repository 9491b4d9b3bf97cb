"""What engines know of networks."""

import pytest
import torch
from torch import nn

from mezzotint.engines.base import eager, hooked, owner, state


def small() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()


def test_eager_is_the_network_itself():
    network, x = small(), torch.randn(5, 3)
    assert torch.equal(eager(network, x), network(x))


def put(network: nn.Sequential) -> None:
    network[0].weight.data = network[0].weight.data.clone()


def added(network: nn.Sequential) -> None:
    with torch.no_grad():
        network[2].bias += 1


def buffer(network: nn.Sequential) -> None:
    network[1].running_mean.add_(1)


@pytest.mark.parametrize("change", [put, added, buffer])
def test_state_tells_of_a_changed_weight(change):
    network = small()
    before = state(network)
    network(torch.randn(5, 3))
    assert state(network) == before
    change(network)
    assert state(network) != before


def test_weights_that_were_made_in_inference_mode_have_a_state():
    with torch.inference_mode():
        network = small()
        before = state(network)
        network(torch.randn(5, 3))
        assert state(network) == before
        put(network)
        assert state(network) != before


def test_a_place_in_memory_that_is_used_again_is_another_state():
    """As by LoRAs that are fused and taken out: the allocator may give the same place again."""
    weight = (network := small())[0].weight
    places, states = set(), set()
    while len(places) == len(states) < 10_000:  # until a place comes again
        weight.data = torch.full_like(weight, len(states))
        places.add(weight.data_ptr())
        before = len(states)
        states.add(state(network))
        assert len(states) == before + 1
    assert len(places) < len(states)


def test_hooks_are_seen_anywhere_and_only_while_they_are_there():
    network = small()
    assert not hooked(network)
    for register in (network[2].register_forward_hook, network.register_forward_pre_hook):
        handle = register(lambda *_: None)
        assert hooked(network)
        handle.remove()
        assert not hooked(network)


def test_the_owner_of_a_method_is_its_network():
    network = small()
    assert owner(network) is network
    assert owner(network[0].forward) is network[0]
    assert owner(len) is None
