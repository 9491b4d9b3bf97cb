"""Models written with LoRAs in them, in the form that they were read in."""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from mezzotint.checkpoints.diffusers_folder import MODEL_INDEX, weights_file
from mezzotint.checkpoints.folder import open_folder, write_manifest
from mezzotint.checkpoints.tensors import DTYPES, Stored, Tensors
from mezzotint.checkpoints.writer import write_tensors
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.families.files.found import Found, in_file, in_folder
from mezzotint.families.files.write_folder import SHARD
from mezzotint.families.storybook import NETWORKS, STORYBOOK, TEXT, kind_of
from mezzotint.files import whole_folder, write_whole
from mezzotint.models.dit import DiT
from mezzotint.models.unet import UNet

Touched = Mapping[str, Collection[str]]
"""Our names of the tensors that are other than they were, by part."""


def write_merged(source: Path, target: Path, parts: Mapping[str, Part], touched: Touched) -> None:
    """Write a model as it lies in ``source``, with the tensors that were touched as they are now.

    Names, dtypes and all that was not touched stay. In a folder of ours, a network that was touched
    is float16 instead of 8 bits.

    Args:
        source: a folder of ours or of diffusers', or one file of weights.
        target: a new folder, or `NAME.safetensors` for a file.
        parts: the networks as they are now.
        touched: what is other than it was.

    Raises:
        InputError: ``target`` is there or cannot be written, the disk is full, or a network that
            was touched lies elsewhere than in ``source``.
    """
    if target.exists():
        raise InputError(f"{target} is there already: give another name")
    if source.is_file() and target.suffix != ".safetensors":
        raise InputError(f"{target}: a file is written as NAME.safetensors")
    if source.is_file():
        found = in_file(source)
        tensors = next(iter(found.values())).tensors
        whole = _replaced(tensors, found, parts, touched, source)
        write_tensors(target, whole, tensors.metadata)
        return
    with whole_folder(target) as folder:
        diffusers = (source / MODEL_INDEX).is_file()
        (_write_diffusers if diffusers else _write_ours)(source, folder, parts, touched)


def _write_diffusers(
    source: Path, folder: Path, parts: Mapping[str, Part], touched: Touched
) -> None:
    shutil.copytree(source, folder, dirs_exist_ok=True)
    found = in_folder(source)
    for part in touched:
        each = found[part]
        home = folder / each.file.name
        for old in (*home.glob("*.safetensors*"), *home.glob("*.bin*")):
            old.unlink()
        tensors = _replaced(each.tensors, {part: each}, parts, {part: touched[part]}, source)
        stem = weights_file(each.file).name.split(".")[0].split("-0")[0]
        write_tensors(home / f"{stem}.safetensors", tensors, shard_bytes=SHARD)


def _write_ours(source: Path, folder: Path, parts: Mapping[str, Part], touched: Touched) -> None:
    open_folder(source).copy_to(folder)
    for part in touched:
        module = parts[part].module
        file = NETWORKS[kind_of(module.params)] if isinstance(module, UNet | DiT) else TEXT
        state = {
            name: tensor.cpu().contiguous().half() for name, tensor in module.state_dict().items()
        }
        write_whole(folder / file, safetensors.torch.save(state, {"family": STORYBOOK.name}))
    write_manifest(folder, STORYBOOK.name)


def _replaced(
    tensors: Tensors,
    found: Mapping[str, Found],
    parts: Mapping[str, Part],
    touched: Touched,
    source: Path,
) -> Tensors:
    """A file's tensors, with those that hold what was touched as it is now."""
    stored = dict(tensors.stored)
    for part, names in touched.items():
        if part not in found:
            raise InputError(
                f"{source} holds no {part}, which the LoRA changes: give a whole model"
            )
        place, state = found[part].place, parts[part].module.state_dict()
        for theirs, ours in place.keys.held_in(place.of(tensors.stored)).items():
            if not set(ours) & set(names):
                continue
            old = stored[place.prefix + theirs]
            if old.dtype not in ("F64", "F32", "F16", "BF16"):
                raise InputError(f"{source}: {theirs} is {old.dtype}, which has no room for more")
            # the file may have another name for it than is written
            (new,) = place.keys.to_theirs({name: state[name] for name in ours}).values()
            read = partial(_as, new, DTYPES[old.dtype], old.shape)
            stored[place.prefix + theirs] = Stored(old.dtype, old.shape, read)
    return replace(tensors, stored=stored)


def _as(tensor: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    return tensor.reshape(shape).to(dtype)
