"""LoRAs in training: which layers, of which size, and DoRA's first step."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from mezzotint.adapters.deltas import DoRA, LoRA
from mezzotint.adapters.lora import lora
from mezzotint.errors import InputError
from mezzotint.families.base import Model
from mezzotint.training.low_rank import LowRank, targeted


@pytest.fixture
def modules(tiny_model: Model) -> dict[str, nn.Module]:
    copies = deepcopy({name: tiny_model.modules[name] for name in ("network", "text")})
    return {name: module.eval() for name, module in copies.items()}


def drawn(modules: dict[str, nn.Module]) -> torch.Tensor:
    g = torch.Generator().manual_seed(5)
    context, y = modules["text"](torch.tensor([[0, 7, 9, 1]]))
    x = torch.randn(1, 4, 8, 8, generator=g)
    return modules["network"](x, torch.tensor([300.0]), context, y)


def shaken(changes: LowRank) -> LowRank:
    with torch.no_grad():
        for weight in changes.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return changes


@torch.no_grad()
@pytest.mark.parametrize("decomposed", [False, True])
@pytest.mark.parametrize("targets", ["attention", "linear", "all"])
def test_at_first_nothing_changes_to_the_bit(modules, targets, decomposed):
    before = drawn(modules)
    changes = LowRank(modules, 3, 7.0, targets, decomposed)
    assert torch.equal(drawn(modules), before)
    shaken(changes)
    after = drawn(modules)
    assert not torch.allclose(after, before, atol=1e-3)
    with changes.off():
        assert torch.equal(drawn(modules), before)
    assert torch.equal(drawn(modules), after)


def test_targets_are_nested_and_name_what_they_say(modules):
    names = {word: targeted(modules, word) for word in ("attention", "linear", "all")}
    for part, module in modules.items():
        attention, linear, whole = (set(names[word][part]) for word in names)
        assert attention < linear <= whole
        assert {name.rpartition(".")[2] for name in attention} == {"query", "key", "value", "out"}
        assert all(isinstance(module.get_submodule(name), nn.Linear) for name in linear)
        assert not any("feed" in name for name in attention)
    assert not any(name.startswith(("time", "vector")) for name in names["linear"]["network"])
    assert any(name.startswith("time") for name in names["all"]["network"])
    both = targeted(modules, "*.query, conv_in")
    assert "conv_in" in both["network"]
    assert both["text"] == ["layers.0.attend.query"]


def test_targets_that_are_no_layers(modules):
    with pytest.raises(InputError, match=r"targets 'atention' are no layers: give attention"):
        LowRank(modules, 3, targets="atention")


def test_the_strength_is_the_same_where_a_layer_has_fewer_rows(modules):
    changes = LowRank(modules, 16, 8.0).changes["network"]
    small = changes["conv_out.weight"]
    assert isinstance(small, LoRA)
    assert (small.rank, small.factor) == (4, 0.5)
    assert changes["conv_in.weight"].factor == 0.5


@pytest.mark.parametrize("decomposed", [False, True])
def test_all_that_is_new_learns_and_nothing_else(modules, decomposed):
    changes = shaken(LowRank(modules, 3, decomposed=decomposed))
    drawn(modules).square().sum().backward()
    layers = changes.changes["network"]
    own = [w for m in modules.values() for w in m.parameters()]
    assert all(weight.grad is None for weight in own)
    learnt = [w for delta in layers.values() for w in _tensors(delta)]
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in learnt)


def test_doras_gradient_holds_the_norm_still():
    """Section 4.3: ∂/∂V is m/‖W + V‖ times what it would be of a sum, the norm a constant."""
    layer = nn.Linear(5, 4, bias=False)
    changes = shaken(LowRank({"network": nn.Sequential(layer)}, 2, decomposed=True))
    (delta,) = changes.changes["network"].values()
    assert isinstance(delta, DoRA)
    x = torch.randn(3, 5)
    layer(x).sum().backward()
    ours = delta.direction.up.grad.clone()
    with torch.no_grad():
        norm = (layer.weight + delta.direction.delta(layer.weight)).norm(dim=1, keepdim=True)
    up = delta.direction.up.detach().requires_grad_()
    merged = layer.weight + up @ delta.direction.down.detach()
    (x @ (delta.magnitude.detach() / norm * merged).T).sum().backward()
    torch.testing.assert_close(ours, up.grad)
    with_norm = delta.direction.up.detach().requires_grad_()
    merged = layer.weight + with_norm @ delta.direction.down.detach()
    whole = delta.magnitude.detach() / merged.norm(dim=1, keepdim=True) * merged
    (x @ whole.T).sum().backward()
    assert not torch.allclose(ours, with_norm.grad, rtol=1e-2)


@pytest.mark.parametrize("form", ["kohya", "peft"])
@pytest.mark.parametrize("decomposed", [False, True])
@torch.no_grad()
def test_the_file_draws_the_same(modules, tiny_model, tmp_path, form, decomposed):
    changes = shaken(LowRank(modules, 3, 5.0, "linear", decomposed))
    changes.save(tmp_path / "cat.safetensors", tiny_model.parts, {}, form)
    fresh = {name: tiny_model.modules[name] for name in modules}
    injected = lora(tmp_path / "cat.safetensors").inject(tiny_model.parts)
    assert injected.report is not None
    assert not injected.report.unmatched
    assert not injected.report.misshaped
    torch.testing.assert_close(drawn(fresh), drawn(modules), atol=2e-3, rtol=2e-3)
    injected.eject()
    assert not torch.allclose(drawn(fresh), drawn(modules), atol=2e-2, rtol=2e-2)


def _tensors(delta: LoRA | DoRA) -> list[torch.Tensor]:
    if isinstance(delta, DoRA):
        assert isinstance(delta.direction, LoRA)
        return [delta.magnitude, *_tensors(delta.direction)]
    return [delta.up, delta.down]
