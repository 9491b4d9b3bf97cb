"""Adapters as diffusers and PEFT load the same files, and PEFT's own decompositions."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import FluxTransformer2DModel, UNet2DConditionModel
from diffusers.loaders import FluxLoraLoaderMixin, StableDiffusionLoraLoaderMixin
from oracles import randomised, relative_error
from peft import LoHaConfig, LoKrConfig, LoraConfig, inject_adapter_in_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mezzotint.adapters.base import attached
from mezzotint.adapters.deltas import LoRA
from mezzotint.adapters.lora import LoRAFile, lora
from mezzotint.adapters.save import save_lora
from mezzotint.families.base import Part
from mezzotint.families.keys import flux_original, sd_original
from mezzotint.families.keys.flux_keys import FLUX
from mezzotint.families.keys.sd_keys import UNET_POINTWISE
from mezzotint.families.sizes.flux_presets import FLUX_SCHNELL
from mezzotint.families.sizes.sd_presets import SD15_UNET
from mezzotint.models.flux import Flux
from mezzotint.models.unet import UNet

TARGETS = ["to_q", "attn2.to_v", "to_out.0", "proj_in", "conv1", "conv_shortcut", "linear_1"]
MAPS = UNET_POINTWISE, sd_original.unet(2, (True, True, True, False), pointwise=True)


def networks() -> tuple[UNet2DConditionModel, dict[str, Part]]:
    torch.manual_seed(0)
    reference = UNet2DConditionModel(
        block_out_channels=(8, 8, 16, 16),
        norm_num_groups=4,
        cross_attention_dim=12,
        attention_head_dim=2,
    )
    reference = randomised(reference).double()
    sizes = {"channels": (8, 8, 16, 16), "heads": (2, 2, 2, 2), "groups": 4, "context_width": 12}
    network = UNet(replace(SD15_UNET, **sizes)).double()
    state = UNET_POINTWISE.to_ours(reference.state_dict(), network.state_dict(), "reference")
    network.load_state_dict(state)
    return reference, {"network": Part(network, MAPS)}


def outputs(reference: nn.Module, parts: dict[str, Part]) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    x, t = torch.randn(1, 4, 16, 16).double(), torch.tensor([300])
    context = torch.randn(1, 5, 12).double()
    with torch.no_grad():
        return parts["network"].module(x, t, context), reference(x, t, context).sample


def adapted(reference: UNet2DConditionModel, seed: int = 0, **options: object) -> LoraConfig:
    """Give the reference a random adapter by PEFT itself."""
    torch.manual_seed(seed)
    config = LoraConfig(r=3, lora_alpha=6, target_modules=TARGETS, **options)  # pyright: ignore
    reference.add_adapter(config)
    for name, weight in reference.named_parameters():
        if "lora_" in name:
            weight.data = torch.randn_like(weight) / 8
    return config


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_rslora": True},
        {"use_dora": True},
        {"lora_bias": True},
        {"alpha_pattern": {"attn1.to_q": 12}},
    ],
)
def test_what_diffusers_saves(tmp_path: Path, options: dict[str, object]) -> None:
    reference, parts = networks()
    adapted(reference, **options)
    reference.save_lora_adapter(tmp_path, weight_name="cat.safetensors")
    assert relative_error(*outputs(reference, parts)) > 1e-3
    for fused in (False, True):
        with attached(parts, [lora(tmp_path / "cat.safetensors", fused=fused)]) as (injected,):
            assert injected.report is not None
            assert not injected.report.unmatched
            assert not injected.report.misshaped
            assert relative_error(*outputs(reference, parts)) <= 1e-10


def test_without_its_metadata_the_strength_would_be_another(tmp_path: Path) -> None:
    reference, parts = networks()
    adapted(reference)
    reference.save_lora_adapter(tmp_path, weight_name="cat.safetensors")
    file = LoRAFile("cat", load_file(tmp_path / "cat.safetensors"))
    with attached(parts, [file]):
        assert relative_error(*outputs(reference, parts)) > 1e-4


def kohya_file(parts: dict[str, Part], release: int) -> dict[str, Tensor]:
    keymap, module = parts["network"].maps[release], parts["network"].module
    tensors: dict[str, Tensor] = {}
    torch.manual_seed(0)
    for name, weight in keymap.to_theirs(module.state_dict()).items():
        layer, _, kind = name.rpartition(".")
        if kind != "weight" or weight.ndim == 1 or ("attentions" not in layer and release == 0):
            continue
        stem = "lora_unet_" + layer.replace(".", "_")
        up = torch.randn(len(weight), 3, *[1] * (weight.ndim - 2)) / 8
        tensors[f"{stem}.lora_up.weight"] = up
        tensors[f"{stem}.lora_down.weight"] = torch.randn(3, *weight.shape[1:]) / 8
        tensors[f"{stem}.alpha"] = torch.tensor(4.0)
    return tensors


@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_a_file_of_kohyas(tmp_path: Path, scale: float) -> None:
    reference, parts = networks()
    tensors = kohya_file(parts, 0)
    save_file(tensors, tmp_path / "cat.safetensors")
    theirs, alphas = StableDiffusionLoraLoaderMixin.lora_state_dict(tmp_path / "cat.safetensors")
    StableDiffusionLoraLoaderMixin.load_lora_into_unet(theirs, alphas, reference, "cat")
    reference.set_adapters("cat", scale)
    with attached(parts, [lora(tmp_path / "cat.safetensors", scale=scale)]):
        assert relative_error(*outputs(reference, parts)) <= 1e-10
    with attached(parts, [lora(tmp_path / "cat.safetensors", scale=scale + 0.1)]):
        assert relative_error(*outputs(reference, parts)) > 1e-4


def test_several_stacked(tmp_path: Path) -> None:
    reference, parts = networks()
    files: list[LoRAFile] = []
    for k in range(2):
        single, _ = networks()
        adapted(single, seed=k)
        single.save_lora_adapter(tmp_path, weight_name=f"{k}.safetensors")
        reference.load_lora_adapter(
            tmp_path, weight_name=f"{k}.safetensors", prefix=None, adapter_name=f"cat{k}"
        )
        files.append(lora(tmp_path / f"{k}.safetensors", scale=0.5 + k, fused=bool(k)))
    reference.set_adapters(["cat0", "cat1"], [0.5, 1.5])
    with attached(parts, files):
        assert relative_error(*outputs(reference, parts)) <= 1e-10


def test_diffusers_reads_what_we_save(tmp_path: Path) -> None:
    reference, parts = networks()
    file = LoRAFile("cat", kohya_file(parts, 0))
    changes, _ = file.changes(parts)
    save_lora(tmp_path / "cat.safetensors", changes, parts, "peft")  # pyright: ignore
    theirs, alphas = StableDiffusionLoraLoaderMixin.lora_state_dict(tmp_path / "cat.safetensors")
    StableDiffusionLoraLoaderMixin.load_lora_into_unet(theirs, alphas, reference, "cat")
    with attached(parts, [file]):
        assert relative_error(*outputs(reference, parts)) <= 1e-6


def test_a_flux_file_of_kohyas_with_fused_layers() -> None:
    torch.manual_seed(0)
    sizes = {"joint_blocks": 2, "single_blocks": 2, "context_width": 12, "y_width": 10}
    network = Flux(replace(FLUX_SCHNELL, width=16, heads=2, axes=(2, 2, 4), **sizes)).double()
    parts = {"network": Part(randomised(network), (FLUX, flux_original.FLUX))}
    tensors = kohya_file(parts, 1)
    changes, report = LoRAFile("cat", tensors).changes(parts)
    assert not report.unmatched
    assert not report.misshaped

    reference = FluxTransformer2DModel(
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=12,
        pooled_projection_dim=10,
        axes_dims_rope=(2, 2, 4),
    ).double()
    reference.load_state_dict(FLUX.to_theirs(network.state_dict()))
    # diffusers converts a single block's only at full width
    blocks = {k: t for k, t in tensors.items() if "double_blocks" in k}
    theirs, alphas = FluxLoraLoaderMixin.lora_state_dict(dict(blocks), return_alphas=True)
    FluxLoraLoaderMixin.load_lora_into_transformer(theirs, alphas, reference, "cat")
    reference.fuse_lora()
    fused = {k.replace(".base_layer", ""): t for k, t in reference.state_dict().items()}
    expected = FLUX.to_ours(
        {k: t for k, t in fused.items() if "lora_" not in k}, network.state_dict(), "fused"
    )
    with attached(parts, [LoRAFile("cat", blocks, fused=True)]):
        ours = network.state_dict()
        assert all(relative_error(ours[k], expected[k]) <= 1e-6 for k in expected)
    changed = [k for k in expected if relative_error(network.state_dict()[k], expected[k]) > 1e-3]
    assert set(changed) == {k for k in changes["network"] if k.startswith("joint")}


def test_diffusers_reads_what_we_save_of_flux_in_kohyas_form(tmp_path: Path) -> None:
    """At full width, since it converts no other; each layer by what it does to a vector."""
    with torch.device("meta"):
        network = Flux(replace(FLUX_SCHNELL, joint_blocks=1, single_blocks=1))
    parts = {"network": Part(network, (FLUX, flux_original.FLUX))}
    torch.manual_seed(0)
    changes = {
        f"{name}.weight": LoRA(torch.randn(len(layer.weight), 2), torch.randn(2, layer.in_features))
        for name, layer in network.named_modules()
        if isinstance(layer, torch.nn.Linear) and ("joint" in name or "single" in name)
    }
    for form in ("kohya", "peft"):
        save_lora(tmp_path / f"{form}.safetensors", {"network": changes}, parts, form)
    theirs, expected = (
        effects(FluxLoraLoaderMixin.lora_state_dict(tmp_path / f"{form}.safetensors"))
        for form in ("kohya", "peft")
    )
    assert theirs.keys() == expected.keys()
    assert len(theirs) == len(changes)
    assert all(relative_error(theirs[name], expected[name]) <= 1e-5 for name in theirs)
    query, key = (f"transformer.single_transformer_blocks.0.attn.to_{x}" for x in "qk")
    assert relative_error(theirs[query], expected[key]) > 0.1


def effects(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """What each LoRA of a file in PEFT's form adds to a vector."""
    ending = ".lora_A.weight"
    downs = {k.removesuffix(ending): t.double() for k, t in tensors.items() if k.endswith(ending)}
    return {
        name: tensors[f"{name}.lora_B.weight"].double() @ down.sum(1)
        for name, down in downs.items()
    }


LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
CONV = "down_blocks.0.resnets.0.conv1"


@pytest.mark.parametrize(
    "config",
    [
        LoHaConfig(r=2, alpha=4),
        LoHaConfig(r=2, alpha=4, use_effective_conv2d=True),
        LoKrConfig(r=1, alpha=4),
        LoKrConfig(r=1, alpha=4, use_effective_conv2d=True),
        LoKrConfig(r=1, alpha=4, decompose_both=True),
        LoKrConfig(r=4, alpha=4),
    ],
    ids=["loha", "loha-tucker", "lokr", "lokr-tucker", "lokr-both", "lokr-whole"],
)
def test_pefts_loha_and_lokr(config: LoHaConfig | LoKrConfig) -> None:
    reference, parts = networks()
    config = deepcopy(config)
    config.target_modules = [LINEAR, CONV]
    inject_adapter_in_model(config, reference)
    tensors: dict[str, Tensor] = {}
    for name, weight in reference.named_parameters():
        if "hada_" in name or "lokr_" in name:
            weight.data = torch.randn_like(weight) / 3
            tensors[f"unet.{name.removesuffix('.default')}"] = weight.data
    for layer in (LINEAR, CONV):
        tensors[f"unet.{layer}.alpha"] = torch.tensor(4.0)
    with attached(parts, [LoRAFile("cat", tensors)]):
        ours, theirs = outputs(reference, parts)
    assert relative_error(ours, theirs) <= 1e-10
    assert relative_error(outputs(reference, parts)[0], theirs) > 1e-6


def test_metadata_is_what_diffusers_writes(tmp_path: Path) -> None:
    """What is nested in another file's metadata is never believed to be something else."""
    reference, parts = networks()
    adapted(reference)
    reference.save_lora_adapter(tmp_path, weight_name="cat.safetensors")
    tensors = load_file(tmp_path / "cat.safetensors")
    for text in ("[]", "{", json.dumps({"unet.lora_alpha": "6"})):
        file = LoRAFile("cat", tensors, {"lora_adapter_metadata": text})
        with attached(parts, [file]):
            assert relative_error(*outputs(reference, parts)) > 1e-4
