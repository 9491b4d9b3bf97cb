"""fp8 weights are their scale's multiple, and the scales are no tensors of a network."""

import pytest
import torch
from safetensors.torch import save_file

from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.scaled import unscaled
from mezzotint.errors import InputError

LARGEST = torch.finfo(torch.float8_e4m3fn).max


def scaled(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As ComfyUI stores them: the largest number of a weight is the largest of the format."""
    made = {"model.scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn)}
    for name, weight in weights.items():
        scale = weight.abs().max() / LARGEST
        made[f"{name}.weight"] = (weight / scale).to(torch.float8_e4m3fn)
        made[f"{name}.scale_weight"] = scale
        made[f"{name}.scale_input"] = torch.ones(1)
    return made


def test_scaled_weights_come_back(tmp_path):
    weights = {"a": 0.02 * torch.randn(8, 4), "b": 300 * torch.randn(3, 5)}
    bias = torch.randn(8)
    save_file({**scaled(weights), "a.bias": bias}, tmp_path / "x.safetensors")
    tensors = unscaled(open_tensors(tmp_path / "x.safetensors"), "x")
    assert set(tensors) == {"a.weight", "b.weight", "a.bias"}
    assert torch.equal(tensors["a.bias"], bias)
    for name, weight in weights.items():
        # half a step of three bits of mantissa, and of the smallest numbers
        error = (tensors[f"{name}.weight"].float() - weight).abs()
        assert (error <= weight.abs() / 15 + weight.abs().max() / LARGEST * 2**-9).all()
    raw = open_tensors(tmp_path / "x.safetensors")["a.weight"].float()
    assert (raw - weights["a"]).abs().max() > 1


def test_files_without_scales_are_left_as_they_are(tmp_path):
    save_file({"a.weight": torch.randn(2, 2)}, tmp_path / "x.safetensors")
    tensors = open_tensors(tmp_path / "x.safetensors")
    assert unscaled(tensors, "x") is tensors


@pytest.mark.parametrize("shape", [(2,), (1, 1)])
def test_a_scale_that_is_none_is_refused(tmp_path, shape):
    tensors = {"a.weight": torch.randn(2, 2), "a.scale_weight": torch.ones(shape)}
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=r"x: a\.scale_weight .* is no scale of a a\.weight"):
        unscaled(open_tensors(tmp_path / "x.safetensors"), "x")
    save_file({"b.scale_weight": torch.ones(1)}, tmp_path / "y.safetensors")
    with pytest.raises(InputError, match=r"is no scale of a b\.weight"):
        unscaled(open_tensors(tmp_path / "y.safetensors"), "y")
