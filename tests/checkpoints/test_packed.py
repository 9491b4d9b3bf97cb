"""Eight bits a weight: what comes back is within half a step of what went in."""

import math
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from torch import Tensor

from mezzotint.checkpoints.header import read_header
from mezzotint.checkpoints.packed import pack, save_packed, unpack
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.tensors import sizes
from mezzotint.errors import InputError

numbers = st.floats(-(2.0**100), 2.0**100, width=32)
weights = npst.arrays(
    np.float32, npst.array_shapes(min_dims=0, max_dims=4, max_side=4), elements=numbers
).map(torch.from_numpy)


def step(weight: Tensor) -> Tensor:
    """An int8 step of each row, shaped to be compared with the weight."""
    largest = weight.flatten(1).abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny)
    return largest.view(-1, *[1] * (weight.ndim - 1)) / 127


@given(st.dictionaries(st.text(st.characters(categories=["L", "N"]), min_size=1), weights))
def test_rounds_by_half_a_step_at_most(before: dict[str, Tensor]) -> None:
    after = unpack(pack(before))
    assert after.keys() == before.keys()
    for name, weight in before.items():
        assert (after[name].shape, after[name].dtype) == (weight.shape, torch.float32)
        if weight.ndim < 2:
            assert torch.equal(after[name], weight)
        else:
            assert ((after[name] - weight).abs() <= 0.5001 * step(weight)).all()


def test_half_a_step_is_what_it_takes() -> None:
    weight = torch.randn(8, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    error = (unpack(pack({"w": weight}))["w"] - weight).abs() / step(weight)
    assert 0.49 < error.max() <= 0.5001
    assert error.mean().item() == pytest.approx(0.25, abs=0.02)


@given(weights)
def test_packing_again_loses_no_more(weight: Tensor) -> None:
    once = pack({"w": weight})
    twice = pack(unpack(once))
    assert torch.equal(once["w"], twice["w"])


@pytest.mark.parametrize("layout", ["transposed", "channels last"])
def test_any_layout_is_written(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "w.safetensors"
    if layout == "transposed":
        weight = torch.randn(5, 3).T
    else:
        weight = torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    save_packed(path, {"w": weight}, {"family": "storybook"})
    found = unpack(safetensors.torch.load_file(path))["w"]
    assert ((found - weight).abs() <= 0.5001 * step(weight)).all()
    assert read_header(path).metadata == {"family": "storybook"}


def test_a_quarter_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_packed(path, {"w": torch.randn(64, 64, 3, 3)}, {})
    assert path.stat().st_size < 0.26 * 4 * 64 * 64 * 9


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
@pytest.mark.parametrize("shape", [(2,), (2, 3)])
def test_a_network_that_diverged_is_not_packed(
    tmp_path: Path, wrong: float, shape: tuple[int, ...]
) -> None:
    weight = torch.ones(shape)
    weight[0] = wrong
    with pytest.raises(InputError, match=r"mid\.norm cannot be packed"):
        save_packed(tmp_path / "w.safetensors", {"mid.norm": weight}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_what_was_not_packed_is_read_as_it_is(dtype: torch.dtype) -> None:
    weight = torch.randn(4, 4).to(dtype)
    assert torch.equal(unpack({"w": weight})["w"], weight.float())


@pytest.mark.parametrize("plain", [False, True])
def test_a_file_reads_as_its_weights(tmp_path: Path, plain: bool) -> None:
    path, weights = tmp_path / "w.safetensors", {"a": torch.randn(3, 2, 2), "b": torch.randn(4)}
    if plain:
        safetensors.torch.save_file(weights, path)
    else:
        save_packed(path, weights, {"about": "me"})
    found = open_tensors(path)
    assert found.keys() == weights.keys()
    assert found.shapes == {"a": (3, 2, 2), "b": (4,)}
    assert sizes(found)["a"] == (torch.float32, (3, 2, 2))
    kept = weights if plain else unpack(pack(weights))
    assert all(torch.equal(found[name], kept[name]) for name in weights)
    assert torch.equal(found["a"], weights["a"]) == plain


@pytest.mark.parametrize(
    "rows", [None, torch.zeros(3, 2), torch.zeros(2, 3, dtype=torch.int8)], ids=str
)
def test_a_scale_of_nothing_is_refused(tmp_path: Path, rows: Tensor | None) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(
        {"w::scale": torch.ones(3)} | ({} if rows is None else {"w": rows}), path
    )
    with pytest.raises(InputError, match="w::scale"):
        open_tensors(path)
