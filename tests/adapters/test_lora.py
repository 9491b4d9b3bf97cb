import itertools
from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from lora_files import DIALECTS, Dialect, lora_file, merged, run, same, sd15, sdxl, state
from oracles import relative_error
from torch import Tensor

from mezzotint.adapters.base import attached
from mezzotint.adapters.lora import LoRAFile, lora
from mezzotint.errors import InputError
from mezzotint.families.base import Part

KOHYA, SGM = DIALECTS["kohya"], DIALECTS["kohya-sgm"]


def few(parts: dict[str, Part], seed: int = 0) -> dict[str, Tensor]:
    """A file for one block of the network."""
    whole = lora_file(KOHYA, parts, seed)
    return {key: t for key, t in whole.items() if key.startswith("lora_unet_mid_block_")}


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_is_what_merging_by_hand_gives(name: str) -> None:
    dialect = DIALECTS[name]
    parts = dialect.model()
    tensors = lora_file(dialect, parts)
    plain, expected = run(parts), run(merged(dialect, parts, tensors, 0.7))
    assert relative_error(plain, expected) > 1e-2
    before = state(parts)
    for fused in (False, True):
        with attached(parts, [LoRAFile("file", tensors, scale=0.7, fused=fused)]) as (injected,):
            assert injected.report is not None
            assert not injected.report.unmatched
            assert not injected.report.misshaped
            assert relative_error(run(parts), expected) <= 1e-10
        assert same(state(parts), before)
    assert torch.equal(run(parts), plain)


def test_a_layer_more_shows() -> None:
    parts = sd15()
    tensors = lora_file(KOHYA, parts)
    expected = run(merged(KOHYA, parts, tensors, 1.0))
    one = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
    less = {key: tensor for key, tensor in tensors.items() if not key.startswith(one)}
    with attached(parts, [LoRAFile("file", less)]):
        assert relative_error(run(parts), expected) > 1e-6


@pytest.mark.parametrize("fused", [(False, False, False), (True, True, True), (False, True, False)])
def test_neither_the_order_of_stacking_nor_of_ejecting_matters(
    fused: tuple[bool, bool, bool],
) -> None:
    parts = sd15()
    before, plain = state(parts), run(parts)
    files = [LoRAFile(f"file {k}", few(parts, k), scale=0.5 + k, fused=fused[k]) for k in range(3)]
    expected = parts
    for k, file in enumerate(files):
        expected = merged(KOHYA, expected, file.tensors, 0.5 + k)
    stacked = []
    for order in itertools.permutations(files):
        injected = {file.name: file.inject(parts) for file in order}
        stacked.append(run(parts))
        for file in files:
            injected[file.name].eject()
        assert same(state(parts), before)
    assert torch.equal(run(parts), plain)
    assert relative_error(stacked[0], run(expected)) <= 1e-10
    assert all(torch.equal(stacked[0], other) for other in stacked)


def test_what_is_left_after_ejecting_one_is_the_other() -> None:
    parts = sd15()
    first, second = (LoRAFile(f"file {k}", few(parts, k), fused=bool(k)) for k in range(2))
    one = first.inject(parts)
    alone = run(parts)
    two = second.inject(parts)
    assert relative_error(run(parts), alone) > 1e-4
    two.eject()
    two.eject()  # a second time does nothing
    assert torch.equal(run(parts), alone)
    again = second.inject(parts)
    two.eject()
    assert relative_error(run(parts), alone) > 1e-4
    one.eject()
    again.eject()


@pytest.mark.parametrize("fused", [False, True])
def test_a_scale_may_follow_the_sampling(fused: bool) -> None:
    parts = sd15()
    tensors = few(parts)
    plain = run(parts)
    file = LoRAFile("file", tensors, scale=lambda progress: 1 - progress, fused=fused)
    with attached(parts, [file]) as (injected,):
        for progress in (0.0, 0.5, 0.25):
            injected.at(progress)
            expected = run(merged(KOHYA, sd15(), tensors, 1 - progress))
            assert relative_error(run(parts), expected) <= 1e-10
        injected.at(1.0)
        assert torch.equal(run(parts), plain)


def test_blocks_have_factors_of_their_own() -> None:
    parts = sd15()
    tensors = lora_file(KOHYA, parts)
    with attached(parts, [LoRAFile("file", few(parts), scale=0.5)]):
        expected = run(parts)
    blocks = {"network": 0.0, "network.mid": 0.5}
    with attached(parts, [LoRAFile("file", tensors, blocks=blocks)]):
        assert relative_error(run(parts), expected) <= 1e-10
    for wrong in ({"network.dwn": 1.0}, {"network.mid": float("nan")}):
        with pytest.raises(InputError, match="block 'network"):
            LoRAFile("file", tensors, blocks=wrong).inject(parts)


@pytest.mark.parametrize(("dialect", "model"), [(SGM, sd15), (KOHYA, sdxl)])
def test_a_file_for_another_model_is_refused(
    dialect: Dialect, model: Callable[[], dict[str, Part]]
) -> None:
    parts = model()
    before = state(parts)
    with pytest.raises(InputError, match=r"file: \d+ layers matched, ") as error:
        LoRAFile("file", lora_file(dialect, dialect.model())).inject(parts)
    assert "\n" not in str(error.value)
    assert same(state(parts), before)


