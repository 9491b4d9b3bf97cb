import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.nn.embedding import sinusoidal


@given(value=st.floats(0, 1000), half=st.integers(1, 32))
def test_by_its_definition(value: float, half: int) -> None:
    embedded = sinusoidal(torch.tensor([[value]]), 2 * half)
    assert embedded.shape == (1, 1, 2 * half)
    for i in range(half):
        angle = value * 10000 ** (-i / half)
        assert embedded[0, 0, i].item() == pytest.approx(math.cos(angle), abs=1e-3)
        assert embedded[0, 0, half + i].item() == pytest.approx(math.sin(angle), abs=1e-3)
