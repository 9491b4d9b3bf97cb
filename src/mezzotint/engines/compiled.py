"""Networks as machine code, by PyTorch's inductor: compiled once, and kept on disk.

What runs is compiled for the shapes that it is called with, and takes the weights as inputs: so
another network of the same shape needs no compiling, nor does one whose weights have changed, and
they count at once. Where there are hooks in a network, where gradients are asked for, and where
nothing can be compiled, a network runs as PyTorch does it.
"""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from textwrap import shorten
from threading import RLock
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from mezzotint.engines.base import Engine, State, hooked, owner, state
from mezzotint.engines.calls import Inputs, computes, digest, machine, taken, weights
from mezzotint.engines.compiled_int8 import has_int8
from mezzotint.engines.compiled_program import OPTIONS, Program, compiled_package
from mezzotint.engines.laid import Parts, Slot
from mezzotint.errors import InputError
from mezzotint.files.compiled import CompiledStore

P = ParamSpec("P")
R = TypeVar("R")

STORE = CompiledStore(".pt2")
SOURCES = ("compiled_*.py", "laid.py")  # of what is compiled, beside the network's own


@dataclass(frozen=True)
class _Call:
    """A network's method, what it is called with, and whether it is to multiply in int8."""

    network: nn.Module
    method: str
    inputs: Inputs
    int8: bool

    @property
    def name(self) -> str:
        """For people."""
        return f"{type(self.network).__name__}.{self.method}"


@dataclass
class _Known:
    """What is known of a network while its weights stay.

    Attributes:
        state: of the weights.
        weights: in their order.
        computes: tells it apart from networks that compute differently.
        laid: weights as programs take them, by ``Slot.key``.
        values: all that a program takes of them, by its key.
    """

    state: State
    weights: list[Tensor]
    computes: str
    laid: dict[str, Parts] = field(default_factory=dict[str, Parts])
    values: dict[str, list[Tensor]] = field(default_factory=dict[str, list[Tensor]])


def compiled() -> Engine:
    """An engine that compiles what it is given, or finds it compiled on disk."""
    return _Compiled()


def compiled_int8() -> Engine:
    """As ``compiled``, but a network multiplies in int8 where that is worth it.

    What is called once a picture stays exact, as it takes little of the time: autoencoders, and
    what a network makes of a prompt. So does what runs on a GPU.

    Raises:
        InputError: the processor has no AVX-512 VNNI, without which int8 overflows or is slow.
    """
    if not has_int8():
        raise InputError(
            "engine 'compiled-int8' needs a processor with AVX-512 VNNI; use 'compiled'"
        )
    return _Compiled(int8=True)


class _Compiled:
    def __init__(self, int8: bool = False) -> None:
        self._int8 = int8
        self._programs: dict[str, Program] = {}
        self._known: WeakKeyDictionary[nn.Module, _Known] = WeakKeyDictionary()
        self._given_up: set[tuple[str, str]] = set()
        self._said: set[str] = set()
        self._lock = RLock()

    def __call__(self, run: Callable[P, R], /, *inputs: P.args, **named: P.kwargs) -> R:
        network = owner(run)
        if network is None or _more_than_numbers(network):
            return run(*inputs, **named)
        method = "forward" if run is network else run.__name__
        int8 = self._int8 and method == "forward"
        call = _Call(network, method, taken(inputs, named), int8)
        if hooked(run):
            self._say(
                f"{call.name} runs as PyTorch does it: something is hooked into it, such as a live "
                "LoRA or a ControlNet, which compiled code would not know"
            )
            return run(*inputs, **named)
        if any(each.device.type != "cpu" for each in call.inputs.tensors):
            return _by_torch(type(network), call.method)(network, *inputs, **named)
        kind = call.name, call.inputs.kind
        if kind in self._given_up:
            return run(*inputs, **named)
        try:
            program, values = self._ready(call)
            return program(values, call.inputs.tensors)
        except InputError:  # the network's own, which is clearer without all this
            return run(*inputs, **named)
        except Exception as error:  # a compiler fails in ways of its own
            self._given_up.add(kind)
            self._say(f"{call.name} runs as PyTorch does it: {_reason(error)}")
            return run(*inputs, **named)

    def _ready(self, call: _Call) -> tuple[Program, list[Tensor]]:
        """The program of a call, and the weights as it takes them."""
        with self._lock:
            known = self._knows(call.network)
            key = _key(known, call)
            if key not in self._programs:
                self._programs[key] = self._found(key, call)
            program = self._programs[key]
            if key not in known.values:
                known.values[key] = [_laid(known, slot) for slot in program.slots]
            return program, known.values[key]

    def _knows(self, network: nn.Module) -> _Known:
        known, now = self._known.get(network), state(network)
        if known is None or known.state != now:
            known = _Known(now, list(weights(network).values()), computes(network))
            self._known[network] = known
        return known

    def _found(self, key: str, call: _Call) -> Program:
        """The program under a key, from disk or compiled."""
        if kept := STORE.find(key):
            try:
                return Program(kept.data)
            except RuntimeError as error:
                STORE.forget(key)
                self._say(f"{call.name} is compiled anew, as what was kept fails: {_reason(error)}")
        shape = "x".join(map(str, call.inputs.tensors[0].shape)) if call.inputs.tensors else "()"
        self._say(f"compiling {call.name} for {shape}, once: minutes for a large network")
        package = compiled_package(call.network, call.method, call.inputs, call.int8)
        STORE.keep(key, package)
        return Program(package)

    def _say(self, line: str) -> None:
        """Warn, once."""
        if line not in self._said:
            self._said.add(line)
            warnings.warn(line, stacklevel=4)


def _more_than_numbers(network: nn.Module) -> bool:
    """Whether gradients may be asked for, or it is PyTorch's to choose dtypes."""
    return torch.is_grad_enabled() or network.training or torch.is_autocast_enabled("cpu")


def _key(known: _Known, call: _Call) -> str:
    lines = [machine(), known.computes, call.method, call.inputs.kind, _made_by(), str(call.int8)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


@cache
def _made_by() -> str:
    """Of other sources and options other code may come of the same network."""
    here = Path(__file__).parent
    sources = sorted(path for each in SOURCES for path in here.glob(each))
    return " ".join([str(OPTIONS), *map(digest, sources)])


def _laid(known: _Known, slot: Slot) -> Tensor:
    if slot.key not in known.laid:
        known.laid[slot.key] = slot.lay(known.weights[slot.weight])
    return known.laid[slot.key][slot.part]


def _reason(error: Exception) -> str:
    """The first line that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shorten(lines[0] if lines else type(error).__name__, 160)


@cache
def _by_torch(kind: type[nn.Module], method: str) -> Callable[..., Any]:
    """A method compiled where it is called, for GPUs: tuned kernels, recorded as CUDA graphs."""
    run = torch.compile(getattr(kind, method), mode="max-autotune", dynamic=False)

    def called(*inputs: Any, **named: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()
        # the next call of the graph writes to the same memory
        return pytree.tree_map_only(Tensor, Tensor.clone, run(*inputs, **named))

    return called
