"""A CLIP that is quick enough for any test, as a run exports it and as a model's folder has it."""

import dataclasses
import json
from pathlib import Path

import torch

from mezzotint.checkpoints.folder import write_manifest
from mezzotint.checkpoints.packed import save_packed
from mezzotint.files import write_whole
from mezzotint.models.clip import CLIP, CLIPTextParams, CLIPVisionParams, TowerParams
from mezzotint.training.exports import write_network
from mezzotint.training.tokenizer import END, train_tokenizer

TOWER = TowerParams(width=32, layers=2, heads=2, hidden=64, activation="gelu")
CAPTIONS = ["a fox in the snow at night", "a red apple on a blue background", "an owl in a forest"]


def run(folder: Path, width: int = 16) -> CLIP:
    """The CLIP of a run in ``folder``; its image tower's vectors are ``width`` wide."""
    tokenizer = train_tokenizer(CAPTIONS, vocabulary=300, length=16)
    end = tokenizer.token_to_id(END)
    text = CLIPTextParams(TOWER, tokenizer.get_vocab_size(), 16, end, 16)
    clip = CLIP(text, CLIPVisionParams(TOWER, size=32, patch=8, projection=width))
    for weight in clip.parameters():
        torch.nn.init.normal_(weight, mean=float(weight.ndim == 1), std=0.1)
    export = folder / "export"
    export.mkdir(parents=True)
    write_network(export, "text", clip.text, text)
    write_network(export, "vision", clip.vision, clip.vision.params)
    write_whole(export / "tokenizer.json", tokenizer.to_str().encode())
    return clip.eval()


def model(folder: Path, clip: CLIP, tokenizer: bytes) -> None:
    """A model's folder with both towers, and nothing to draw with."""
    folder.mkdir()
    sizes = {
        "text": dataclasses.asdict(clip.text.params),
        "vision": dataclasses.asdict(clip.vision.params),
    }
    write_whole(folder / "sizes.json", json.dumps(sizes).encode())
    write_whole(folder / "tokenizer.json", tokenizer)
    save_packed(folder / "text.safetensors", clip.text.state_dict(), {})
    save_packed(folder / "vision.safetensors", clip.vision.state_dict(), {})
    write_manifest(folder, "storybook")
