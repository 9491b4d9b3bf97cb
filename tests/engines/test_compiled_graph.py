"""What is changed in a traced network computes what it did before."""

import pytest
import torch
from torch import Tensor, fx, nn

from mezzotint.engines.compiled_graph import normalise_alone
from mezzotint.nn import cpu_norm
from mezzotint.nn.norm import Norm, NormSiLU, normalise
from mezzotint.nn.residual import Entry

OURS = torch.ops.mezzotint.normalise.default


class Twice(nn.Module):
    """A normalisation with a SiLU behind it, one without, and one of which two things are made."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = Entry(4, 16, 3, padding=1)
        self.first, self.second, self.third = NormSiLU(4, 16), Norm(2, 16), Norm(8, 16)
        for norm in (self.first, self.second, self.third):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        both = self.third(self.second(self.first(self.conv(x))))
        return both + torch.nn.functional.silu(both)


@torch.no_grad()
def traced(dtype: torch.dtype) -> tuple[nn.Module, fx.GraphModule, Tensor]:
    torch.manual_seed(0)
    network, x = Twice().to(dtype).eval(), torch.randn(2, 4, 16, 16, dtype=dtype)
    return network, torch.export.export(network, (x,)).module(check_guards=False), x


@pytest.fixture
def _there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a kernel that computes as PyTorch does."""

    def kernel(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool):
        return normalise(x.contiguous(), groups, weight, bias, eps, silu)

    monkeypatch.setattr(cpu_norm, "kernel", lambda: kernel)


@pytest.mark.usefixtures("_there")
@torch.no_grad()
def test_normalisations_in_bfloat16_are_ours_and_answer_as_before() -> None:
    network, graph, x = traced(torch.bfloat16)
    normalise_alone(graph)
    calls = graph.graph.find_nodes(op="call_function", target=OURS)
    assert [call.args[-1] for call in calls] == [True, False, False]
    assert "group_norm" not in str(graph.graph)
    torch.testing.assert_close(graph(x).float(), network.float()(x.float()), rtol=0.05, atol=0.05)


@pytest.mark.usefixtures("_there")
def test_other_dtypes_are_left_alone() -> None:
    _, graph, _ = traced(torch.float32)
    before = str(graph.graph)
    normalise_alone(graph)
    assert str(graph.graph) == before


def test_without_a_kernel_inductor_normalises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_norm, "kernel", lambda: None)
    _, graph, _ = traced(torch.bfloat16)
    normalise_alone(graph)
    assert not graph.graph.find_nodes(op="call_function", target=OURS)
