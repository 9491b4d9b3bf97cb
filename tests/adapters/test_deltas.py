"""Each decomposition against its equation, and in a network against weights merged by hand."""

from copy import deepcopy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lora_files import same, state
from oracles import randomised, relative_error
from torch import Tensor, nn

from mezzotint.adapters.base import attached
from mezzotint.adapters.deltas import Delta, DoRA, Full, LoHa, LoKr, LoRA, rows
from mezzotint.adapters.lora import LoRAFile
from mezzotint.families.base import Part

LINEAR, CONV, SKIP, NORM = "linear", "conv", "skip", "norm"


class Toy(nn.Module):
    """A layer of each kind, in series."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8, bias=False)
        self.norm = nn.GroupNorm(2, 8)
        self.conv = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.skip = nn.Conv2d(8, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x.flatten(2).transpose(1, 2)).transpose(1, 2).view(x.shape)
        return self.skip(self.conv(self.norm(x)))


def toy() -> dict[str, Part]:
    """Without published names: a file has ours."""
    torch.manual_seed(1)
    return {"network": Part(randomised(Toy().double()).requires_grad_(False), ())}


def run(parts: dict[str, Part]) -> Tensor:
    torch.manual_seed(2)
    return parts["network"].module(torch.randn(2, 8, 5, 6, dtype=torch.float64))


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64) / 3


def file_of(layer: str, **tensors: Tensor) -> dict[str, Tensor]:
    return {f"lora_unet_{layer}.{name.replace('__', '.')}": t for name, t in tensors.items()}


def cases() -> dict[str, tuple[dict[str, Tensor], str, Tensor]]:
    """A file, the tensor of ours that it changes, and ΔW of its weight, by naive loops."""
    torch.manual_seed(0)
    r, alpha = 2, torch.tensor(3.0)
    found: dict[str, tuple[dict[str, Tensor], str, Tensor]] = {}

    up, down, mid = draw(8, r, 1, 1), draw(r, 8, 1, 1), draw(r, r, 3, 3)
    change = torch.zeros(8, 8, 3, 3, dtype=torch.float64)
    for a in range(r):
        for b in range(r):
            outer = up[:, a, 0, 0][:, None] * down[b, :, 0, 0][None]
            change += outer[:, :, None, None] * mid[a, b]
    names = {"lora_up__weight": up, "lora_down__weight": down, "lora_mid__weight": mid}
    found["lora-tucker"] = file_of(CONV, **names, alpha=alpha), CONV, change * 3 / r

    up, down = draw(16, r), draw(r, 8)
    found["lora-linear-on-1x1"] = (
        file_of(SKIP, lora_up__weight=up, lora_down__weight=down),
        SKIP,
        (up @ down)[:, :, None, None],
    )

    for layer, inside in ((LINEAR, 8), (CONV, 72)):
        w1a, w1b, w2a, w2b = draw(8, r), draw(r, inside), draw(8, r), draw(r, inside)
        change = torch.zeros(8, inside, dtype=torch.float64)
        for o in range(8):
            for i in range(inside):
                change[o, i] = (w1a[o] * w1b[:, i]).sum() * (w2a[o] * w2b[:, i]).sum()
        factors = {"hada_w1_a": w1a, "hada_w1_b": w1b, "hada_w2_a": w2a, "hada_w2_b": w2b}
        tensors = file_of(layer, **factors, alpha=alpha)
        found[f"loha-{inside}"] = tensors, layer, (change * 3 / r).view(8, 8, *[3, 3][: inside - 8])

    left, right = draw(2, 4), draw(4, 2)
    change = torch.zeros(8, 8, dtype=torch.float64)
    for o in range(8):
        for i in range(8):
            change[o, i] = left[o // 4, i // 2] * right[o % 4, i % 2]
    found["lokr"] = file_of(LINEAR, lokr_w1=left, lokr_w2=right, alpha=alpha), LINEAR, change
    a, b = draw(4, r), draw(r, 2)
    change = torch.einsum("ab,cd->acbd", left, a @ b).reshape(8, 8) * 3 / r
    tensors = file_of(LINEAR, lokr_w1=left, lokr_w2_a=a, lokr_w2_b=b, alpha=alpha)
    found["lokr-right"] = tensors, LINEAR, change
    a1, b1 = draw(2, r), draw(r, 4)
    change = torch.einsum("ab,cd->acbd", a1 @ b1, right).reshape(8, 8) * 3 / r
    tensors = file_of(LINEAR, lokr_w1_a=a1, lokr_w1_b=b1, lokr_w2=right, alpha=alpha)
    found["lokr-left"] = tensors, LINEAR, change
    wide = draw(4, 2, 3, 3)
    change = torch.einsum("ab,cdhw->acbdhw", left, wide).reshape(8, 8, 3, 3)
    found["lokr-conv"] = file_of(CONV, lokr_w1=left, lokr_w2=wide), CONV, change

    found["diff"] = file_of(CONV, diff=(full := draw(8, 8, 3, 3))), CONV, full
    found["norm"] = file_of(NORM, w_norm=(full := draw(8))), NORM, full
    return found


CASES = cases()


def with_weight(parts: dict[str, Part], name: str, weight: Tensor) -> dict[str, Part]:
    module = deepcopy(parts["network"].module)
    module.get_parameter(name).data = weight
    return {**parts, "network": Part(module, parts["network"].maps)}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_a_layer_is_changed_as_the_equation_says(name: str, fused: bool) -> None:
    parts = toy()
    tensors, layer, change = CASES[name]
    weight = f"{layer}.weight"
    before, plain = state(parts), run(parts)
    merged = before[f"network.{weight}"] + 0.7 * change
    expected = run(with_weight(parts, weight, merged))
    with attached(parts, [LoRAFile("file", tensors, scale=0.7, fused=fused)]):
        assert relative_error(run(parts), expected) <= 1e-10
    assert same(state(parts), before)
    assert relative_error(plain, expected) > 1e-6


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("layer", [LINEAR, CONV])
@pytest.mark.parametrize("by", ["rows", "columns", "peft"])
def test_dora_gives_rows_or_columns_their_norms(by: str, layer: str, fused: bool) -> None:
    parts = toy()
    name = f"{layer}.weight"
    weight = parts["network"].module.get_parameter(name).clone()
    up, down = draw(8, 2), draw(2, *weight.shape[1:])
    magnitude = draw(8).abs() + 1
    merged = (weight + 3 / 2 * (up @ down.flatten(1)).view_as(weight)).transpose(0, 1).clone()
    merged = merged if by == "columns" else merged.transpose(0, 1)
    for k in range(8):
        merged[k] *= magnitude[k] / merged[k].norm()
    merged = merged.transpose(0, 1) if by == "columns" else merged
    if by == "peft":
        stored = {"lora_magnitude_vector": magnitude}
    else:
        shape = (1, 8) if by == "columns" else (8, 1)
        stored = {"dora_scale": magnitude.reshape(*shape, *[1] * (weight.ndim - 2))}
    factors = {"lora_up__weight": up, "lora_down__weight": down, "alpha": torch.tensor(3.0)}
    tensors = file_of(layer, **factors, **stored)
    halfway = weight + 0.5 * (merged - weight)
    for scale, wanted in ((1.0, merged), (0.5, halfway)):
        expected = run(with_weight(parts, name, wanted))
        with attached(parts, [LoRAFile("file", tensors, scale=scale, fused=fused)]):
            assert relative_error(run(parts), expected) <= 1e-10


@pytest.mark.parametrize("first_fused", [False, True])
@pytest.mark.parametrize("second_fused", [False, True])
def test_dora_normalises_the_weight_without_other_adapters(
    first_fused: bool, second_fused: bool
) -> None:
    parts = toy()
    factors = {"lora_up__weight": draw(8, 2), "lora_down__weight": draw(2, 8)}
    tensors = file_of(LINEAR, **factors)
    dora = LoRAFile("dora", tensors | file_of(LINEAR, dora_scale=draw(8, 1)), fused=first_fused)
    plain = LoRAFile("plain", tensors, fused=second_fused)
    with attached(parts, [dora, plain]):
        one = run(parts)
    with attached(parts, [plain, dora]):
        assert torch.equal(run(parts), one)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", ["diff_b", "lora_B.bias"])
def test_biases_change_too(name: str, fused: bool) -> None:
    parts = toy()
    bias = parts["network"].module.get_parameter(f"{CONV}.bias")
    change = draw(8)
    expected = run(with_weight(parts, f"{CONV}.bias", bias + 0.5 * change))
    tensors = file_of(CONV, **{name.replace(".", "__"): change})
    if name == "lora_B.bias":
        tensors |= file_of(CONV, lora_B__weight=draw(8, 2), lora_A__weight=0 * draw(2, 8, 3, 3))
    with attached(parts, [LoRAFile("file", tensors, scale=0.5, fused=fused)]):
        assert relative_error(run(parts), expected) <= 1e-10


def decompositions() -> list[Delta]:
    lora = LoRA(draw(6, 2), draw(2, 5), 3.0)
    return [
        lora,
        LoHa((draw(6, 2), draw(6, 2)), (draw(2, 5), draw(2, 5)), 3.0),
        LoKr((draw(3, 1),), (draw(2, 2), draw(2, 5)), 3.0),
        Full(draw(6, 5)),
        DoRA(lora, draw(6, 1)),
    ]


@given(index=st.permutations(range(6)), number=st.integers(1, 6))
def test_rows_of_a_change_are_the_change_of_these_rows(index: list[int], number: int) -> None:
    torch.manual_seed(0)
    weight, places = draw(6, 5), torch.tensor(index[:number])
    for delta in decompositions():
        part = rows(delta, places, 6)
        assert part.fits((number, 5))
        expected = delta.delta(weight)[places]
        assert relative_error(part.delta(weight[places]), expected) <= 1e-12


@given(out=st.integers(1, 8), inside=st.integers(1, 8))
def test_a_change_fits_its_own_shape_alone(out: int, inside: int) -> None:
    for delta in decompositions():
        assert delta.fits((out, inside)) == ((out, inside) == (6, 5))


def test_rows_that_depend_on_each_other_are_not_told_apart() -> None:
    by_columns = DoRA(LoRA(draw(6, 2), draw(2, 5)), draw(1, 5))
    for delta in (by_columns, LoRA(draw(7, 2), draw(2, 5))):
        with pytest.raises(ValueError, match="rows"):
            rows(delta, torch.arange(3), 6)
