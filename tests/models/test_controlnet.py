"""ControlNets that several kinds of pictures share, on U-Nets with patches and without."""

from dataclasses import replace

import pytest
import torch
from oracles import randomised, relative_error
from torch import Tensor
from unets import SMALL

from mezzotint.errors import InputError
from mezzotint.families.sizes.storybook_presets import SIZES
from mezzotint.models.controlnet import FACTOR, ONE, ControlNet, ControlNetParams
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.nn.init import unfilled
from mezzotint.nn.memory import pairs

KINDS = ("edges", "depth", "boxes")
PATCHED = replace(
    SIZES.unet, channels=(32, 64), heads=(2, 4), context_width=24, y_width=12, groups=2
)
BASES = {
    "sd15": replace(SMALL["sd15"], channels=(32, 32), depths=(0, 1), heads=(8, 8)),
    "sdxl": replace(SMALL["sdxl"], channels=(32, 64), depths=(0, 1), mid_depth=1, heads=(1, 2)),
    "lcm": replace(SMALL["lcm"], channels=(32, 32), depths=(1, 1), heads=(8, 8)),
    "patched": PATCHED,
}
SIDE = 8


def given(params: UNetParams) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    x, t = torch.randn(3, params.channels_in, SIDE, SIDE), torch.tensor([20.0, 500.0, 900.0])
    y = torch.randn(3, params.y_width) if params.y_width else None
    return x, t, torch.randn(3, 5, params.context_width), y


def images() -> Tensor:
    return torch.rand(3, 3, FACTOR * SIDE, FACTOR * SIDE)


def steered(unet: UNet, control: ControlNet, kinds: Tensor, pictures: Tensor) -> tuple[Tensor, ...]:
    """What the U-Net says without, and with, the control."""
    torch.manual_seed(3)
    x, t, context, y = given(unet.params)
    guidance = torch.full((3,), 5.0) if unet.params.guided else None
    with torch.no_grad():
        residuals = control(x, t, context, control.hint(pictures, kinds), y)
        plain = unet(x, t, context, y, guidance)
        return plain, unet(x, t, context, y, guidance, residuals)


@pytest.mark.parametrize(
    ("name", "middle"),
    [("sd15", True), ("sdxl", True), ("lcm", True), ("patched", True), ("patched", False)],
)
def test_nothing_is_changed_before_training_to_the_bit(name: str, middle: bool) -> None:
    unet = randomised(UNet(BASES[name]))
    control = ControlNet.of(unet, KINDS, middle=middle)
    kinds = torch.tensor([2, 0, 1])
    plain, same = steered(unet, control, kinds, images())
    assert torch.equal(plain, same)
    torch.nn.init.normal_(control.zeros[1].weight, std=0.1)
    plain, changed = steered(unet, control, kinds, images())
    assert relative_error(changed, plain) > 1e-4


@pytest.mark.parametrize("name", ["lcm", "patched"])
def test_it_begins_as_a_copy_of_the_first_half(name: str) -> None:
    unet = randomised(UNet(BASES[name]))
    control = ControlNet.of(unet, (ONE,), middle=True)
    x, t, context, y = given(unet.params)
    guided = replace(BASES[name], guided=False)
    plain = UNet(guided)
    plain.load_state_dict({k: unet.state_dict()[k] for k in plain.state_dict()})
    with torch.no_grad():
        features, own = (
            net.contract(net.enter(x), net.embed(t, y, None, x.dtype), pairs(net.memory(context)))
            for net in (plain, control.copy)
        )
    assert all(torch.equal(a, b) for a, b in zip(own, features, strict=True))


@pytest.mark.parametrize("name", ["sd15", "patched"])
def test_a_hint_has_the_place_of_the_features(name: str) -> None:
    params = BASES[name]
    control = ControlNet(ControlNetParams(params, (ONE,), middle=False))
    side = SIDE // params.patch
    hint = control.hint(images(), torch.zeros(3, dtype=torch.int64))
    assert hint.shape == (3, params.channels[0], side, side)
    assert not hint.any()


def test_each_row_is_read_as_its_kind() -> None:
    control = randomised(ControlNet(ControlNetParams(PATCHED, KINDS, middle=False)))
    for hint in control.hints.values():  # one unlike the other
        torch.nn.init.normal_(hint[-1].bias)
    pictures = images()
    with torch.no_grad():
        mixed = control.hint(pictures, torch.tensor([2, 0, 2]))
        for row, kind in enumerate((2, 0, 2)):
            alone = control.hints[KINDS[kind]](pictures[row : row + 1])[0]
            assert relative_error(mixed[row], alone) < 1e-5
        wrong = control.hints[KINDS[1]](pictures[:1])[0]
    assert relative_error(mixed[0], wrong) > 1e-2


def test_where_nothing_of_the_control_matters_it_is_far() -> None:
    """A change in one corner of the picture reaches the hint there, and not the other corner."""
    control = randomised(ControlNet(ControlNetParams(PATCHED, (ONE,), middle=False)))
    kinds = torch.zeros(1, dtype=torch.int64)
    black = torch.zeros(1, 3, 128, 128)
    lit = black.clone()
    lit[..., :16, :16] = 1
    with torch.no_grad():
        change = (control.hint(lit, kinds) - control.hint(black, kinds)).abs().sum(1)[0]
    assert change[0, 0] > 1e-4
    assert not change[4:, 4:].any()


def test_the_shared_control_of_the_storybook_is_small_enough_to_ship() -> None:
    with unfilled():
        control = ControlNet(ControlNetParams(SIZES.unet, KINDS, middle=False))
    weights = control.state_dict().values()
    stored = sum(
        each.numel() + 4 * len(each) if each.ndim > 1 else 4 * each.numel() for each in weights
    )
    assert stored < 5e6


@pytest.mark.parametrize("kinds", [(), ("a", "a"), ("a.b",), ("",)])
def test_kinds_are_words(kinds: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="give words, each of them once"):
        ControlNetParams(PATCHED, kinds, middle=False)
