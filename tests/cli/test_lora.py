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
from mezzotint.pipeline.load import EMBEDDED

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


def test_a_sum_of_a_smaller_rank_is_near_the_whole(home):
    run("sum", "near.safetensors", "--lora", "cat.safetensors", "--model", "model", "--rank", "1")
    for file, new in (("cat", "whole"), ("near", "part")):
        run("merge", "model", new, "--lora", f"{file}.safetensors")
    whole, part = weight("whole") - weight("model"), weight("part") - weight("model")
    away = (whole - part).norm() / whole.norm()
    assert torch.linalg.matrix_rank(part.flatten(1), rtol=0.02) == 1
    assert 0.01 < away < 0.9


def test_into_a_variant_of_the_embedded_model(home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(EMBEDDED, "storybook", Path("model"))
    run("merge", "storybook-unet", "new", "--lora", "cat.safetensors:0.5")
    run("merge", "model", "same", "--lora", "cat.safetensors:0.5")
    assert torch.equal(weight("new"), weight("same"))


@pytest.mark.parametrize("variant", ["student", "folded", "instruct"])
@pytest.mark.parametrize("name", ["whole#{}", "storybook-{}"])
def test_a_variant_that_is_a_lora_is_no_place_for_another(
    home, tiny_model, monkeypatch: pytest.MonkeyPatch, name: str, variant: str
):
    monkeypatch.setitem(EMBEDDED, "storybook", Path("whole"))
    storybook.save(tiny_model, Path("whole"), loras={variant: Path("cat.safetensors")})
    base = name[:-3]
    with pytest.raises(InputError, match=f"is a LoRA on top of the model: merge into {base}$"):
        run("merge", name.format(variant), "new", "--lora", "cat.safetensors")
    assert not Path("new").exists()


def test_what_cannot_be_done_is_one_line(home):
    with pytest.raises(InputError, match="unknown form 'koya': did you mean 'kohya'"):
        run("extract", "model", "model", "x.safetensors", "--form", "koya")
    with pytest.raises(InputError, match="no layer of the models differs"):
        run("extract", "model", "model", "x.safetensors")
    with pytest.raises(InputError, match="model is there already"):
        run("merge", "model", "model", "--lora", "cat.safetensors")
