from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import randomised, relative_error
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.nn.memory import pairs

PARAMS = UNetParams(
    channels_in=3,
    channels_out=5,
    channels=(16, 32),
    blocks=2,
    depths=(0, 1),
    mid_depth=1,
    heads=(1, 4),
    context_width=12,
    y_width=6,
    groups=4,
    guided=False,
)


def inputs(b: int, h: int, w: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(h * 100 + w)

    def randn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return randn(b, 3, h, w), torch.arange(b) * 90.0, randn(b, 5, 12), randn(b, 6)


@given(h=st.integers(1, 11), w=st.integers(1, 11), levels=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_any_size_comes_back(h: int, w: int, levels: int) -> None:
    params = replace(
        PARAMS, channels=(16, 16, 32)[:levels], depths=(0, 1, 1)[:levels], heads=(1, 2, 4)[:levels]
    )
    x, t, context, y = inputs(2, h, w)
    assert UNet(params).double()(x, t, context, y).shape == (2, 5, h, w)


def test_patches_are_channels_to_the_network_inside() -> None:
    outer = randomised(UNet(replace(PARAMS, patch=2))).double()
    inner = UNet(replace(PARAMS, channels_in=12, channels_out=20)).double()
    inner.load_state_dict(outer.state_dict())
    x, t, context, y = inputs(2, 6, 8)
    patches = x.reshape(2, 3, 3, 2, 4, 2).permute(0, 1, 3, 5, 2, 4).reshape(2, 12, 3, 4)
    out = inner(patches, t, context, y)
    pixels = out.reshape(2, 5, 2, 2, 3, 4).permute(0, 1, 4, 2, 5, 3).reshape(2, 5, 6, 8)
    assert relative_error(outer(x, t, context, y), pixels) < 1e-12


def test_where_pixels_only_read_the_prompt_none_sees_another() -> None:
    """One pixel's change stays within reach of the convolutions, unless pixels attend."""
    params = replace(PARAMS, channels=(16,), depths=(1,), heads=(4,), mid_depth=0, y_width=0)
    x, t, context, _ = inputs(1, 40, 40)
    there = x.clone()
    there[..., 0, 0] += 1

    def reach(params: UNetParams) -> float:
        network = randomised(UNet(params)).double()
        # normalisation sees the whole map too; a single group's statistics are held still
        for module in network.modules():
            if isinstance(module, nn.GroupNorm):
                module.forward = lambda h: h  # type: ignore[method-assign]
        return (network(x, t, context) - network(there, t, context))[..., -8:, -8:].abs().max()

    assert reach(replace(params, cross_only=(0,))) == 0
    assert reach(params) > 0
    far = context.clone()
    far[:, 0] += 1
    network = randomised(UNet(replace(params, cross_only=(0,)))).double()
    assert (network(x, t, context) - network(x, t, far)).abs().min() > 0


def test_a_fresh_network_predicts_zero() -> None:
    assert not UNet(PARAMS).double()(*inputs(2, 8, 8)).any()


def test_every_weight_matters() -> None:
    network = randomised(UNet(PARAMS)).double()
    network(*inputs(2, 8, 8)).square().sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


def test_every_input_matters() -> None:
    network = randomised(UNet(PARAMS)).double()
    given_inputs = inputs(1, 8, 8)
    out = network(*given_inputs)
    for i, value in enumerate(given_inputs):
        changed = [*given_inputs]
        changed[i] = value + 1
        assert relative_error(network(*changed), out) > 1e-3


def test_an_image_does_not_see_its_batch() -> None:
    network = randomised(UNet(PARAMS)).double()
    x, t, context, y = inputs(3, 6, 8)
    together = network(x, t, context, y)
    alone = torch.cat([network(x[[k]], t[[k]], context[[k]], y[[k]]) for k in range(3)])
    assert relative_error(alone, together) < 1e-12


def test_context_is_a_set() -> None:
    network = randomised(UNet(PARAMS)).double()
    x, t, context, y = inputs(1, 8, 8)
    assert relative_error(network(x, t, context.flip(1), y), network(x, t, context, y)) < 1e-12


def test_channels_last_changes_nothing() -> None:
    network = randomised(UNet(PARAMS)).double()
    x, t, context, y = inputs(2, 8, 6)
    plain = network(x, t, context, y)
    network.to(memory_format=torch.channels_last)
    out = network(x.contiguous(memory_format=torch.channels_last), t, context, y)
    assert relative_error(out, plain) < 1e-12


def test_y_is_given_exactly_where_it_is_read() -> None:
    x, t, context, y = inputs(1, 4, 4)
    with pytest.raises(InputError, match="y_width 6: the vector y is missing"):
        UNet(PARAMS).double()(x, t, context)
    with pytest.raises(InputError, match="y_width 0: the vector y was given"):
        UNet(replace(PARAMS, y_width=0)).double()(x, t, context, y)


def test_guidance_is_given_exactly_where_it_is_read() -> None:
    x, t, context, y = inputs(1, 4, 4)
    scale = torch.tensor([4.0])
    with pytest.raises(InputError, match="guided True: the guidance scale is missing"):
        UNet(replace(PARAMS, guided=True)).double()(x, t, context, y)
    with pytest.raises(InputError, match="guided False: the guidance scale was given"):
        UNet(PARAMS).double()(x, t, context, y, scale)


def test_every_residual_matters_and_zeros_do_not() -> None:
    network = randomised(UNet(PARAMS)).double()
    x, t, context, y = inputs(1, 8, 6)
    out = network(x, t, context, y)
    time, read = network.embed(t, y, None, x.dtype), pairs(network.memory(context))
    features = network.contract(network.conv_in(x), time, read)
    assert [feature.shape[1] for feature in features] == [*PARAMS.skips, PARAMS.channels[-1]]
    none = [torch.zeros_like(feature) for feature in features]
    assert torch.equal(network(x, t, context, y, residuals=none), out)
    for k, feature in enumerate(features):
        one = [*none]
        one[k] = torch.ones_like(feature)
        assert relative_error(network(x, t, context, y, residuals=one), out) > 1e-4


@pytest.mark.parametrize("depths", [(1, 1), (0, 2)])
def test_what_is_remembered_of_a_prompt_changes_no_bit(depths: tuple[int, int]) -> None:
    network = randomised(UNet(replace(PARAMS, depths=depths, cross_only=(0,))))
    x, t, context, y = (each.float() for each in inputs(2, 6, 8))
    memory = network.memory(context)
    for time, seen in ((t, x), (t + 300, x[..., :4])):
        told = network(seen, time, context, y)
        assert torch.equal(network(seen, time, context * 0, y, memory=memory), told)
        other = network(seen, time, context, y, memory=network.memory(context + 1))
        assert not torch.equal(other, told)
    swapped = (*memory[2:4], *memory[:2], *memory[4:])  # as wide, and another block's
    assert not torch.equal(network(x, t, context, y, memory=swapped), network(x, t, context, y))


@pytest.mark.parametrize("field", ["channels", "depths", "heads"])
def test_each_level_is_described(field: str) -> None:
    with pytest.raises(InputError, match="one number a level"):
        replace(PARAMS, **{field: (1,)})
