"""Folders as diffusers and transformers save them: a folder a component, with its weights in it."""

from pathlib import Path
from typing import cast

from mezzotint.checkpoints.table import read_table
from mezzotint.errors import InputError

MODEL_INDEX = "model_index.json"
_STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
_VARIANTS = ("", ".fp16", ".bf16")
_SUFFIXES = ("safetensors", "bin")


def components(folder: Path) -> dict[str, str]:
    """The components of a saved pipeline, such as "unet", and the class of each.

    Raises:
        InputError: the folder has no model_index.json, or a damaged one.
    """
    found: dict[str, str] = {}
    for name, value in read_table(folder / MODEL_INDEX).items():
        if isinstance(value, list) and len(pair := cast("list[object]", value)) == 2 and pair[1]:
            found[name] = str(pair[1])
    if any(Path(name).name != name for name in found):
        raise InputError(f"{folder / MODEL_INDEX} names a component outside its folder")
    return found


def weights_file(folder: Path) -> Path:
    """The file, or the index of the files, with the weights of a component.

    Safetensors come before pickles, and what has no variant in its name before half precision.

    Raises:
        InputError: there is none.
    """
    for suffix in _SUFFIXES:
        for variant in _VARIANTS:
            for stem in _STEMS:
                index = f"{stem}.{suffix}.index{variant}.json"
                for name in (f"{stem}{variant}.{suffix}", index):
                    if (folder / name).is_file():
                        return folder / name
    alone = sorted(folder.glob("*.safetensors"))
    if len(alone) == 1:
        return alone[0]
    if not alone:
        raise InputError(f"{folder} has no weights: no model.safetensors or the like is in it")
    names = ", ".join(file.name for file in alone[:5])
    raise InputError(f"{folder} has several files of weights, name one of them: {names}")
