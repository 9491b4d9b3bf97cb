"""What stands for what adapters hold: it changes with every number, and with nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lora_files import DIALECTS, lora_file, sd15
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from mezzotint.adapters.contents import digest
from mezzotint.adapters.embedding import TextualInversion
from mezzotint.adapters.lora import lora
from mezzotint.families.base import Part

DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.int8]


@pytest.mark.parametrize("dtype", DTYPES)
@given(flat=st.integers(0, 11))
def test_every_number_counts(dtype: torch.dtype, flat: int):
    tensor = torch.arange(12.0).view(3, 4).to(dtype)
    other = tensor.clone()
    other.view(-1)[flat] = 0 if flat else 1
    assert digest({"a": tensor}) == digest({"a": tensor.clone()})
    assert digest({"a": tensor}) != digest({"a": other})


def test_names_shapes_dtypes_and_pictures_count():
    zeros, red = torch.zeros(2, 3), Image.new("RGB", (4, 2), "red")
    told = [
        digest({}),
        digest({"a": zeros}),
        digest({"b": zeros}),
        digest({"a": zeros.T}),
        digest({"a": zeros.double()}),
        digest({"a": zeros, "b": zeros}),
        digest({"a": zeros}, red),
        digest({"a": zeros}, red, red),
        digest({"a": zeros}, red.resize((2, 4))),
        digest({"a": zeros}, Image.new("RGB", (4, 2), "blue")),
    ]
    assert len(set(told)) == len(told)


def test_how_a_tensor_lies_in_memory_does_not_count():
    rows = torch.randn(3, 4)
    assert digest({"a": rows}) == digest({"a": rows.T.contiguous().T})


def test_a_lora_that_was_trained_anew_is_another(tmp_path: Path):
    """Of the same name, and as strong."""
    parts, file = sd15(), tmp_path / "oil.safetensors"

    def held(seed: int) -> tuple[object, str]:
        made = lora_file(DIALECTS["kohya"], parts, seed)
        save_file({name: t.contiguous() for name, t in made.items()}, file)
        injected = lora(file).inject(parts)
        injected.eject()
        return injected.told, injected.contents()

    first, again, other = held(0), held(0), held(1)
    assert first == again
    assert first[0] == other[0]
    assert first[1] != other[1]


def test_an_embedding_that_was_trained_anew_is_another(tiny_model):
    def held(fill: Callable[..., Tensor]) -> str:
        network = tiny_model.encoders[0].network
        width = network.tokens.embedding_dim
        parts = {"text": Part(network, ())}
        injected = TextualInversion("my-cat", {width: fill(2, width)}).inject(parts)
        injected.eject()
        return injected.contents()

    assert held(torch.zeros) == held(torch.zeros) != held(torch.ones)
