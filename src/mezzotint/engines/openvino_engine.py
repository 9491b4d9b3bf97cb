"""OpenVINO as an engine: networks as graphs, compiled for this CPU.

The first call of a shape compiles, and then the weights are as they were: what is asked before each
call is whether they still are. What of that is kept on disk, see `openvino_graph` and
`openvino_model`.
"""

# pyright: reportMissingTypeStubs=false
# OpenVINO's own types are partial; what is made of them here is `Any`.

import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from textwrap import shorten
from threading import Lock
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from mezzotint.engines.base import Engine, State, hooked, owner, state
from mezzotint.engines.calls import Inputs, taken
from mezzotint.engines.openvino_graph import labels
from mezzotint.engines.openvino_model import Settings, compiled_model
from mezzotint.errors import InputError

PRECISIONS = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}
KEPT = 2  # shapes for which a method stays compiled: each has the weights as its kernels read them


class Executes(Protocol):
    """What was made of a network's method for inputs of one shape."""

    def __call__(self, network: nn.Module, inputs: Inputs) -> Any:
        """What the network, with its weights as they were, makes of inputs of this shape."""
        ...


Make = Callable[[nn.Module, str, Inputs, bool], Executes]
"""(Network, method, inputs, whether its weights may come again in another process) → executable."""


@dataclass(frozen=True)
class Compiled:
    """A compiled graph.

    Attributes:
        request: OpenVINO's.
        reads: which of the inputs it takes, in its order.
        bound: whatever else it reads the memory of.
    """

    request: Any
    reads: Sequence[int]
    bound: Sequence[Any]

    def __call__(self, network: nn.Module, inputs: Inputs) -> Any:
        """A tensor, or a tuple of several, in the network's dtype."""
        tensors, dtype = inputs.tensors, dtype_of(network)
        found = self.request.infer([array(tensors[k]) for k in self.reads], share_inputs=True)
        made = tuple(torch.from_numpy(found[k]).to(dtype) for k in range(len(found)))
        return made[0] if len(made) == 1 else made


@dataclass
class _Known:
    """What has been made of a network.

    Attributes:
        state: of its weights then.
        changed: whether they are others than at first.
        made: by method and kind of inputs, the last used last; None for what cannot be a graph.
        said: what the user has been told of it.
    """

    state: State
    changed: bool = False
    made: OrderedDict[tuple[str, str], Executes | None] = field(
        default_factory=OrderedDict[tuple[str, str], Executes | None]
    )
    said: set[str] = field(default_factory=set[str])


def openvino() -> Engine:
    """An engine that compiles each network at its first call of a shape.

    It computes in what the network's dtype says, as far as the machine can. What a graph cannot
    tell is executed eagerly, and said: hooks, and gradients.

    Raises:
        InputError: OpenVINO is not installed; and by the engine, a network is not on a CPU.
    """
    return engine_by(exactly)


def engine_by(make: Make) -> Engine:
    """An engine by what makes executables, which are made anew when weights have changed."""
    if find_spec("openvino") is None:
        raise InputError("engine 'openvino' is not installed: pip install 'mezzotint[openvino]'")
    networks: WeakKeyDictionary[nn.Module, _Known] = WeakKeyDictionary()
    one_at_a_time = Lock()

    def engine(run: Callable[..., Any], /, *inputs: Any, **named: Any) -> Any:
        network = owner(run)
        if network is None:
            return run(*inputs, **named)
        given, method = taken(inputs, named), getattr(run, "__name__", "__call__")
        with one_at_a_time:
            known = networks.setdefault(network, _Known(now := state(network)))
            if reason := _unfit(run, network, given):
                _say(known, network, f"runs without OpenVINO while {reason}")
                return run(*inputs, **named)
            if known.state != now:
                known.state, known.changed = now, True
                known.made.clear()  # before memory is taken for another
                _say(known, network, "has other weights, so OpenVINO compiles it anew, in seconds")
            if executes := _made(known, make, network, method, given):
                return executes(network, given)
        return run(*inputs, **named)

    return engine


def _made(
    known: _Known, make: Make, network: nn.Module, method: str, inputs: Inputs
) -> Executes | None:
    """What executes such a call; None where only PyTorch can, which is said."""
    key = method, inputs.kind
    if key not in known.made:
        of_method = [each for each in known.made if each[0] == method]
        for oldest in of_method[: 1 - KEPT]:
            del known.made[oldest]
        try:
            known.made[key] = make(network, method, inputs, not known.changed)
        except InputError:  # the network's own, which is clearer without all this
            return None
        except Exception as error:  # OpenVINO and tracing fail in ways of their own
            known.made[key] = None
            told = str(error).strip() or type(error).__name__
            reason = shorten(told.rsplit("\n", 1)[-1], 160)
            _say(known, network, f"runs without OpenVINO, which cannot take it: {reason}")
    known.made.move_to_end(key)
    return known.made[key]


def exactly(network: nn.Module, method: str, inputs: Inputs, lasting: bool) -> Compiled:
    """Compile for the network's own dtype; a ``Make``."""
    model, bound = compiled_model(network, method, inputs, settings(network), lasting)
    return executable(model, inputs, bound)


def executable(model: Any, inputs: Inputs, bound: Sequence[Any] = ()) -> Compiled:
    """An `openvino.CompiledModel` that reads these tensors, for such inputs."""
    return Compiled(model.create_infer_request(), reads(model, inputs), bound)


def reads(model: Any, inputs: Inputs) -> list[int]:
    """Which of the inputs a graph or a model takes, in its order; a compiler adds names."""
    places = {name: k for k, name in enumerate(labels(inputs))}
    called = [port.get_names() & places.keys() for port in model.inputs]
    return [places[name] for (name,) in called]


def settings(network: nn.Module) -> Settings:
    """What OpenVINO is told: to be as exact as the dtype, and to take as many threads as torch."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": PRECISIONS[dtype_of(network)],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "ENABLE_CPU_PINNING": False,  # else two processes share a core beside an idle one
    }


def dtype_of(network: nn.Module) -> torch.dtype:
    """What a network computes in."""
    return next(network.parameters()).dtype


def array(tensor: Tensor) -> Any:
    """A tensor as numpy sees it, without a copy if it is float32 already."""
    tensor = tensor.detach()
    return (tensor.float() if tensor.is_floating_point() else tensor).contiguous().numpy()


def _unfit(run: Callable[..., Any], network: nn.Module, inputs: Inputs) -> str | None:
    """Why no graph can stand for the network now, if there is something.

    Raises:
        InputError: the network is not on a CPU.
    """
    first = next(network.parameters())
    if first.device.type != "cpu":
        raise InputError(
            f"engine 'openvino' executes on the CPU, and the model is on {first.device}: "
            "load it with device 'cpu', or another engine"
        )
    if hooked(run):
        return "something is hooked into it, an adapter or an observer"
    if first.dtype not in PRECISIONS:
        return f"its dtype is {first.dtype}"
    tensors = (*inputs.tensors, *network.parameters())
    if torch.is_grad_enabled() and any(each.requires_grad for each in tensors):
        return "gradients are asked for"
    return None


def _say(known: _Known, network: nn.Module, what: str) -> None:
    """Tell the user, once."""
    if what not in known.said:
        known.said.add(what)
        warnings.warn(f"the {type(network).__name__} {what}", stacklevel=4)