@pytest.mark.parametrize(
    ("key", "width", "words"),
    [
        ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 2048, "Diffusion XL"),
        ("lora_unet_down_blocks_0_attentions_9_transformer_blocks_0_attn2_to_k", 768, "1.x"),
        ("lora_unet_down_blocks_0_attentions_9_transformer_blocks_0_attn2_to_v", 1024, "2.x"),
        ("transformer.single_transformer_blocks.0.attn.to_q", 3072, "FLUX.1"),
        ("lora_unet_joint_blocks_0_x_block_attn_qkv", 1536, "Stable Diffusion 3"),
        ("lora_unet_somewhere_else", 8, "no layers of a model that is known"),
    ],
)
def test_an_error_says_what_a_file_is_for(key: str, width: int, words: str) -> None:
    tensors = {
        f"{key}.lora_down.weight": torch.zeros(2, width),
        f"{key}.lora_up.weight": torch.zeros(width, 2),
    }
    with pytest.raises(InputError, match=rf"0 layers matched.*; it .*{words}"):
        LoRAFile("file", tensors).inject(sd15())


def test_what_is_no_adapter_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"0 layers matched, 1 unmatched \(model\.weight\); it does"
    ):
        LoRAFile("file", {"model.weight": torch.zeros(3)}).inject(sd15())
    maker = {"ss_base_model_version": "hunyuan"}
    with pytest.raises(InputError, match="made for hunyuan"):
        LoRAFile("file", {"model.weight": torch.zeros(3)}, maker).inject(sd15())


def test_a_report_lists_what_is_not_in_use() -> None:
    parts = sd15()
    tensors = lora_file(KOHYA, parts)
    conv = "lora_unet_conv_in"
    tensors[f"{conv}.lora_down.weight"] = torch.zeros(3, 9, 3, 3)  # an inpainting network's
    tensors["lora_unet_nowhere.lora_down.weight"] = torch.zeros(3, 4)
    tensors["lora_unet_nowhere.lora_up.weight"] = torch.zeros(4, 3)
    tensors["bundle_emb.cat.string_to_param.*"] = torch.zeros(1, 4)
    del tensors["lora_unet_conv_out.lora_up.weight"]
    with attached(parts, [LoRAFile("cat", tensors)]) as (injected,):
        report = injected.report
    assert report is not None
    assert report.misshaped == (conv,)
    assert set(report.unmatched) == {
        "lora_unet_nowhere",
        "lora_unet_conv_out",
        "bundle_emb.cat.string_to_param.*",
    }
    assert str(report).startswith(f"cat: {len(report.matched)} layers matched, 3 unmatched (")
    assert str(report).endswith(f", 1 mis-shaped ({conv})")


@pytest.mark.parametrize(
    "spoilt",
    [
        {"alpha": torch.tensor([1.0, 2.0])},
        {"alpha": torch.tensor(float("nan"))},
        {"lora_down.weight": torch.zeros(())},
        {"lora_down.weight": torch.zeros(0, 8)},
        {"lora_up.weight": torch.zeros(8, 5)},
        {"dora_scale": torch.zeros(3)},
        {"hada_w1_a": torch.zeros(3, 3)},
    ],
)
def test_spoilt_layers_are_left_out(spoilt: dict[str, Tensor]) -> None:
    parts = sd15()
    tensors = lora_file(KOHYA, parts)
    layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
    tensors |= {f"{layer}.{name}": tensor for name, tensor in spoilt.items()}
    with attached(parts, [LoRAFile("file", tensors)]) as (injected,):
        assert injected.report is not None
        lost = injected.report.unmatched + injected.report.misshaped
        assert lost == (() if "alpha" in spoilt else (layer,))
        assert run(parts).isfinite().all()


def test_a_scale_is_a_number() -> None:
    parts = sd15()
    with pytest.raises(InputError, match="file: scale nan is no number"):
        LoRAFile("file", lora_file(KOHYA, parts), scale=float("nan")).inject(parts)


def test_half_precision_weights_are_merged_in_float32() -> None:
    parts = sd15()
    dialect = KOHYA
    tensors = lora_file(dialect, parts)
    parts = {name: Part(part.module.half(), part.maps) for name, part in parts.items()}
    before = state(parts)
    exact = {name: Part(deepcopy(part.module).double(), part.maps) for name, part in parts.items()}
    expected = state(merged(dialect, exact, tensors, 1.0))
    with attached(parts, [LoRAFile("file", tensors, fused=True)]):
        now = state(parts)
    assert all(now[name].dtype == torch.float16 for name in now)
    assert (
        relative_error(
            torch.cat([t.flatten().double() for t in now.values()]),
            torch.cat([expected[name].flatten().double() for name in now]),
        )
        <= 2**-11
    )
    assert same(state(parts), before)


def test_gradients_reach_the_factors() -> None:
    parts = sd15()
    tensors = {
        key: t.requires_grad_("alpha" not in key) for key, t in lora_file(KOHYA, parts).items()
    }
    with attached(parts, [LoRAFile("file", tensors)]):
        network = parts["network"].module
        x, context = torch.randn(1, 4, 16, 16).double(), torch.randn(1, 5, 12).double()
        network(x, torch.tensor([3.0]).double(), context).square().sum().backward()
    factors = [t for key, t in tensors.items() if not key.endswith("alpha")]
    assert all(t.grad is not None and t.grad.abs().sum() > 0 for t in factors)
    assert all(weight.grad is None for weight in network.parameters())


def test_a_missing_file_is_an_input_error(tmp_path) -> None:
    with pytest.raises(InputError, match=r"no\.safetensors"):
        lora(tmp_path / "no.safetensors")
