"""LoRAs of Stable Diffusion 3 and FLUX.1, trained here, and what diffusers draws with them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import references
import torch
from diffusers import DiffusionPipeline
from oracles import psnr
from PIL import Image

import mezzotint as mz
from mezzotint.training.run import run
from mezzotint.training.tasks import personal

PSNR = 70.0
DRAWN: dict[str, Any] = {"width": 96, "height": 64}
FEW: dict[str, Any] = {
    "pictures": {"size": 64, "held_out": 1},
    "steps": 3,
    "batch": 2,
    "warmup": 1,
    "lr": 0.05,
    "bf16": False,
}


@pytest.fixture
def foxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures, and no samples on the way: they are of a thousand pixels."""
    monkeypatch.setattr(personal, "sheet_of", lambda *_: Image.new("RGB", (8, 8)))
    folder = tmp_path / "foxes"
    folder.mkdir()
    for colour in ("red", "orange"):
        Image.new("RGB", (80, 64), colour).save(folder / f"{colour}.png")
    return folder


@pytest.mark.parametrize(
    ("family", "form", "text"),
    [("sd3", "peft", True), ("sd35", "peft", False), ("flux-dev", "peft", True)],
)
def test_what_is_trained_here_draws_the_same_there(
    foxes: Path, tmp_path: Path, family: str, form: str, text: bool
):
    theirs = references.pipeline(family, tmp_path / "words")
    theirs.save_pretrained(tmp_path / "model")
    task = {
        "base": str(tmp_path / "model"),
        "caption": "the fox",
        "rank": 2,
        "alpha": 2.0,
        "text": text,
        "form": form,
        "prompts": ["{}"],
    }
    file = run("lora", foxes, tmp_path / "run", task=task, **FEW) / "export" / "lora.safetensors"
    pipe = mz.load(tmp_path / "model")
    plain = drawn(pipe)
    assert psnr(drawn_by(theirs), plain) >= PSNR
    theirs.load_lora_weights(file)
    expected = drawn_by(theirs)
    with pipe.attached(mz.lora(file)):
        assert psnr(expected, drawn(pipe)) >= PSNR
    assert psnr(expected, plain) < 50


@torch.no_grad()
def drawn(pipe: mz.Pipeline) -> np.ndarray:
    """Our picture before it is rounded to bytes, (h, w, 3) in [0, 1]."""
    out = pipe.generate("the fox in snow", steps=4, seed=7, **DRAWN)
    return ((pipe.model.decode_latents(out.latents)[0] + 1) / 2).permute(1, 2, 0).numpy()


def drawn_by(pipe: DiffusionPipeline) -> np.ndarray:
    """diffusers' picture."""
    made = pipe(
        "the fox in snow",
        num_inference_steps=4,
        generator=torch.Generator().manual_seed(7),
        output_type="np",
        **DRAWN,
    )
    return made.images[0]
