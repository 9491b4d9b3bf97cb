"""Files for other tools: LoRAs in kohya's form and PEFT's, and words of textual inversion."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from torch import Tensor

from mezzotint.adapters.deltas import Delta, DoRA, LoRA
from mezzotint.adapters.embedding import TextualInversion
from mezzotint.adapters.names import published
from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.files import write_whole
from mezzotint.models.clip import CLIPText
from mezzotint.models.t5 import T5Encoder
from mezzotint.models.unet import UNet

Form = Literal["kohya", "peft"]
FORMS: dict[str, Form] = {"kohya": "kohya", "peft": "peft"}


def save_lora(
    path: Path,
    changes: Mapping[str, Mapping[str, LoRA | DoRA]],
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
            so that α/r is multiplied into B there. diffusers leaves the magnitudes of a DoRA in
            kohya's form out, and reads those in PEFT's.
        metadata: text to go with it.

    Raises:
        InputError: the folder is missing or not writable, the disk is full, or PEFT's form is asked
            for a Tucker core or a magnitude a column, which it has no place for.
    """
    tensors: dict[str, Tensor] = {}
    for part, layers in changes.items():
        names = {ours[0]: (name, keymap) for name, (keymap, ours) in _written(parts[part])}
        for weight, delta in layers.items():
            theirs, keymap = names[weight]
            layer = theirs.removesuffix(".weight")
            like = keymap.to_theirs({weight: parts[part].module.get_parameter(weight)})[theirs]
            delta = _shaped(delta, like)
            prefix = (_kohya_prefix if form == "kohya" else _peft_prefix)(part, parts)
            if form == "kohya":
                tensors |= _kohya(prefix + layer.replace(".", "_"), delta)
            elif written := _peft(prefix + layer, delta, like.ndim):
                tensors |= written
            else:
                raise InputError(f"{path}: PEFT's form has no Tucker cores; save it in kohya's")
    _write(path, tensors, metadata or {})


def save_embedding(
    path: Path,
    word: TextualInversion,
    parts: Mapping[str, Part],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a word as a safetensors file, float32, that A1111, ComfyUI and diffusers read.

    One text encoder's vectors are called as the word is; those of several "clip_l", "clip_g" and
    "t5xxl", which is how files for Stable Diffusion XL and 3 have them.

    Args:
        path: of the file.
        word: the word.
        parts: the text encoders that it is for.
        metadata: text to go with it.

    Raises:
        InputError: the folder is missing or not writable, or the disk is full.
    """
    clips = iter(("clip_l", "clip_g"))
    names: dict[int, str] = {}
    for part in parts.values():
        if isinstance(part.module, CLIPText):
            names[part.module.tokens.embedding_dim] = next(clips)
        elif isinstance(part.module, T5Encoder):
            names[part.module.tokens.embedding_dim] = "t5xxl"
    names = names if len(word.vectors) > 1 else dict.fromkeys(names, word.name)
    tensors = {names[width]: vectors.float() for width, vectors in word.vectors.items()}
    _write(path, tensors, metadata or {})


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    own = torch.contiguous_format  # layers may share a factor, and files may not
    kept = {name: t.detach().cpu().clone(memory_format=own) for name, t in tensors.items()}
    data = safetensors.torch.save(kept)
    header, numbers = _apart(data)
    said = dict(metadata)
    if "modelspec.sai_model_spec" in said:
        said["modelspec.hash_sha256"] = f"0x{hashlib.sha256(numbers).hexdigest()}"
    # safetensors shuffles metadata, and the same run is to write the same file
    text = json.dumps({"__metadata__": said, **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_whole(path, len(text).to_bytes(8, "little") + text + numbers)


def _apart(file: bytes) -> tuple[dict[str, Any], bytes]:
    """What a safetensors file's header says, and all that comes after it."""
    end = 8 + int.from_bytes(file[:8], "little")
    return json.loads(file[8:end]), file[end:]


def _kohya(stem: str, delta: LoRA | DoRA) -> dict[str, Tensor]:
    lora, magnitude = _parted(delta)
    core = {} if lora.mid is None else {f"{stem}.lora_mid.weight": lora.mid}
    scale = {} if magnitude is None else {f"{stem}.dora_scale": magnitude}
    return core | {
        f"{stem}.lora_down.weight": lora.down,
        f"{stem}.lora_up.weight": lora.up,
        f"{stem}.alpha": torch.tensor(lora.factor * lora.rank),
        **scale,
    }


def _peft(stem: str, delta: LoRA | DoRA, dimensions: int) -> dict[str, Tensor]:
    """Nothing where the form has no place for the change."""
    lora, magnitude = _parted(delta)
    if lora.mid is not None or (isinstance(delta, DoRA) and not delta.by_rows):
        return {}
    scale: dict[str, Tensor] = {}
    if magnitude is not None:
        flat = magnitude.flatten()
        shaped = flat[None, :, None, None] if dimensions == 4 else flat
        # PEFT reads it without "weight" too, transformers' reader of text encoders does not
        scale = {f"{stem}.lora_magnitude_vector.weight": shaped}
    return {
        f"{stem}.lora_A.weight": lora.down,
        f"{stem}.lora_B.weight": lora.factor * lora.up,
        **scale,
    }


def _parted(delta: Delta) -> tuple[LoRA, Tensor | None]:
    """A LoRA, and the magnitudes where it gives a direction alone."""
    match delta:
        case LoRA():
            return delta, None
        case DoRA(direction=LoRA() as lora, magnitude=magnitude):
            return lora, magnitude
        case _:
            raise TypeError(f"no LoRA in a {type(delta).__name__}")


def _shaped(delta: LoRA | DoRA, weight: Tensor) -> LoRA | DoRA:
    """``delta`` with the dimensions that a file has for this weight of theirs."""
    lora, magnitude = _parted(delta)
    up, down = lora.up.flatten(1), lora.down.flatten(1)
    if weight.ndim == 4:
        up = up[:, :, None, None]
        down = down.unflatten(1, weight.shape[1:] if lora.mid is None else (-1, 1, 1))
    lora = replace(lora, up=up, down=down)
    if magnitude is None:
        return lora
    ones = [1] * (weight.ndim - 2)
    return DoRA(lora, magnitude.reshape(*magnitude.shape[:2], *ones))


def _written(part: Part) -> list[tuple[str, tuple[KeyMap, tuple[str, ...]]]]:
    # other names are for reading: the first is what other tools look for
    first = tuple(replace(keymap, also=()) for keymap in part.maps[:1])
    return list(published(replace(part, maps=first)).items())


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
