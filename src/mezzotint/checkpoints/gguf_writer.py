"""Write a diffusion network as GGUF, as ComfyUI-GGUF reads it.

Tensors keep the names of the original release without the prefix of a full checkpoint; the
metadata names the architecture. Vectors stay float32. Where the rows of a matrix or a kernel do
not fill whole blocks, a U-Net's is stored in rows of 256 with its shape in the metadata, as
ComfyUI-GGUF does for Stable Diffusion 1 and XL; anything else stays float32.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mezzotint.checkpoints.gguf_file import ORIGINAL_SHAPE, gguf_package
from mezzotint.checkpoints.tensors import sizes
from mezzotint.errors import InputError, choose
from mezzotint.files import whole_file

PREFIX = "model.diffusion_model."
ARCHITECTURES = {"sd1": True, "sdxl": True, "sd3": False, "flux": False}  # may rows be changed?
QUANTS = {  # and what llama.cpp calls a file of mostly that
    "F32": "ALL_F32",
    **{name: f"MOSTLY_{name}" for name in ("F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0")},
}
_ROW = 256
_MAX_NAME = 127  # of ComfyUI-GGUF


@dataclass(frozen=True)
class _Plan:
    """How a tensor is stored: packed how, and in which shape."""

    quant: str
    shape: tuple[int, ...]


def write_gguf(path: Path, tensors: Mapping[str, Tensor], architecture: str, quant: str) -> None:
    """Write a network's tensors to a GGUF file, one at a time, whole or not at all.

    Args:
        path: the file.
        tensors: the network's, by the names of the original release; each is asked for when it is
            written, and for its size before, unless they are a file's.
        architecture: "sd1", "sdxl", "sd3" or "flux".
        quant: "F32", "F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1" or "Q4_0".

    Raises:
        InputError: there is no such architecture or packing; a tensor is not of floating point or
            its name is too long; the gguf package is not installed; or ``path`` is not writable.
    """
    reshapes = choose("architecture", architecture, ARCHITECTURES)
    file_type = choose("quantisation", quant, QUANTS)
    gguf = gguf_package(path)
    block = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[quant]][0]
    known = sizes(tensors)
    plans = {name: _planned(name, *size, quant, block, reshapes) for name, size in known.items()}
    with whole_file(path) as part:
        writer = gguf.GGUFWriter(part, architecture)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        writer.add_file_type(gguf.LlamaFileType[file_type])
        for name, plan in plans.items():
            kind = gguf.GGMLQuantizationType[plan.quant]
            per_block, size = gguf.GGML_QUANT_SIZES[kind]
            short, (_, shape) = name.removeprefix(PREFIX), known[name]
            if shape != plan.shape:
                writer.add_array(ORIGINAL_SHAPE + short, shape)
            count = math.prod(shape) // per_block * size
            writer.add_tensor_info(short, plan.shape, np.dtype(np.float32), count, kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for name, plan in plans.items():
            numbers = tensors[name].detach().float().cpu().reshape(plan.shape).numpy()
            packed = gguf.quants.quantize(numbers, gguf.GGMLQuantizationType[plan.quant])
            writer.write_tensor_data(np.ascontiguousarray(packed))
        writer.close()


def _planned(
    name: str,
    dtype: torch.dtype,
    shape: tuple[int, ...],
    quant: str,
    block: int,
    reshapes: bool,
) -> _Plan:
    if not dtype.is_floating_point or len(name.removeprefix(PREFIX)) > _MAX_NAME:
        raise InputError(f"GGUF holds no {dtype} called {name}: only networks' weights")
    if len(shape) < 2:
        return _Plan("F32", shape)
    if shape[-1] % block == 0:
        return _Plan(quant, shape)
    if reshapes and math.prod(shape) % _ROW == 0:
        return _Plan(quant, (math.prod(shape) // _ROW, _ROW))
    return _Plan("F32", shape)
