"""A network as an OpenVINO graph whose weights are inputs, like everything else that it reads.

Such a graph tells what a network computes and nothing of what it has learnt. So it is a few
megabytes on disk whatever the network's size, no weight is written a second time, and a graph out
of the cache cannot be of other weights than those that are bound to it.
"""

# pyright: reportMissingTypeStubs=false
# OpenVINO's own types are partial; what is made of them here is `Any`.

import hashlib
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mezzotint.engines.calls import Inputs, computes, pure, weights
from mezzotint.errors import InputError
from mezzotint.files import cache_place, whole_folder
from mezzotint.nn.layout import channels_last

XML, BIN, DIGEST = "graph.xml", "graph.bin", "sha256"
FOLDER = "openvino"  # in the cache's

_TOLD: set[Path] = set()  # folders of which it was said that nothing is kept in them


def labels(inputs: Inputs) -> list[str]:
    """What a graph calls each of the tensors that a network is called with."""
    return [f"input {k}" for k in range(len(inputs.tensors))]


def graph_of(network: nn.Module, method: str, inputs: Inputs) -> Any:
    """The `openvino.Model` of a network's method, from the cache if it has been there before.

    Its parameters are those of the weights and of the inputs that count, called by the names and
    the labels of these. All that is floating is float32, as a network's dtype is nothing but how
    exactly the same is computed.

    Args:
        network: whose weights count by their names, shapes and dtypes alone.
        method: what is called of it, which gives a tensor or several.
        inputs: of these shapes.
    """
    folder = graph_folder(network, method, inputs)
    try:
        if folder.exists():
            return _read(folder)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).split("\n", 1)[0]
        warnings.warn(f"{folder} is damaged, so it is made anew: {reason}", stacklevel=2)
    graph = _traced(network, method, inputs)
    _write(graph, folder)
    return graph


def graph_folder(network: nn.Module, method: str, inputs: Inputs) -> Path:
    """Where a graph is kept: the same only where the same code is run with the same settings."""
    import openvino

    told = [openvino.__version__, torch.__version__, computes(network), method, inputs.kind]
    told.append(Path(__file__).read_text())  # another way of tracing is another graph
    key = hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]
    return cache_place() / FOLDER / key


def _traced(network: nn.Module, method: str, inputs: Inputs) -> Any:
    """Go through the network with tensors of no numbers: it takes seconds, whatever its size."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder
    from torch._subclasses import FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx

    own, function = weights(network), pure(network, method, inputs)

    def flat(*tensors: Tensor) -> Any:
        return function(tensors[: len(own)], tensors[len(own) :])

    # with gradients on, networks do nothing in place, which a graph could not tell
    with torch.inference_mode(False), torch.enable_grad():
        with FakeTensorMode():
            # of such maps the pixels are tokens as they are, and a product of them is one product
            maps = [channels_last(_fake(each)) for each in (*own.values(), inputs.tensors[0])]
            fakes = [*maps, *(_fake(each) for each in inputs.tensors[1:])]
        module = make_fx(flat, tracing_mode="fake")(*fakes)
    for node in module.graph.nodes:
        if node.target is torch.ops.aten.add_.Scalar:  # but RMSNorm does, to what nobody else reads
            node.target = torch.ops.aten.add.Scalar
    decoder = TorchFXPythonDecoder(module)  # the frontend itself holds no reference to it
    frontend: Any = FrontEndManager().load_by_framework("pytorch")
    graph = frontend.convert(frontend.load(decoder))
    places = [node.name for node in module.graph.nodes if node.op == "placeholder"]
    called = dict(zip(places, [*own, *labels(inputs)], strict=True))
    for parameter in graph.get_parameters():  # of what has no use, there is none
        (name,) = parameter.output(0).get_names() & called.keys()
        parameter.output(0).set_names({called[name]})
    return graph


def _fake(like: Tensor) -> Tensor:
    """A tensor of this shape."""
    return torch.empty(like.shape, dtype=torch.float32 if like.is_floating_point() else like.dtype)


def _write(graph: Any, folder: Path) -> None:
    import openvino

    try:
        with whole_folder(folder) as part:
            openvino.serialize(graph, part / XML, part / BIN)
            (part / DIGEST).write_text(_checksum(part))
    except (InputError, OSError, RuntimeError) as error:  # or another process writes the same
        not_kept(folder, error)


def not_kept(path: Path, error: Exception) -> None:
    """Say, once of a folder, that what was made is not kept in it: nothing else is lost."""
    if path.parent not in _TOLD:
        _TOLD.add(path.parent)
        line = f"what is made for OpenVINO is not kept in {path.parent}, but made again next time"
        reason = str(error).strip().rsplit("\n", 1)[-1]  # the first of OpenVINO's tell of its code
        warnings.warn(f"{line}: {reason}", stacklevel=2)


def _read(folder: Path) -> Any:
    """The graph in a folder.

    Raises:
        OSError, RuntimeError, ValueError: it is not as it was written.
    """
    import openvino

    if (folder / DIGEST).read_text() != _checksum(folder):
        raise ValueError("its files are not those that were written")
    return openvino.Core().read_model(folder / XML)


def _checksum(folder: Path) -> str:
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in (XML, BIN))).hexdigest()
