"""DeepCache's shallow pass, against a whole one that is given the same from below."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from oracles import randomised
from torch import Tensor
from unets import SMALL

from mezzotint.adapters.base import Run
from mezzotint.adapters.savings.deepcache import deepcache
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.models.dit import DiT, DiTParams
from mezzotint.models.unet import UNet

PLAIN = replace(SMALL["sd15"], channels=(32, 32), blocks=2, depths=(1, 1), heads=(1, 2), groups=4)
UNETS = {
    "plain": PLAIN,
    "patched": replace(PLAIN, patch=2, cross_only=(0,), blocks=1, y_width=6, guided=True),
    "one level": replace(PLAIN, channels=(32,), depths=(0,), heads=(1,)),
}


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


@pytest.fixture(params=UNETS)
def unet(request: pytest.FixtureRequest) -> UNet:
    return randomised(UNet(UNETS[request.param])).double()


def inputs(unet: UNet) -> list[Any]:
    """Everything that a U-Net can be given, with a ControlNet's residuals."""
    p = unet.params
    y = drawn(2, p.y_width) if p.y_width else None
    guidance = torch.tensor([3.0, 4.0], dtype=torch.float64) if p.guided else None
    args = [drawn(2, 4, 8, 12), torch.tensor([500.0, 500.0]), drawn(2, 5, 24), y, guidance]
    features = unet.contract
    found: list[Tensor] = []
    unet.contract = lambda *given: found.extend(features(*given)) or list(found)
    unet(*args)
    del unet.contract
    return [*args, [0.1 * torch.randn_like(each) for each in found]]


@pytest.mark.parametrize("blocks", [1, 2])
@torch.no_grad()
def test_between_full_steps_the_deep_features_are_those_of_the_last(
    unet: UNet, blocks: int
) -> None:
    first = inputs(unet)
    second = [drawn(2, 4, 8, 12), torch.tensor([400.0, 400.0]), *first[2:]]
    entry = unet.up[-1].blocks[-blocks]
    width = unet.params.skips[blocks - 1]
    seen: list[Tensor] = []
    handle = entry.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    whole, plain = unet(*first), unet(*second)
    handle.remove()

    def exchanged(_: object, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return torch.cat([seen[0][:, :-width], given[0][:, -width:]], dim=1), *given[1:]

    handle = entry.register_forward_pre_hook(exchanged)
    expected = unet(*second)
    handle.remove()

    injected, run = deepcache(2, blocks).inject({"network": Part(unet, ())}), Run()
    deep, found = [], []
    unet.mid[0].register_forward_hook(lambda *_: deep.append(1))
    for k, given in enumerate((first, second, second)):
        injected.run(run)
        injected.at(k / 4)
        found.append(unet(*given))
    injected.eject()
    assert torch.equal(found[0], whole)
    assert torch.equal(found[1], expected)
    assert torch.equal(found[2], plain)
    assert len(deep) == 2
    assert not torch.allclose(expected, plain)


def test_what_cannot_be_is_refused(unet: UNet) -> None:
    most = unet.params.blocks + 1
    for every, blocks in ((0, 1), (1.5, 1), (2, 0), (2, 1.5)):
        with pytest.raises(InputError, match="give a whole number from 1"):
            deepcache(every, blocks)
    with pytest.raises(InputError, match=f"finest level of this U-Net has {most}"):
        deepcache(2, most + 1).inject({"network": Part(unet, ())})
    dit = DiT(DiTParams(4, 2, 24, 2, 3, 20, 24, 6))
    with pytest.raises(InputError, match="for U-Nets, and this model is a DiT"):
        deepcache().inject({"network": Part(dit, ())})
