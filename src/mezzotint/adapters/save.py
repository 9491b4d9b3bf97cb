"""LoRA files for other tools: kohya's form and PEFT's."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import safetensors.torch
import torch
from torch import Tensor

from mezzotint.adapters.deltas import LoRA
from mezzotint.adapters.names import published
from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.files import write_whole
from mezzotint.models.t5 import T5Encoder
from mezzotint.models.unet import UNet

Form = Literal["kohya", "peft"]


def save_lora(
    path: Path,
    changes: Mapping[str, Mapping[str, LoRA]],
    parts: Mapping[str, Part],
    form: Form,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write LoRAs as a safetensors file that other tools read.

    Args:
        path: of the file.
        changes: by part, "network" or a text encoder, and by our name of the weight.
        parts: the networks that they are of; diffusers' and transformers' names are written.
        form: "kohya" (for A1111 and ComfyUI) or "peft" (for diffusers). PEFT's has no place for α,
            so that α/r is multiplied into B there.
        metadata: text to go with it.

    Raises:
        InputError: the folder is missing or not writable, or PEFT's form is asked for a Tucker
            core, which it has no place for.
    """
    tensors: dict[str, Tensor] = {}
    for part, layers in changes.items():
        names = {ours[0]: (name, keymap) for name, (keymap, ours) in _written(parts[part])}
        for weight, delta in layers.items():
            theirs, keymap = names[weight]
            layer = theirs.removesuffix(".weight")
            like = keymap.to_theirs({weight: parts[part].module.get_parameter(weight)})[theirs]
            delta = _shaped(delta, like)
            if form == "kohya":
                stem = _kohya_prefix(part, parts) + layer.replace(".", "_")
                tensors |= _kohya(stem, delta)
            elif delta.mid is None:
                stem = _peft_prefix(part, parts) + layer
                tensors |= {
                    f"{stem}.lora_A.weight": delta.down,
                    f"{stem}.lora_B.weight": delta.factor * delta.up,
                }
            else:
                raise InputError(f"{path}: PEFT's form has no Tucker cores; save it in kohya's")
    own = torch.contiguous_format  # layers may share a factor, and files may not
    kept = {name: t.detach().cpu().clone(memory_format=own) for name, t in tensors.items()}
    write_whole(path, safetensors.torch.save(kept, dict(metadata or {})))


def _kohya(stem: str, delta: LoRA) -> dict[str, Tensor]:
    core = {} if delta.mid is None else {f"{stem}.lora_mid.weight": delta.mid}
    return core | {
        f"{stem}.lora_down.weight": delta.down,
        f"{stem}.lora_up.weight": delta.up,
        f"{stem}.alpha": torch.tensor(delta.factor * delta.rank),
    }


def _shaped(delta: LoRA, weight: Tensor) -> LoRA:
    """``delta`` with the dimensions that a file has for this weight of theirs."""
    up, down = delta.up.flatten(1), delta.down.flatten(1)
    if weight.ndim == 4:
        up = up[:, :, None, None]
        down = down.unflatten(1, weight.shape[1:] if delta.mid is None else (-1, 1, 1))
    return replace(delta, up=up, down=down)


def _written(part: Part) -> list[tuple[str, tuple[KeyMap, tuple[str, ...]]]]:
    return list(published(replace(part, maps=part.maps[:1])).items())


def _kohya_prefix(part: str, parts: Mapping[str, Part]) -> str:
    if part == "network":
        return "lora_unet_" if isinstance(parts[part].module, UNet) else "lora_transformer_"
    if isinstance(parts[part].module, T5Encoder):
        return "lora_te3_"
    alone = "text_2" not in parts
    return "lora_te_" if alone else {"text": "lora_te1_", "text_2": "lora_te2_"}[part]


def _peft_prefix(part: str, parts: Mapping[str, Part]) -> str:
    if part == "network":
        return "unet." if isinstance(parts[part].module, UNet) else "transformer."
    return part.replace("text", "text_encoder", 1) + "."
