"""The transformer against a slow one written out in loops, and what its parts promise."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import randomised, relative_error
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.models.dit import Block, DiT, DiTParams, turned
from mezzotint.nn.embedding import sinusoidal
from mezzotint.nn.rotary import rotate, rotation

PARAMS = DiTParams(
    channels=3, patch=2, width=24, blocks=2, heads=3, hidden=20, context_width=10, y_width=6
)


def inputs(b: int, h: int, w: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(h * 100 + w)

    def randn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return randn(b, 3, h, w), torch.arange(b) * 90.0, randn(b, 5, 10), randn(b, 6)


def network() -> DiT:
    return randomised(DiT(PARAMS)).double()


# against the formulas, one token and one head at a time


def normed(x: Tensor) -> Tensor:
    return (x - x.mean()) / (x.var(unbiased=False) + 1e-6).sqrt()


def spun(x: Tensor, row: int, column: int) -> Tensor:
    """One head's channels, turned: a quarter by the row and a quarter by the column, with as much
    of the other half."""
    half, out = len(x) // 2, x.clone()
    for i in range(half):
        place, k = (row, i) if i < half // 2 else (column, i - half // 2)
        angle = torch.tensor(place * 10000.0 ** (-2 * k / half), dtype=torch.float64)
        a, b = x[i], x[half + i]
        out[i] = a * angle.cos() - b * angle.sin()
        out[half + i] = b * angle.cos() + a * angle.sin()
    return out


def reference(net: DiT, x: Tensor, t: float, context: Tensor, y: Tensor, swap: bool) -> Tensor:
    """One picture (3, h, w); ``swap`` breaks it on purpose, by taking rows for columns."""
    p, w = net.params, {name: weight.detach() for name, weight in net.state_dict().items()}
    silu = torch.nn.functional.silu
    side = p.patch
    places = [(i, j) for i in range(x.shape[1] // side) for j in range(x.shape[2] // side)]

    def window(i: int, j: int) -> tuple[slice, ...]:
        return slice(None), slice(i * side, (i + 1) * side), slice(j * side, (j + 1) * side)

    def linear(name: str, value: Tensor) -> Tensor:
        bias = w.get(f"{name}.bias", torch.zeros((), dtype=torch.float64))
        return w[f"{name}.weight"] @ value + bias

    def heads(name: str, gain: str, value: Tensor) -> list[Tensor]:
        return [normed(head) * w[gain] for head in linear(name, value).chunk(p.heads)]

    def attention(name: str, told: list[Tensor], read: list[Tensor], turns: bool) -> list[Tensor]:
        queries = [heads(f"{name}.query", f"{name}.norm_query.weight", each) for each in told]
        keys = [heads(f"{name}.key", f"{name}.norm_key.weight", each) for each in read]
        if turns:
            at = [(j, i) if swap else (i, j) for i, j in places]
            queries = [[spun(q, *xy) for q in row] for row, xy in zip(queries, at, strict=True)]
            keys = [[spun(k, *xy) for k in row] for row, xy in zip(keys, at, strict=True)]
        values = [linear(f"{name}.value", each).chunk(p.heads) for each in read]
        mixed: list[Tensor] = []
        for query in queries:
            rows: list[Tensor] = []
            for h in range(p.heads):
                scores = [query[h] @ key[h] / len(key[h]) ** 0.5 for key in keys]
                shares = torch.stack(scores).softmax(0)
                rows.append(sum(s * v[h] for s, v in zip(shares, values, strict=True)))
            mixed.append(linear(f"{name}.out", torch.cat(rows)))
        return mixed

    told = sinusoidal(torch.tensor(t), 256).double()
    told = silu(linear("time.last", silu(linear("time.first", told))) + linear("vector", y))
    shared = linear("modulation", told).view(6, -1)
    tokens = [linear("patches", x[window(*place)].flatten()) for place in places]
    for n in range(p.blocks):
        name = f"blocks.{n}"
        shift, scale, gate, shift_feed, scale_feed, gate_feed = w[f"{name}.table"] + shared
        ready = [normed(each) * (1 + scale) + shift for each in tokens]
        own = attention(f"{name}.attend_self", ready, ready, turns=True)
        tokens = [each + gate * add for each, add in zip(tokens, own, strict=True)]
        gain, bias = w[f"{name}.norm_cross.weight"], w[f"{name}.norm_cross.bias"]
        asking = [normed(each) * gain + bias for each in tokens]
        seen = attention(f"{name}.attend_cross", asking, list(context), turns=False)
        tokens = [each + add for each, add in zip(tokens, seen, strict=True)]
        for k, each in enumerate(tokens):
            ready_one = normed(each) * (1 + scale_feed) + shift_feed
            value, opened = (linear(f"{name}.feed.{part}", ready_one) for part in ("value", "gate"))
            tokens[k] = each + gate_feed * linear(f"{name}.feed.out", value * silu(opened))
    shift, scale = w["table"] + told
    out = torch.zeros_like(x)
    for place, each in zip(places, tokens, strict=True):
        patch = linear("out", normed(each) * (1 + scale) + shift).view(-1, side, side)
        out[window(*place)] = patch
    return out


@pytest.mark.parametrize(("swap", "low", "high"), [(False, 0.0, 1e-6), (True, 1e-4, 1.0)])
@pytest.mark.parametrize("patch", [1, 2, 4])
def test_it_computes_what_is_written(patch: int, swap: bool, low: float, high: float) -> None:
    """With rows taken for columns it does not."""
    net = randomised(DiT(replace(PARAMS, patch=patch))).double()
    x, t, context, y = inputs(2, 2 * patch, 3 * patch)
    slow = torch.stack([reference(net, x[k], t[k].item(), context[k], y[k], swap) for k in (0, 1)])
    assert low <= relative_error(net(x, t, context, y), slow) < high


# rotary positions

DEEP = torch.float64
OFFSETS = st.tuples(st.integers(-30, 30), st.integers(-30, 30))


@given(shift=OFFSETS)
@settings(max_examples=20)
def test_scores_know_only_how_far_apart_places_are(shift: tuple[int, int]) -> None:
    query, key = torch.randn(2, 1, 2, 6, 8, dtype=DEEP)
    places = torch.randint(0, 16, (6, 2))
    moved = places + torch.tensor(shift)

    def scores(of_query: Tensor, of_key: Tensor) -> Tensor:
        turns = [rotation(each, (4, 4)) for each in (of_query, of_key)]
        return turned(query, turns[0]) @ turned(key, turns[1]).transpose(2, 3)

    here = scores(places, places)
    assert relative_error(scores(moved, moved), here) < 1e-6
    if any(shift):
        assert relative_error(scores(moved, places), here) > 1e-3


def test_channels_are_turned_as_elsewhere_but_for_their_order() -> None:
    x = torch.randn(2, 3, 5, 8)
    turn = rotation(torch.randint(0, 9, (5, 2)), (4, 4))
    interleaved = x.unflatten(3, (2, 4)).transpose(3, 4).flatten(3)
    theirs = rotate(interleaved, turn).unflatten(3, (4, 2)).transpose(3, 4).flatten(3)
    torch.testing.assert_close(turned(x, turn), theirs)


# the network as a whole


def test_a_fresh_block_lets_tokens_through_and_a_fresh_network_predicts_zero() -> None:
    block = Block(PARAMS)
    x, shared = torch.randn(2, 4, 24), torch.zeros(2, 6, 24)
    memory = block.attend_cross.keys_values(torch.randn(2, 5, 10))
    turn = rotation(torch.cartesian_prod(torch.arange(2), torch.arange(2)), (4, 4))
    assert torch.equal(block(x, shared, turn, memory), x)
    assert not torch.equal(block(x, shared + 1, turn, memory), x)
    assert not DiT(PARAMS).double()(*inputs(2, 8, 8)).any()


@given(h=st.integers(1, 6), w=st.integers(1, 6))
@settings(max_examples=15)
def test_any_even_size_comes_back(h: int, w: int) -> None:
    x, t, context, y = inputs(2, 2 * h, 2 * w)
    assert network()(x, t, context, y).shape == x.shape


def test_other_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="latent size 6x5: both must be multiples of 2"):
        network()(*inputs(1, 5, 6))
    with pytest.raises(InputError, match="width 24, 4 heads: the width must be a multiple of 4"):
        replace(PARAMS, heads=4)


def test_what_is_remembered_of_a_prompt_changes_no_bit() -> None:
    net = randomised(DiT(PARAMS))
    x, t, context, y = (each.float() for each in inputs(2, 6, 8))
    memory = net.memory(context)
    for time in (t, t + 300):
        assert torch.equal(net(x, time, context, y, memory), net(x, time, context, y))
    assert not torch.equal(net(x, t, context, y, net.memory(context + 1)), net(x, t, context, y))


def test_every_weight_and_every_input_matters() -> None:
    net, values = network(), inputs(1, 8, 8)
    out = net(*values)
    out.square().sum().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name
    for k, value in enumerate(values):
        changed = [*values]
        changed[k] = value + torch.randn_like(value)
        assert relative_error(net(*changed), out) > 1e-3


def test_an_image_does_not_see_its_batch_and_context_is_a_set() -> None:
    net, (x, t, context, y) = network(), inputs(3, 6, 8)
    together = net(x, t, context, y)
    alone = torch.cat([net(x[[k]], t[[k]], context[[k]], y[[k]]) for k in range(3)])
    assert relative_error(alone, together) < 1e-12
    assert relative_error(net(x, t, context.flip(1), y), together) < 1e-12
    assert relative_error(net(x, t, context.flip(0), y), together) > 1e-4
