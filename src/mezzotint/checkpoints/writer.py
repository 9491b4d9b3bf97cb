"""Write files of tensors, whole or not at all, and one tensor at a time.

No file holds the whole model in memory a second time: each tensor is asked for, written and let go.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from mezzotint.checkpoints.tensors import NAMES, sizes
from mezzotint.errors import InputError
from mezzotint.files import whole_file, write_whole

Sizes = dict[str, tuple[torch.dtype, tuple[int, ...]]]


def write_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str] | None = None,
    shard_bytes: int | None = None,
) -> Path:
    """Write tensors as safetensors, and return what to open: the file, or the index of its shards.

    Args:
        path: such as "model.safetensors"; the shards are "model-00001-of-00002.safetensors" and
            so on, their index "model.safetensors.index.json", as transformers and diffusers name
            them.
        tensors: each is asked for when it is written; and for its size before, unless they are a
            file's.
        metadata: free text about them.
        shard_bytes: the largest file, unless a single tensor is larger; one file by default.

    Raises:
        InputError: the folder is missing or not writable, or safetensors has no such dtype.
    """
    known = sizes(tensors)
    if unknown := sorted({str(dtype) for dtype, _ in known.values() if dtype not in NAMES}):
        raise InputError(f"{path} cannot be written: safetensors has no {', '.join(unknown)}")
    shards = _shards(known, shard_bytes)
    if len(shards) == 1:
        _write(path, tensors, known, metadata or {})
        return path
    files: dict[str, str] = {}
    for i, names in enumerate(shards, 1):
        file = path.with_stem(f"{path.stem}-{i:05}-of-{len(shards):05}")
        _write(file, tensors, {name: known[name] for name in names}, metadata or {})
        files |= dict.fromkeys(names, file.name)
    total = sum(map(_bytes, known.values()))
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(files.items()))}
    path_of_index = path.with_name(f"{path.name}.index.json")
    write_whole(path_of_index, json.dumps(index, indent=2).encode() + b"\n")
    return path_of_index


def _bytes(size: tuple[torch.dtype, tuple[int, ...]]) -> int:
    dtype, shape = size
    return math.prod(shape) * dtype.itemsize


def _shards(sizes: Sizes, limit: int | None) -> list[list[str]]:
    """The names of the tensors of each file, in order, each file as full as it may be."""
    shards: list[list[str]] = [[]]
    room = math.inf if limit is None else limit
    for name, size in sizes.items():
        if shards[-1] and room < _bytes(size):
            shards.append([])
            room = limit or 0
        shards[-1].append(name)
        room -= _bytes(size)
    return shards


def _write(
    path: Path, tensors: Mapping[str, Tensor], sizes: Sizes, metadata: Mapping[str, str]
) -> None:
    # the widest numbers come first, so that each tensor begins at a multiple of its numbers' size
    names = sorted(sizes, key=lambda name: (-sizes[name][0].itemsize, name))
    header: dict[str, object] = {"__metadata__": {"format": "pt", **metadata}}
    end = 0
    for name in names:
        begin, end = end, end + _bytes(sizes[name])
        dtype, shape = sizes[name]
        header[name] = {"dtype": NAMES[dtype], "shape": shape, "data_offsets": (begin, end)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with whole_file(path) as part, part.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            _write_numbers(file, tensors[name])


def _write_numbers(file: BinaryIO, tensor: Tensor) -> None:
    numbers = tensor.detach().cpu().contiguous().reshape(-1)
    if numbers.numel():
        file.write(numbers.view(torch.uint8).numpy().data)
