from pathlib import Path
from typing import get_args

import pytest
import torch
from lora_files import DIALECTS, flux, lora_file, sd3, sd15, sdxl, weights
from oracles import relative_error
from safetensors.torch import load_file
from torch import nn

from mezzotint.adapters.deltas import DoRA, LoRA
from mezzotint.adapters.lora import Changes, lora
from mezzotint.adapters.save import Form, save_lora
from mezzotint.errors import InputError
from mezzotint.families.base import Part


def of_every_layer(parts: dict[str, Part], alpha: float | None) -> dict[str, dict[str, LoRA]]:
    torch.manual_seed(0)
    return {
        part: {
            f"{name}.weight": LoRA(
                torch.randn(len(layer.weight), 2), torch.randn(2, *layer.weight.shape[1:]), alpha
            )
            for name, layer in p.module.named_modules()
            if isinstance(layer, nn.Linear | nn.Conv2d)
        }
        for part, p in parts.items()
    }


@pytest.mark.parametrize("alpha", [None, 3.0])
@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize("model", [sd15, sdxl, flux, sd3])
def test_what_is_written_is_read_again(tmp_path: Path, model, form: Form, alpha) -> None:
    parts = model()
    written = of_every_layer(parts, alpha)
    save_lora(tmp_path / "cat.safetensors", written, parts, form, {"title": "cat"})
    file = lora(tmp_path / "cat.safetensors")
    assert file.metadata == {"title": "cat"}
    read, report = file.changes(parts)
    assert not report.unmatched
    assert not report.misshaped
    ours, expected = flat(read, parts), flat(written, parts)
    assert ours.keys() == expected.keys()
    assert all(relative_error(ours[name], expected[name]) <= 1e-6 for name in ours)


def test_layers_may_share_a_factor(tmp_path: Path) -> None:
    """As those do whose file had one for queries, keys and values together."""
    parts, down = flux(), torch.randn(2, 16)
    ups = torch.randn(2, 16, 2)
    names = [f"joint.0.image.to_heads.{name}.weight" for name in ("query", "key")]
    changes = {"network": {name: LoRA(up, down) for name, up in zip(names, ups, strict=True)}}
    save_lora(tmp_path / "cat.safetensors", changes, parts, "kohya")
    read, _ = lora(tmp_path / "cat.safetensors").changes(parts)
    assert all(torch.equal(read["network"][name].down, down) for name in names)


def flat(changes: Changes, parts: dict[str, Part]) -> dict[str, torch.Tensor]:
    return {
        f"{part}.{name}": delta.delta(parts[part].module.get_parameter(name))
        for part, deltas in changes.items()
        for name, delta in deltas.items()
    }


@pytest.mark.parametrize(("form", "dialect"), [("kohya", "kohya"), ("peft", "peft")])
def test_names_and_shapes_are_those_of_the_dialect(tmp_path: Path, form: Form, dialect) -> None:
    """A 1.x network's 1 × 1 convolutions too, which are linear layers here."""
    parts = {"network": sd15()["network"]}
    save_lora(tmp_path / "cat.safetensors", of_every_layer(parts, 3.0), parts, form)
    published = weights(DIALECTS[dialect], parts)
    example = lora_file(DIALECTS[dialect], parts)
    ours = load_file(tmp_path / "cat.safetensors")
    assert len(published) * (3 if form == "kohya" else 2) == len(ours)
    assert {k: t.shape[2:] for k, t in ours.items()} == {k: t.shape[2:] for k, t in example.items()}


@pytest.mark.parametrize(("model", "dialect"), [(flux, "kohya-flux"), (sd3, "kohya-sd3")])
def test_kohyas_names_of_transformers_are_the_original_ones(tmp_path: Path, model, dialect) -> None:
    """Where queries, keys and values are one layer, of the ranks of all three."""
    parts = {"network": model()["network"]}
    save_lora(tmp_path / "cat.safetensors", of_every_layer(parts, 3.0), parts, "kohya")
    ours = load_file(tmp_path / "cat.safetensors")
    assert ours.keys() == lora_file(DIALECTS[dialect], parts).keys()
    ranks = {len(tensor) for key, tensor in ours.items() if key.endswith("lora_down.weight")}
    assert ranks == ({2, 6, 8} if model is flux else {2, 6})


def test_a_layer_that_is_one_of_several_leaves_the_others_alone(tmp_path: Path) -> None:
    parts = {"network": flux()["network"]}
    whole = of_every_layer(parts, 3.0)["network"]
    some = {name: delta for name, delta in whole.items() if name.endswith("query.weight")}
    save_lora(tmp_path / "cat.safetensors", {"network": some}, parts, "kohya")
    read, _ = lora(tmp_path / "cat.safetensors").changes(parts)
    changed = flat(read, parts)
    for name, delta in flat({"network": some}, parts).items():
        assert relative_error(changed.pop(name), delta) <= 1e-6
    assert not any(delta.any() for delta in changed.values())


def magnitudes(changes: dict[str, LoRA], parts: dict[str, Part]) -> dict[str, DoRA]:
    torch.manual_seed(1)
    sizes = {name: len(parts["network"].module.get_parameter(name)) for name in changes}
    return {name: DoRA(delta, torch.rand(sizes[name], 1)) for name, delta in changes.items()}


@pytest.mark.parametrize("form", get_args(Form))
def test_magnitudes_of_several_layers_in_one(tmp_path: Path, form: Form) -> None:
    parts = {"network": flux()["network"]}
    written = magnitudes(of_every_layer(parts, 3.0)["network"], parts)
    save_lora(tmp_path / "cat.safetensors", {"network": written}, parts, form)
    read, report = lora(tmp_path / "cat.safetensors").changes(parts)
    assert not report.unmatched
    ours, expected = flat(read, parts), flat({"network": written}, parts)
    assert ours.keys() == expected.keys()
    assert all(relative_error(ours[name], expected[name]) <= 1e-6 for name in ours)


def test_what_cannot_be_one_layer_is_refused(tmp_path: Path) -> None:
    """A magnitude for queries alone, where keys and values are in the same layer."""
    parts = {"network": flux()["network"]}
    whole = of_every_layer(parts, 3.0)["network"]
    names = [f"joint.0.image.to_heads.{each}.weight" for each in ("query", "key", "value")]
    some = magnitudes({names[0]: whole[names[0]]}, parts)
    columns = {name: DoRA(whole[name], torch.rand(1, 16)) for name in names}
    refused = r"double_blocks\.0\.img_attn\.qkv is one layer of kohya's"
    for odd in (some, {**some, names[1]: whole[names[1]]}, columns):
        with pytest.raises(InputError, match=refused):
            save_lora(tmp_path / "cat.safetensors", {"network": odd}, parts, "kohya")
    assert not list(tmp_path.iterdir())


def test_tucker_cores_are_kept_or_refused(tmp_path: Path) -> None:
    parts = {"network": sd15()["network"]}
    core = LoRA(torch.randn(8, 2), torch.randn(2, 4), 3.0, torch.randn(2, 2, 3, 3))
    changes = {"network": {"conv_in.weight": core}}
    save_lora(tmp_path / "cat.safetensors", changes, parts, "kohya")
    read, _ = lora(tmp_path / "cat.safetensors").changes(parts)
    assert (
        relative_error(*(flat(c, parts)["network.conv_in.weight"] for c in (read, changes))) < 1e-6
    )
    with pytest.raises(InputError, match="PEFT's form has no Tucker cores"):
        save_lora(tmp_path / "cat.safetensors", changes, parts, "peft")
