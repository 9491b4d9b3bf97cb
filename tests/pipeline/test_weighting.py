"""Weights act on encodings as A1111 and ComfyUI say they do."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mezzotint.pipeline.weighting import interpolate, renormalise

few = settings(max_examples=20)


def encodings(seed, rows=2, n=5, d=4):
    draw = torch.Generator().manual_seed(seed)
    context, empty = (torch.randn(b, n, d, generator=draw) + 0.3 for b in (rows, 1))
    return context, torch.rand(rows, n, generator=draw) + 0.5, empty


@few
@given(seed=st.integers(0, 2**31))
def test_weights_of_one_change_nothing(seed):
    context, weights, empty = encodings(seed)
    ones = torch.ones_like(weights)
    assert torch.equal(renormalise(context, ones), context)
    assert torch.equal(interpolate(context, ones, empty), context)
    assert torch.equal(renormalise(context * 0, ones), context * 0)


@few
@given(seed=st.integers(0, 2**31))
def test_renormalising_keeps_each_rows_mean_and_its_tokens_directions(seed):
    context, weights, _ = encodings(seed)
    weighted = renormalise(context.double(), weights.double())
    plain = context.double() * weights.double()[..., None]
    torch.testing.assert_close(weighted.mean((1, 2)), context.double().mean((1, 2)))
    factor = weighted / plain  # one factor a row, beside the weights
    torch.testing.assert_close(factor, factor[:, :1, :1].expand_as(factor))
    assert not torch.allclose(plain.mean((1, 2)), weighted.mean((1, 2)))


@few
@given(seed=st.integers(0, 2**31))
def test_a_row_is_weighted_as_it_would_be_alone(seed):
    context, weights, empty = encodings(seed)
    alone = renormalise(context[1:], weights[1:])
    torch.testing.assert_close(renormalise(context, weights)[1:], alone)
    alone = interpolate(context[1:], weights[1:], empty)
    torch.testing.assert_close(interpolate(context, weights, empty)[1:], alone)


@few
@given(seed=st.integers(0, 2**31), weight=st.floats(-2, 3))
def test_interpolating_leads_from_the_empty_prompt_through_the_prompt(seed, weight):
    context, weights, empty = (x.double() for x in encodings(seed))
    weighted = interpolate(context, torch.full_like(weights, weight), empty)
    torch.testing.assert_close(weighted - empty, weight * (context - empty))
    nothing = interpolate(context, torch.zeros_like(weights), empty)
    assert torch.equal(nothing, empty.expand_as(context))


@few
@given(seed=st.integers(0, 2**31), token=st.integers(0, 4))
def test_interpolating_moves_only_the_weighted_token(seed, token):
    context, weights, empty = encodings(seed)
    weights = torch.ones_like(weights)
    weights[0, token] = 1.5
    moved = (interpolate(context, weights, empty) != context).any(-1)
    assert moved.nonzero().tolist() == [[0, token]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_encodings_keep_their_type(dtype):
    context, weights, empty = encodings(0)
    assert renormalise(context.to(dtype), weights).dtype == dtype
    assert interpolate(context.to(dtype), weights, empty.to(dtype)).dtype == dtype
