"""LoRAs into models, out of models and of each other, by hand and through files."""

import errno
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lora_files import run, same, sd15, sdxl, state
from oracles import relative_error
from torch import Tensor, nn

from mezzotint.adapters.deltas import DoRA, LoRA
from mezzotint.adapters.lora import LoRAFile, inject, lora
from mezzotint.adapters.merge import LoRAs, extracted, merged, narrowed, summed
from mezzotint.adapters.merge_files import write_merged
from mezzotint.adapters.save import save_lora
from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.families.base import Part


def drawn(parts: dict[str, Part], rank: int, seed: int = 0, alpha: float | None = None) -> LoRAs:
    """A LoRA of a few layers of every kind, in the U-Net and in a text encoder."""
    g = torch.Generator().manual_seed(seed)
    found: LoRAs = {}
    for part in (name for name in parts if name in ("network", "text")):
        for name, layer in list(parts[part].module.named_modules())[::3]:
            if isinstance(layer, nn.Linear | nn.Conv2d):
                up = torch.randn(len(layer.weight), rank, generator=g) / 4
                down = torch.randn(rank, *layer.weight.shape[1:], generator=g) / 4
                found.setdefault(part, {})[f"{name}.weight"] = LoRA(up, down, alpha)
    return found


def changes(loras: LoRAs, parts: dict[str, Part]) -> dict[str, Tensor]:
    return {
        f"{part}.{name}": delta.delta(parts[part].module.get_parameter(name))
        for part, deltas in loras.items()
        for name, delta in deltas.items()
    }


def far(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(relative_error(one[name], other[name]) for name in one)


def tuned(parts: dict[str, Part], loras: LoRAs) -> dict[str, Part]:
    copies = {n: Part(deepcopy(p.module).float(), p.maps) for n, p in parts.items()}
    inject(loras, copies, "cat", fused=True)
    return copies


@settings(max_examples=6)
@given(rank=st.integers(1, 3), alpha=st.sampled_from([None, 1.0, 5.0]), seed=st.integers(0, 99))
def test_what_was_merged_is_extracted(rank: int, alpha: float | None, seed: int) -> None:
    base = {n: Part(p.module.float(), p.maps) for n, p in sd15().items()}
    loras = drawn(base, rank, seed, alpha)
    found = extracted(tuned(base, loras), base)
    assert all(delta.rank <= rank for deltas in found.values() for delta in deltas.values())
    assert far(changes(found, base), changes(loras, base)) <= 1e-4
    fewer = extracted(tuned(base, loras), base, rank=rank - 1) if rank > 1 else None
    assert fewer is None or far(changes(fewer, base), changes(loras, base)) > 1e-3


def test_of_all_ranks_the_extracted_is_nearest():
    base, wide = sd15(), drawn(sd15(), 3)
    exact = changes(wide, base)
    near = changes(extracted(tuned(base, wide), base, rank=1), base)
    for name, change in exact.items():
        rest = torch.linalg.svdvals(change.flatten(1))[1:].square().sum().sqrt()
        torch.testing.assert_close((near[name] - change).norm(), rest, rtol=1e-3, atol=1e-6)


def test_energy_is_the_share_that_is_kept():
    base, wide = sd15(), drawn(sd15(), 3)
    exact = changes(wide, base)
    for share in (0.5, 0.9):
        found = changes(extracted(tuned(base, wide), base, energy=share), base)
        kept = [(found[n].norm() / exact[n].norm()) ** 2 for n in exact]
        assert min(kept) >= share - 1e-4
        assert min(kept) < 1 - 1e-3


@pytest.mark.parametrize(("rank", "energy"), [(2, 1.0), (None, 0.7), (None, 1.0)])
def test_a_narrowed_sum_is_the_nearest_of_its_rank(rank, energy):
    base = sdxl()
    whole = summed([(drawn(base, 2, 1, alpha=3.0), 1.0), (drawn(base, 3, 2), 1.0)])
    exact, found = changes(whole, base), narrowed(whole, rank, energy)
    near = changes(found, base)
    assert near.keys() == exact.keys()
    for part, own in found.items():
        for name, narrow in own.items():
            change = exact[f"{part}.{name}"]
            squares = torch.linalg.svdvals(change.double().flatten(1)).square()
            rest = squares[narrow.rank :].sum().sqrt()
            away = (near[f"{part}.{name}"] - change).norm()
            torch.testing.assert_close(away, rest, rtol=1e-3, atol=1e-5)
            if rank:
                assert narrow.rank == min(rank, whole[part][name].rank)
            if energy < 1:
                share = squares.cumsum(0) / squares.sum()
                assert share[narrow.rank - 1] >= energy - 1e-6
                assert narrow.rank == 1 or share[narrow.rank - 2] < energy


def test_what_changes_nothing_is_left_out_of_a_narrowed_one():
    nothing = LoRA(torch.zeros(8, 2), torch.ones(2, 4))
    assert narrowed({"network": {"a.weight": nothing}}, rank=1) == {"network": {}}
    with pytest.raises(InputError, match="give a rank from 1"):
        narrowed({}, rank=0)


@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.5, -2.0)])
def test_the_sum_of_two_is_exact(scales):
    base = sdxl()
    both = [drawn(base, 2, 1, alpha=3.0), drawn(base, 3, 2)]
    del both[1]["text"]
    found = changes(summed(list(zip(both, scales, strict=True))), base)
    parts = [changes(each, base) for each in both]
    for name, change in found.items():
        terms = [s * p[name] for s, p in zip(scales, parts, strict=True) if name in p]
        assert relative_error(change, sum(terms)) <= 1e-6
    name = next(iter(parts[1]))
    assert relative_error(found[name], parts[0][name]) > 1e-2


