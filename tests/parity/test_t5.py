"""T5's encoder against transformers' at equal random weights."""

from dataclasses import replace

import gguf
import pytest
import torch
from oracles import exact_norms, randomised, relative_error
from transformers.models.t5 import T5Config, T5EncoderModel
from transformers.models.t5.modeling_t5 import T5Attention, T5LayerNorm

from mezzotint.families.keys.original import parts
from mezzotint.families.keys.t5_keys import LLAMA, T5
from mezzotint.families.sizes.sd3_presets import T5_XXL
from mezzotint.models.t5 import T5Encoder, T5Params, buckets

SMALL = T5Params(
    vocabulary=99,
    width=32,
    layers=3,
    heads=3,
    head_width=8,
    hidden=48,
    buckets=12,
    distance=20,
)


def reference(params: T5Params) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=params.vocabulary,
            d_model=params.width,
            d_kv=params.head_width,
            d_ff=params.hidden,
            num_layers=params.layers,
            num_heads=params.heads,
            relative_attention_num_buckets=params.buckets,
            relative_attention_max_distance=params.distance,
            feed_forward_proj="gated-gelu",
        )
    )


def error(params: T5Params, dtype: torch.dtype) -> float:
    torch.manual_seed(1)
    theirs = randomised(reference(SMALL)).to(dtype)
    encoder = T5Encoder(params).to(dtype)
    encoder.load_state_dict(T5.to_ours(theirs.state_dict(), encoder.state_dict(), "reference"))
    if dtype == torch.float64:
        exact_norms(theirs, T5LayerNorm)
    tokens = torch.randint(0, 99, (2, 40))
    with torch.no_grad():
        return relative_error(encoder(tokens), theirs(tokens).last_hidden_state)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_equal_outputs(dtype: torch.dtype, bound: float) -> None:
    assert error(SMALL, dtype) <= bound


def test_other_distances_show() -> None:
    assert error(replace(SMALL, distance=30), torch.float64) > 1e-4


@pytest.mark.parametrize(("number", "distance"), [(32, 128), (12, 20), (16, 100)])
def test_equal_kinds_of_distance(number: int, distance: int) -> None:
    apart = torch.arange(-600, 601)
    theirs = T5Attention._relative_position_bucket(apart, num_buckets=number, max_distance=distance)
    assert torch.equal(buckets(apart, number, distance), theirs)


def test_full_size_has_the_published_names_and_shapes() -> None:
    with torch.device("meta"):
        theirs = reference(T5_XXL).state_dict()
        ours = T5Encoder(T5_XXL).state_dict()
    assert T5.to_ours(theirs, ours, "reference").keys() == ours.keys()
    written = T5.to_theirs(ours)
    del theirs["encoder.embed_tokens.weight"]  # tied to shared.weight
    assert {k: v.shape for k, v in written.items()} == {k: v.shape for k, v in theirs.items()}


def test_names_in_gguf_files_are_llamas() -> None:
    """By the table that llama.cpp's own converter renames with, and known by them again."""
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.T5ENCODER, T5_XXL.layers)
    with torch.device("meta"):
        ours = T5Encoder(T5_XXL).state_dict()
    renamed = {name: table.get_name(name, [".weight"]) for name in T5.to_theirs(ours)}
    written = LLAMA.to_theirs(ours)
    assert list(written) == list(renamed.values())
    found = parts({name: tuple(tensor.shape) for name, tensor in written.items()}, "t5.gguf")
    assert found["text"].kind == "t5"
    assert found["text"].keys.to_ours(written, ours, "t5.gguf").keys() == ours.keys()
