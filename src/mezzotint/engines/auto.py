"""The engine that draws a picture soonest on this machine: measured once, and remembered.

An engine that compiles pays for that in every process, so what counts is the time of a whole
picture, its start included. And as engines round differently, the choice is made before the first
call of a size is answered, is the same for every prompt, and holds on every day: a seed gives the
same picture. ``compiled`` is not tried, as it takes minutes to find out: who wants it names it.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from threading import RLock
from time import perf_counter
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from mezzotint.engines.base import Engine, eager, hooked, owner
from mezzotint.engines.calls import CODING, computes, machine, taken, weights
from mezzotint.engines.openvino_engine import openvino
from mezzotint.errors import InputError
from mezzotint.files import cache_folder, write_whole

CALLS = 20  # of a network for a picture; of an autoencoder, one
WORTH = 2.0  # seconds of a picture below which no start is made up for
MARGIN = 0.9  # of eager's time: what is less of a gain is not worth other bits
LARGE = 0.25  # of the machine's memory: a compiled network has its weights twice
FILE = "engines.json"  # in the cache


def auto() -> Engine:
    """An engine that executes each network, at each size, by what is quickest for a picture.

    Only OpenVINO is tried, where it is installed, and only on a CPU, for networks that take two
    seconds of a picture or more; what is measured is said and kept in the cache's ``engines.json``.
    What is hooked into, and what gradients are asked of, is executed eagerly.
    """
    if find_spec("openvino") is None:
        return eager
    chosen: WeakKeyDictionary[nn.Module, dict[str, Engine]] = WeakKeyDictionary()
    one_at_a_time = RLock()

    def engine(run: Callable[..., Any], /, *inputs: Any, **named: Any) -> Any:
        network = owner(run)
        if network is None or torch.is_grad_enabled() or hooked(run):
            return run(*inputs, **named)
        if next(network.parameters()).device.type != "cpu":
            return run(*inputs, **named)
        with one_at_a_time:
            mine = chosen.setdefault(network, {})
            size = _size(run, inputs, named)
            if size not in mine:
                mine[size] = _best(network, size, lambda by: by(run, *inputs, **named))
        return mine[size](run, *inputs, **named)

    return engine


def _best(network: nn.Module, size: str, call: Callable[[Engine], Any]) -> Engine:
    """What is quickest for calls such as this."""
    calls = 1 if size.startswith(CODING) else CALLS
    slowly = min(_seconds(call, eager) for _ in range(2))  # a first call has more to do
    if calls * slowly < WORTH or _too_large(network):
        return eager
    key = _key(network, size)
    known = _known()
    if key in known:
        return openvino() if known[key] == "openvino" else eager
    what = f"{type(network).__name__} {size}"
    _say(f"measuring what executes the {what} soonest, once on this machine")
    _seconds(call, openvino())  # writes down the graph, which no later process has to
    quick = openvino()
    start, step = _seconds(call, quick), min(_seconds(call, quick) for _ in range(2))
    slowly = min(slowly, _seconds(call, eager))
    best = "openvino" if start + (calls - 1) * step < MARGIN * calls * slowly else "eager"
    found = f"{step:.2f} s a call and {start:.2f} s for the first by OpenVINO, {slowly:.2f} s eager"
    _say(f"the {what} is executed by {best} from now on: {found}")
    _remember({**known, key: best})
    return quick if best == "openvino" else eager


def _seconds(call: Callable[[Engine], Any], engine: Engine) -> float:
    began = perf_counter()
    call(engine)
    return perf_counter() - began


def _size(run: Callable[..., Any], inputs: tuple[Any, ...], named: dict[str, Any]) -> str:
    """The method and the shape of the first tensor, as prompts of any length are drawn alike."""
    tensors: list[Tensor] = taken(inputs, named).tensors
    shape = "x".join(map(str, tensors[0].shape)) if tensors else "()"
    return f"{getattr(run, '__name__', '__call__')} {shape}"


def _too_large(network: nn.Module) -> bool:
    if not hasattr(os, "sysconf"):
        return True  # for all that is known
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return sum(weight.nbytes for weight in weights(network).values()) > LARGE * memory


def _key(network: nn.Module, size: str) -> str:
    """Of all that the times depend on: the machine, the versions, the code and its settings."""
    told = [machine(), version("openvino"), computes(network), size]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


def _file() -> Path:
    return cache_folder() / FILE


def _known() -> dict[str, str]:
    """What has been found out; nothing if that cannot be read, which is said."""
    try:
        found: object = json.loads(_file().read_text()) if _file().exists() else {}
        if isinstance(found, dict):
            return cast("dict[str, str]", found)
        reason = "it is no table"
    except (InputError, OSError, ValueError) as error:
        reason = str(error)
    _say(f"{FILE} in the cache is damaged, so engines are measured anew: {reason}")
    return {}


def _remember(known: dict[str, str]) -> None:
    try:
        write_whole(_file(), json.dumps(known, indent=1).encode())
    except (InputError, OSError) as error:
        _say(f"{error}; so engines are measured again next time")


def _say(line: str) -> None:
    warnings.warn(line, stacklevel=4)