def test_a_sum_through_a_file_draws_as_both(tmp_path: Path):
    parts = sd15()
    both = [drawn(parts, 2, seed) for seed in (1, 2)]
    save_lora(tmp_path / "sum.safetensors", summed([(each, 1.0) for each in both]), parts, "kohya")
    placed = [inject(each, parts, str(k)) for k, each in enumerate(both)]
    expected = run(parts)
    for each in placed:
        each.eject()
    assert relative_error(run(parts), expected) > 1e-3
    lora(tmp_path / "sum.safetensors").inject(parts)
    assert relative_error(run(parts), expected) <= 1e-6


def test_only_loras_are_summed_and_models_of_one_size_compared():
    base = sd15()
    dora = DoRA(LoRA(torch.zeros(8, 1), torch.zeros(1, 4, 3, 3)), torch.ones(8, 1))
    with pytest.raises(InputError, match="is a DoRA: only plain LoRAs"):
        summed([({"network": {"conv_in.weight": dora}}, 1.0)])
    with pytest.raises(InputError, match="no layer of the models differs"):
        extracted(base, base)
    with pytest.raises(InputError, match="the models differ in the size of"):
        extracted(base, sdxl())
    for wrong in ({"rank": 0}, {"energy": 0.0}, {"energy": 1.5}):
        with pytest.raises(InputError, match="give a rank from 1"):
            extracted(base, base, **wrong)


def in_a_file(parts: dict[str, Part], file: Path) -> LoRAFile:
    save_lora(file, drawn(parts, 2), parts, "kohya")
    return lora(file, 0.7)


def test_merging_stays(tmp_path: Path):
    parts = sd15()
    file = in_a_file(parts, tmp_path / "cat.safetensors")
    before = state(parts)
    injected = file.inject(parts)
    expected = run(parts)
    injected.eject()
    assert same(state(parts), before)
    touched = merged([file], parts)
    assert relative_error(run(parts), expected) <= 1e-6
    now = state(parts)
    names = {f"{part}.{name}" for part, own in touched.items() for name in own}
    assert names == {name for name in now if not torch.equal(now[name], before[name])}


def test_a_folder_of_ours_is_written_with_it(
    tiny_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    storybook.save(tiny_model, tmp_path / "model")
    (tmp_path / "model" / "notes.txt").write_text("no part of the model")
    model = storybook.load(tmp_path / "model")
    before = state(model.parts)
    changed = drawn(model.parts, 2)
    save_lora(tmp_path / "cat.safetensors", changed, model.parts, "kohya")
    touched = merged([lora(tmp_path / "cat.safetensors")], model.parts)
    assert touched.keys() == {"network", "text"}
    write_merged(tmp_path / "model", tmp_path / "new", model.parts, touched)
    assert not (tmp_path / "new" / "notes.txt").exists()
    again = state(storybook.load(tmp_path / "new").parts)
    now = state(model.parts)
    assert all(relative_error(again[name], now[name]) <= 1e-3 for name in now)
    assert max(relative_error(again[name], before[name]) for name in now) > 1e-2
    assert same(state(storybook.load(tmp_path / "model").parts), before)
    with pytest.raises(InputError, match="new is there already: give another name"):
        write_merged(tmp_path / "model", tmp_path / "new", model.parts, touched)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    says = "cannot write .*other: .*No space left on device; make room and give the same command"
    with pytest.raises(InputError, match=says):
        write_merged(tmp_path / "model", tmp_path / "other", model.parts, touched)
    assert not (tmp_path / "other").exists()
