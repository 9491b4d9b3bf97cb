"""The flow is a bijection, and its determinant is autograd's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import jacrev

from mezzotint.errors import InputError
from mezzotint.training.taxonomy.flow import Bijection, FlowParams
from mezzotint.training.taxonomy.kind import Shape

SHAPE = Shape(channels=2, side=4, told=3)


def bijection(seed: int, passes: int = 3) -> Bijection:
    """In float64, with weights that all do something."""
    torch.manual_seed(seed)
    made = Bijection(SHAPE, FlowParams(patches=2, passes=passes, depth=2, width=8, heads=2))
    for weight in made.parameters():
        torch.nn.init.normal_(weight, mean=float(weight.ndim == 1), std=0.3)
    return made.double().requires_grad_(False)


def latents(seed: int, b: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(b, 2, 4, 4, generator=generator, dtype=torch.float64)
    return x, torch.randn(b, 3, generator=generator, dtype=torch.float64)


@given(seed=st.integers(0, 2**30))
@settings(max_examples=10)
def test_the_inverse_undoes_it(seed: int):
    flow, (x, told) = bijection(seed), latents(seed)
    z, _ = flow(x, told)
    assert torch.allclose(flow.inverse(z, told), x, atol=1e-9)
    assert not torch.allclose(z, x, atol=1e-2)
    assert not torch.allclose(flow.inverse(z, -told), x, atol=1e-6)


@given(seed=st.integers(0, 2**30))
@settings(max_examples=5)
def test_the_determinant_is_that_of_the_jacobian(seed: int):
    flow, (x, told) = bijection(seed), latents(seed, b=1)
    _, log_det = flow(x, told)
    jacobian = jacrev(lambda x: flow(x, told)[0])(x).view(32, 32)
    assert log_det.item() == pytest.approx(torch.linalg.slogdet(jacobian).logabsdet.item())
    _, elsewhere = flow(x + 1, told)
    assert elsewhere.item() != pytest.approx(log_det.item(), abs=1e-4)


def test_a_pass_sees_earlier_patches_alone_and_the_next_the_later_ones():
    def reached(passes: int) -> torch.Tensor:
        flow, (x, told) = bijection(0, passes), latents(0, b=1)
        slopes = jacrev(lambda x: flow._cut(flow(x, told)[0]))(x)
        hit = slopes.abs().sum((0, 2, 3))  # (patch of z, c, h, w)
        return torch.stack([flow._cut(one[None])[0].sum(1) for one in hit]) > 0

    before = torch.ones(4, 4, dtype=torch.bool).tril()
    assert torch.equal(reached(1), before.flip(0))  # patches come out in the next pass's order
    assert reached(2).all()


def test_latents_that_do_not_part_are_named():
    with pytest.raises(InputError, match="side 6: it must be a multiple of the 4 patches"):
        Bijection(Shape(1, 6, 2), FlowParams(patches=4, passes=1, depth=1, width=8, heads=1))
