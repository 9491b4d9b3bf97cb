"""`mezzotint convert` and what `mezzotint inspect` tells of weights, as they are typed."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mezzotint.checkpoints.find import VARIABLE
from mezzotint.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process, in an empty folder: status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mezzotint", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code or 0, *capsys.readouterr()

    return run


def test_convert_writes_and_says_where(run):
    save_file({"fox": torch.randn(3, 768)}, "fox.safetensors")
    assert run("convert", "fox.safetensors", "half.safetensors", "--dtype", "fp16") == (
        0,
        "half.safetensors\n",
        "",
    )
    assert load_file("half.safetensors")["fox"].dtype == torch.float16
    status, out, err = run("convert", "fox.safetensors", "half.safetensors")
    assert (status, out) == (2, "")
    assert err.startswith("error: half.safetensors is there already: --force replaces it")
    assert run("convert", "fox.safetensors", "half.safetensors", "--force")[0] == 0
    assert load_file("half.safetensors")["fox"].dtype == torch.float32


def test_convert_finds_models_by_name(run, tmp_path, monkeypatch):
    folder = tmp_path / "ComfyUI" / "models" / "checkpoints"
    folder.mkdir(parents=True)
    save_file({"fox": torch.zeros(2)}, folder / "fox.safetensors")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "ComfyUI"))
    assert run("convert", "fox", "out.safetensors")[:2] == (0, "out.safetensors\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["fox.safetensors", "fox.ckpt"], "fox.ckpt: give NAME.safetensors"),
        (["fox.safetensors", "folder"], "a textual inversion for CLIP ViT-L"),
        (["fox.safetensors", "x.gguf"], "a textual inversion for CLIP ViT-L"),
        (["none.safetensors", "folder"], "there is no model 'none.safetensors'"),
        (["someone/something", "folder"], "someone/something is no file or folder here and not"),
        (["empty", "folder"], "empty has no weights"),
    ],
)
def test_convert_refuses_in_one_line(run, words: list[str], says: str):
    save_file({"fox": torch.zeros(3, 768)}, "fox.safetensors")
    Path("empty").mkdir()
    status, out, err = run("convert", *words)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert says in err
    assert {path.name for path in Path().iterdir()} == {"fox.safetensors", "empty"}


def test_inspect_tells_what_weights_are(run):
    tensors = {
        f"lora_unet_attn2_to_k.lora_{end}.weight": torch.zeros(8, 2048) for end in ("down", "up")
    }
    save_file(tensors, "l.safetensors", {"ss_network_dim": "8", "ss_tag_frequency": "x" * 999})
    assert run("inspect", "l.safetensors") == (
        0,
        "l.safetensors: a LoRA for Stable Diffusion XL, safetensors, 0.1 MiB\n"
        "tensors     2\n"
        "parameters  32,768\n"
        "dtypes      F32 × 2\n"
        "ranks       8 × 1\n"
        "metadata    'ss_network_dim': '8'\n",
        "",
    )


def test_inspect_tells_what_the_embedded_model_is(run):
    import mezzotint.weights

    status, out, err = run("inspect", str(Path(mezzotint.weights.__path__[0])))
    assert (status, err) == (0, "")
    assert "storybook, a model of mezzotint" in out
