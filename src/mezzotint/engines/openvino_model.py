"""A network as a model that OpenVINO has compiled for this CPU, with its weights in it.

OpenVINO can write what it compiled, which halves the time of a small network's start. A large one's
start is none the sooner: it is the packing of weights that takes time, and that is not spared;
and all its weights would be on disk a second time. So what is small is kept, by what its weights
are, and what is large is compiled anew by each process.
"""

# pyright: reportMissingTypeStubs=false
# OpenVINO's own types are partial; what is made of them here is `Any`.

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mezzotint.engines.calls import Inputs, machine, weights
from mezzotint.engines.openvino_graph import graph_folder, graph_of, not_kept
from mezzotint.errors import InputError
from mezzotint.files import made, whole_file

SMALL = 2**27  # bytes of weights up to which what was compiled is kept
ROOM = 2**30  # bytes of all that is kept, beyond which what was not used for longest goes
KIND = ".compiled"
DIGEST = 32  # bytes in front of it, by which damage shows

Settings = Mapping[str, str | int | bool]


def compiled_model(
    network: nn.Module, method: str, inputs: Inputs, settings: Settings, lasting: bool
) -> tuple[Any, Sequence[Any]]:
    """A network's method as an `openvino.CompiledModel`, and that whose memory it reads.

    Args:
        network: with its weights as they are now.
        method: what is called of it.
        inputs: of these shapes, by whose labels the model's inputs are called.
        settings: what OpenVINO is told.
        lasting: whether the weights may come again, in another process.
    """
    from openvino import Core

    own = weights(network)
    small = sum(weight.nbytes for weight in own.values()) <= SMALL
    file = kept_file(network, method, inputs, settings) if small and lasting else None
    if file is not None and (found := kept(file, settings)):
        return found
    graph = graph_of(network, method, inputs)
    bound = bind(graph, own)
    model = Core().compile_model(graph, "CPU", dict(settings))
    if file is not None:
        keep(file, model)
    return model, bound


def bind(graph: Any, own: Mapping[str, Tensor]) -> Sequence[Tensor]:
    """Put weights in a graph for the parameters called so, in their own memory.

    What is narrower than float32 stays so, and is marked as what a compiler may widen or not.
    """
    from openvino import Tensor as View
    from openvino import Type
    from openvino.op import Constant
    from openvino.opset13 import convert

    bound: list[Tensor] = []
    for parameter in graph.get_parameters():
        weight = next((own[name] for name in parameter.output(0).get_names() & own.keys()), None)
        if weight is None:
            continue
        bound.append(tensor := weight.detach().contiguous())
        if tensor.dtype in (torch.bfloat16, torch.float16):
            kind = Type.bf16 if tensor.dtype == torch.bfloat16 else Type.f16
            array = tensor.view(torch.float16).numpy()  # the same bits: numpy knows no bfloat16
            view = View(array, list(array.shape), kind)
            node = convert(Constant(view, shared_memory=True), "f32")
            node.get_rt_info()["decompression_0"] = ""  # else the compiler keeps it in float32 too
        else:
            node = Constant(tensor.numpy(), shared_memory=True)
        parameter.output(0).replace(node.output(0))
        graph.remove_parameter(parameter)
    return bound


def kept_file(network: nn.Module, method: str, inputs: Inputs, settings: Settings) -> Path:
    """Where what is compiled of these very weights is kept."""
    digest = hashlib.sha256(f"{machine()} {sorted(settings.items())}".encode())
    for name, weight in weights(network).items():
        digest.update(f"{name} {weight.dtype}".encode())
        digest.update(weight.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    folder = graph_folder(network, method, inputs)
    return folder.with_name(f"{folder.name}-{digest.hexdigest()[:32]}{KIND}")


def kept(file: Path, settings: Settings) -> tuple[Any, Sequence[Any]] | None:
    """The model in a file, and the file in memory; None where there is none.

    The file is mapped, so its bytes are not in memory a second time. Damage is said.
    """
    from openvino import Core
    from openvino import Tensor as View

    try:
        if not file.exists():
            return None
        with suppress(OSError):  # it can be read where it cannot be written
            file.touch()
        mapped = np.memmap(file, np.uint8, mode="c")  # as if writable, which OpenVINO asks for
        data = mapped[DIGEST:]
        if hashlib.sha256(data.data).digest() != mapped[:DIGEST].tobytes():
            raise ValueError("it is not what was written")
        model = Core().import_model(View(data, shared_memory=True), "CPU", dict(settings))
        return model, (mapped,)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).split("\n", 1)[0]
        warnings.warn(f"{file} is damaged, so it is made anew: {reason}", stacklevel=2)
        return None


def keep(file: Path, model: Any) -> None:
    """Write a model, and remove what was not used for longest while there is too much."""
    try:
        data = model.export_model().getbuffer()
        made(file.parent)
        with whole_file(file) as part, part.open("wb") as stream:
            stream.write(hashlib.sha256(data).digest())
            stream.write(data)
    except (InputError, RuntimeError) as error:
        not_kept(file, error)
    there: list[tuple[float, int, Path]] = []
    for each in file.parent.glob(f"*{KIND}"):
        with suppress(OSError):  # another process may delete it meanwhile
            there.append(((status := each.stat()).st_mtime, status.st_size, each))
    total = 0
    for _, size, each in sorted(there, reverse=True):
        total += size
        if total > ROOM and each != file:
            with suppress(OSError):
                each.unlink(missing_ok=True)
