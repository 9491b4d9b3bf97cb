import pytest
import torch
from torch import Tensor

from mezzotint.nn import transformer
from mezzotint.nn.transformer import GatedFeedForward


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens are fed forward at once, of at most three."""
    monkeypatch.setattr(transformer, "TOKENS", 3)
    counts: list[int] = []
    applied = GatedFeedForward._applied

    def counting(self: GatedFeedForward, x: Tensor) -> Tensor:
        counts.append(x.shape[:-1].numel())
        return applied(self, x)

    monkeypatch.setattr(GatedFeedForward, "_applied", counting)
    return counts


def test_tokens_are_fed_forward_a_few_at_a_time_to_the_same(counted: list[int]) -> None:
    torch.manual_seed(0)
    layer, x = GatedFeedForward(8, 32).double(), torch.randn(2, 4, 8).double()
    learning = layer(x)
    assert counted == [8]
    with torch.no_grad():
        torch.testing.assert_close(layer(x), learning)
        assert counted == [8, 3, 3, 2]
        assert not torch.allclose(layer(x.flip(1)), learning)
        assert layer(x[:, :0]).shape == (2, 0, 8)
