import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mezzotint.nn.attention import Attention, attend, to_map, to_tokens


def tensors(*shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]


@given(m=st.integers(1, 6), n=st.integers(1, 6), causal=st.booleans())
@settings(deadline=None)
def test_training_and_inference_attend_alike(m: int, n: int, causal: bool) -> None:
    n = m if causal else n
    query, key, value = tensors((2, 3, m, 4), (2, 3, n, 4), (2, 3, n, 4))
    inferred = attend(query, key, value, causal)
    trained = attend(query.requires_grad_(), key, value, causal)
    torch.testing.assert_close(trained, inferred)


@pytest.mark.parametrize("causal", [True, False])
def test_by_its_definition(causal: bool) -> None:
    query, key, value = tensors((1, 1, 5, 4), (1, 1, 5, 4), (1, 1, 5, 4))
    mixed = attend(query, key, value, causal)
    for i in range(5):
        seen = i + 1 if causal else 5
        weights = torch.exp(key[0, 0, :seen] @ query[0, 0, i] / 2)
        expected = weights @ value[0, 0, :seen] / weights.sum()
        torch.testing.assert_close(mixed[0, 0, i], expected)


def test_keys_and_values_of_a_context() -> None:
    cross = Attention(8, context_width=6, heads=2, bias=False).double()
    x, context = tensors((2, 5, 8), (2, 3, 6))
    key, value = cross.keys_values(context)
    assert key.shape == value.shape == (2, 2, 3, 4)
    torch.testing.assert_close(key[0, 1, 2], cross.key.weight[4:] @ context[0, 2])
    assert cross(x, (key, value)).shape == x.shape

    itself = Attention(8, context_width=8, heads=2, bias=True).double()
    torch.testing.assert_close(itself(x), itself(x, itself.keys_values(x)))
    assert (itself(x) - itself(x, itself.keys_values(x.flip(0)))).abs().max() > 1e-6


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_maps_and_tokens(layout: torch.memory_format) -> None:
    (x,) = tensors((2, 3, 4, 5))
    x = x.contiguous(memory_format=layout)
    tokens = to_tokens(x)
    torch.testing.assert_close(tokens[1, 7], x[1, :, 1, 2])
    assert torch.equal(to_map(tokens, x), x)
