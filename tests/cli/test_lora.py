"""`mezzotint lora` on a tiny model's folder."""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from mezzotint.adapters.deltas import LoRA
from mezzotint.adapters.save import save_lora
from mezzotint.cli import app
from mezzotint.errors import InputError
from mezzotint.families import storybook

NAME = "conv_in.weight"


@pytest.fixture
def home(tiny_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, and a LoRA of rank 2 for it."""
    monkeypatch.chdir(tmp_path)
    storybook.save(tiny_model, Path("model"))
    weight = tiny_model.network.get_parameter(NAME)
    lora = LoRA(torch.randn(len(weight), 2) / 4, torch.randn(2, *weight.shape[1:]) / 4)
    parts = storybook.load(Path("model")).parts
    save_lora(Path("cat.safetensors"), {"network": {NAME: lora}}, parts, "kohya")
    return tmp_path


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["lora", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def weight(folder: str) -> torch.Tensor:
    return storybook.load(Path(folder)).network.get_parameter(NAME)


def test_into_a_model_and_out_of_it(home):
    assert run("merge", "model", "new", "--lora", "cat.safetensors:0.5") == "new"
    assert run("extract", "new", "model", "out.safetensors", "--rank", "2") == "out.safetensors"
    run("sum", "twice.safetensors", "--lora", "out.safetensors:2", "--model", "model")
    run("merge", "model", "again", "--lora", "twice.safetensors")
    half, whole = weight("new") - weight("model"), weight("again") - weight("model")
    assert half.abs().max() > 0.01
    torch.testing.assert_close(whole, 2 * half, atol=2e-3, rtol=1e-2)


def test_what_cannot_be_done_is_one_line(home):
    with pytest.raises(InputError, match="unknown form 'koya': did you mean 'kohya'"):
        run("extract", "model", "model", "x.safetensors", "--form", "koya")
    with pytest.raises(InputError, match="no layer of the models differs"):
        run("extract", "model", "model", "x.safetensors")
    with pytest.raises(InputError, match="model is there already"):
        run("merge", "model", "model", "--lora", "cat.safetensors")
