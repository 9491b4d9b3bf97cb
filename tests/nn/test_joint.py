import pytest
import torch
from torch import Tensor, nn

from mezzotint.nn.joint import JointBlock


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(
        torch.randn(shape, generator=generator) for shape in ((2, 3, 8), (2, 5, 8), (2, 8))
    )


def opened(**kinds: bool) -> JointBlock:
    torch.manual_seed(0)
    block = JointBlock(8, 2, normed=True, **kinds)
    for part in (block.image, block.context):
        nn.init.normal_(part.modulation.linear.weight)
    return block


@pytest.mark.parametrize("dual", [False, True])
def test_begins_as_if_it_were_not_there(dual: bool) -> None:
    context, x, vector = inputs()
    context_after, x_after = JointBlock(8, 2, normed=True, dual=dual)(context, x, vector)
    assert torch.equal(context_after, context)
    assert torch.equal(x_after, x)


def test_each_stream_hears_the_other() -> None:
    context, x, vector = inputs()
    block = opened()
    context_after, x_after = block(context, x, vector)
    assert not torch.allclose(block(context, 2 + x.flip(2), vector)[0], context_after)
    assert not torch.allclose(block(context.flip(2), x, vector)[1], x_after)


def test_the_last_block_leaves_the_context_but_reads_it() -> None:
    context, x, vector = inputs()
    block = opened(last=True)
    context_after, x_after = block(context, x, vector)
    assert torch.equal(context_after, context)
    assert not torch.allclose(block(context.flip(2), x, vector)[1], x_after)
