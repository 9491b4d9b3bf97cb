"""Files for other tools: LoRAs in kohya's form and PEFT's, and words of textual inversion."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from torch import Tensor

from mezzotint.adapters.deltas import DoRA, LoRA
from mezzotint.adapters.embedding import TextualInversion
from mezzotint.adapters.joined import joined, parted
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
        parts: the networks that they are of. diffusers' and transformers' names are written, but
            the original ones of transformers in kohya's form, where queries, keys and values are
            one layer, of the ranks of all three.
        form: "kohya" (for A1111 and ComfyUI) or "peft" (for diffusers). PEFT's has no place for α,
            so that α/r is multiplied into B there. diffusers leaves the magnitudes of a DoRA in
            kohya's form out, and reads those in PEFT's; of kohya's names of transformers it reads
            FLUX.1's, and no others.
        metadata: text to go with it.

    Raises:
        InputError: the folder is missing or not writable, the disk is full, or the form has no
            place for a change: PEFT's for a Tucker core or a magnitude a column, kohya's for
            magnitudes of some of the layers that are one there.
    """
    tensors: dict[str, Tensor] = {}
    for part, layers in changes.items():
        prefix = (_kohya_prefix if form == "kohya" else _peft_prefix)(part, parts)
        for theirs, delta in _theirs(path, layers, parts[part], form).items():
            layer = prefix + (theirs.replace(".", "_") if form == "kohya" else theirs)
            tensors |= _kohya(layer, delta) if form == "kohya" else _peft(path, layer, delta)
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
    lora, magnitude = parted(delta)
    core = {} if lora.mid is None else {f"{stem}.lora_mid.weight": lora.mid}
    scale = {} if magnitude is None else {f"{stem}.dora_scale": magnitude}
    return core | {
        f"{stem}.lora_down.weight": lora.down,
        f"{stem}.lora_up.weight": lora.up,
        f"{stem}.alpha": torch.tensor(lora.factor * lora.rank),
        **scale,
    }


def _peft(path: Path, stem: str, delta: LoRA | DoRA) -> dict[str, Tensor]:
    lora, magnitude = parted(delta)
    if lora.mid is not None or (isinstance(delta, DoRA) and not delta.by_rows):
        raise InputError(f"{path}: PEFT's form has no Tucker cores; save it in kohya's")
    scale: dict[str, Tensor] = {}
    if magnitude is not None:
        flat = magnitude.flatten()
        shaped = flat[None, :, None, None] if lora.up.ndim == 4 else flat
        # PEFT reads it without "weight" too, transformers' reader of text encoders does not
        scale = {f"{stem}.lora_magnitude_vector.weight": shaped}
    return {
        f"{stem}.lora_A.weight": lora.down,
        f"{stem}.lora_B.weight": lora.factor * lora.up,
        **scale,
    }


def _shaped(delta: LoRA | DoRA, weight: Tensor) -> LoRA | DoRA:
    """``delta`` with the dimensions that a file has for this weight of theirs."""
    lora, magnitude = parted(delta)
    up, down = lora.up.flatten(1), lora.down.flatten(1)
    if weight.ndim == 4:
        up = up[:, :, None, None]
        down = down.unflatten(1, weight.shape[1:] if lora.mid is None else (-1, 1, 1))
    lora = replace(lora, up=up, down=down)
    if magnitude is None:
        return lora
    ones = [1] * (weight.ndim - 2)
    return DoRA(lora, magnitude.reshape(*magnitude.shape[:2], *ones))


def _theirs(
    path: Path, layers: Mapping[str, LoRA | DoRA], part: Part, form: Form
) -> dict[str, LoRA | DoRA]:
    """Changes by their names of layers, and of their weights' shapes."""
    found: dict[str, LoRA | DoRA] = {}
    for theirs, (keymap, ours) in published(replace(part, maps=_written(part, form))).items():
        if changed := {name: layers[name] for name in ours if name in layers}:
            weights = {name: part.module.get_parameter(name).to("meta") for name in ours}
            rows = {name: len(weight) for name, weight in weights.items()}
            layer = theirs.removesuffix(".weight")
            try:
                whole = joined(changed, rows, partial(_placed, keymap, theirs))
            except ValueError as error:
                raise InputError(
                    f"{path}: {layer} is one layer of kohya's, and this has {error}; save it in "
                    "PEFT's form"
                ) from error
            found[layer] = _shaped(whole, keymap.to_theirs(weights)[theirs])
    return found


def _placed(keymap: KeyMap, theirs: str, ours: Mapping[str, Tensor]) -> Tensor:
    return keymap.to_theirs(ours)[theirs].flatten(1)


def _written(part: Part, form: Form) -> tuple[KeyMap, ...]:
    """The names that other tools look for; others are for reading."""
    original = form == "kohya" and not isinstance(part.module, UNet | CLIPText | T5Encoder)
    chosen = part.maps[1:2] if original else part.maps[:1]
    return tuple(replace(keymap, also=()) for keymap in chosen or part.maps[:1])


def _kohya_prefix(part: str, parts: Mapping[str, Part]) -> str:
    if part == "network":
        return "lora_unet_"  # of transformers too, by their original names
    if isinstance(parts[part].module, T5Encoder):
        return "lora_te3_"
    alone = "text_2" not in parts
    return "lora_te_" if alone else {"text": "lora_te1_", "text_2": "lora_te2_"}[part]


def _peft_prefix(part: str, parts: Mapping[str, Part]) -> str:
    if part == "network":
        return "unet." if isinstance(parts[part].module, UNet) else "transformer."
    return part.replace("text", "text_encoder", 1) + "."
