"""Weights that compiled code takes as oneDNN lays them out: the result stays what it was."""

import pytest
import torch
from torch import Tensor, fx, nn

from mezzotint.engines.calls import taken, weights
from mezzotint.engines.compiled_program import traced
from mezzotint.engines.laid import Slot
from mezzotint.nn.precision import multiplies


@pytest.fixture(autouse=True)
def _drawn():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


class Net(nn.Module):
    """Weights that are read by one layer, by two that agree, and by something else as well."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Conv2d(4, 32, 3, padding=1)
        self.alone, self.twice = nn.Linear(32, 48), nn.Linear(48, 48, bias=False)
        self.tied = nn.Linear(48, 32, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.alone(self.map(x).flatten(2).mT)
        for _ in range(2):
            tokens = self.twice(tokens).tanh()
        return self.tied(tokens) + self.tied.weight.mean(0)[:32]


def graphed(network: nn.Module, x: Tensor) -> tuple[Tensor, list[Slot]]:
    """What the traced network makes of it, and how its weights are laid out for that."""
    graph, _, slots = traced(network, "forward", taken((x,), {}), int8=False)
    own = list(weights(network).values())
    values = [slot.lay(own[slot.weight])[slot.part] for slot in slots]
    (made,) = fx.Interpreter(graph).run(*values, x, enable_io_processing=False)
    return made, slots


def ways(network: nn.Module, slots: list[Slot]) -> dict[str, str]:
    """How each weight is laid out, by name."""
    return dict(zip(weights(network), [slot.way for slot in slots], strict=True))


@pytest.mark.skipif(not multiplies(torch.bfloat16, "cpu"), reason="oneDNN has no bfloat16 here")
def test_weights_are_laid_out_where_all_that_read_them_agree():
    network, x = Net().eval().bfloat16(), torch.randn(2, 4, 8, 8).bfloat16()
    made, slots = graphed(network, x)
    exact = network.float()(x.float())
    torch.testing.assert_close(made.float(), exact, rtol=0, atol=0.02)
    assert made.float().sub(exact).abs().mean() < 0.004 < exact.std()
    found = {name: way for name, way in ways(network, slots).items() if name.endswith("weight")}
    assert found == {
        "map.weight": "convolution",
        "alone.weight": "linear",
        "twice.weight": "linear",
        "tied.weight": "",
    }


def test_products_in_float32_are_left_to_pytorch():
    network, x = Net().eval(), torch.randn(2, 4, 8, 8)
    made, slots = graphed(network, x)
    torch.testing.assert_close(made, network(x), rtol=1e-5, atol=1e-6)
    assert {slot.way for slot in slots} == {"", "convolution"}


def test_a_weight_that_is_laid_out_counts():
    """The negative control: other numbers make other pictures."""
    network, x = Net().eval().bfloat16(), torch.randn(2, 4, 8, 8).bfloat16()
    made, _ = graphed(network, x)
    network.twice.weight.mul_(1.1)
    assert not torch.allclose(graphed(network, x)[0], made, rtol=0, atol=0.02)
