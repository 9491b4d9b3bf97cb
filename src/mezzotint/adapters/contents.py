"""What stands for tensors and pictures, where a file's name may stand for others tomorrow."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL import Image


def digest(tensors: Mapping[str, Tensor], *pictures: "Image.Image") -> str:
    """32 hex digits of tensors by their names, and of pictures; about a second a gigabyte."""
    found = blake2b(digest_size=16)
    for name, tensor in tensors.items():
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(raw(tensor))
    for picture in pictures:
        found.update(f"{picture.mode} {picture.size}".encode() + picture.tobytes())
    return found.hexdigest()


def raw(tensor: Tensor) -> memoryview:
    """A tensor's bytes, in the order of its elements."""
    rows = tensor.detach().cpu().contiguous().reshape(-1)
    return rows.view(torch.uint8).numpy().data  # numpy knows no bfloat16
