"""A tiny model that can be steered in every way, and pictures as the lab's pages are sent them."""

import io
from base64 import b64decode
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from oracles import randomised
from PIL import Image
from storybooks import SIZES, tiny_storybook

from mezzotint.adapters.controlnet import CONTROL, KINDS, save_control
from mezzotint.adapters.ip_adapter import OWN
from mezzotint.families import storybook
from mezzotint.families.keys.ip_adapter_keys import ip_adapter as keys_of
from mezzotint.models.clip import CLIPVision
from mezzotint.models.controlnet import ControlNet, ControlNetParams
from mezzotint.models.ip_adapter import IPAdapter, IPAdapterParams, cross_attentions

FOX, OWL = "a fox in the snow", "an owl in the snow"
LORA = {
    "lora_unet_conv_in.lora_up.weight": torch.ones(16, 1, 1, 1) / 2,
    "lora_unet_conv_in.lora_down.weight": torch.ones(1, 4, 3, 3) / 2,
}
SHORT = {
    "pictures": {"size": 32, "held_out": 2},
    "steps": 2,
    "batch": 4,
    "warmup": 1,
    "validate_every": 2,
    "grid_every": 2,
    "save_every": 1,
    "bf16": False,
}
"""Fields of a run that sees every stage of training, and is over at once."""
OBEYS = {"lora_unet_conv_in.diff": torch.linspace(-1, 1, 16 * 8 * 9).reshape(16, 8, 3, 3)}


def steered(home: Path) -> Path:
    """The folder of one with a ControlNet of every kind, an IP-Adapter and instructions.

    They are at random weights. Beside it are the LoRA "oil" and the word "zwx", for a
    ``MEZZOTINT_MODELS`` of ``home``.
    """
    model, _ = tiny_storybook([FOX, OWL])
    safetensors.torch.save_file(OBEYS, home / "obeys.safetensors", {"steps": "3"})
    path = home / "model"
    loras = {"instruct": home / "obeys.safetensors"}
    storybook.save(model, path, None, CLIPVision(SIZES.vision), loras)
    control = randomised(ControlNet(ControlNetParams(SIZES.unet, KINDS, middle=False)))
    for hint in control.hints.values():
        torch.nn.init.normal_(hint[-1].bias)
    save_control(path / CONTROL, control, {})
    widths = tuple(each.query.out_features for each in cross_attentions(model.network))
    sees = randomised(IPAdapter(IPAdapterParams(SIZES.vision.projection, 2, 32, widths, None)))
    tensors = keys_of(len(widths)).to_theirs(sees.state_dict())
    safetensors.torch.save_file(tensors, path / OWN["content"])
    for name, file in (("Lora/oil", LORA), ("embeddings/zwx", {"emb_params": torch.ones(2, 32)})):
        (home / name).parent.mkdir()
        safetensors.torch.save_file(file, home / f"{name}.safetensors")
    return path


def shown(address: str) -> np.ndarray:
    """The pixels of a picture whose address holds it."""
    return np.asarray(Image.open(io.BytesIO(b64decode(address.partition(",")[2]))).convert("RGB"))


def seen(picture: Image.Image) -> np.ndarray:
    """The pixels of a picture as a page is sent it."""
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=85)
    return np.asarray(Image.open(file).convert("RGB"))
