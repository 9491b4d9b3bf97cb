"""The engine that draws a picture soonest on this machine: measured once, and remembered.

An engine that compiles pays for that in every process, so what counts is the time of a whole
picture, its start included. And as engines round differently, the choice is made before the first
call of a size is answered, is the same for every prompt, and holds on every day, however busy the
machine is then: a seed gives the same picture. ``compiled`` is not tried, as it takes minutes to
find out: who wants it names it.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from threading import RLock
from time import perf_counter
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from mezzotint.engines.base import Engine, eager, hooked, owner
from mezzotint.engines.calls import CODING, computes, machine, taken, weights
from mezzotint.engines.openvino_engine import openvino
from mezzotint.engines.work import Work
from mezzotint.errors import InputError
from mezzotint.files import cache_folder, cache_place, write_whole

CALLS = 20  # of a network for a picture; of an autoencoder, one
WORTH = 5e11  # operations of a picture below which no start is made up for
MARGIN = 0.9  # of eager's time: what is less of a gain is not worth other bits
LARGE = 0.25  # of the machine's memory: a compiled network has its weights twice
FILE = "engines.json"  # in the cache

By = Callable[[Engine], Any]
"""What an engine makes of a call."""


def auto() -> Engine:
    """An engine that executes each network, at each size, by what is quickest for a picture.

    Only OpenVINO is tried, where it is installed, and only on a CPU, for networks that compute half
    a TFLOP for a picture or more; what is measured is said and kept in the cache's
    ``engines.json``. What is hooked into, and what gradients are asked of, is executed eagerly.
    """
    if find_spec("openvino") is None:
        return eager
    peer = openvino()  # one for all networks and sizes, of which it keeps the last compiled
    chosen: WeakKeyDictionary[nn.Module, dict[str, Engine]] = WeakKeyDictionary()
    one_at_a_time = RLock()

    def engine(run: Callable[..., Any], /, *inputs: Any, **named: Any) -> Any:
        network = owner(run)
        if network is None or torch.is_grad_enabled() or hooked(run):
            return run(*inputs, **named)
        if next(network.parameters()).device.type != "cpu":
            return run(*inputs, **named)
        size = _size(run, inputs, named)
        with one_at_a_time:
            mine = chosen.setdefault(network, {})
            if size not in mine:
                mine[size], answer = _best(
                    network, size, lambda by: by(run, *inputs, **named), peer
                )
                return answer
        return mine[size](run, *inputs, **named)

    return engine


def _best(network: nn.Module, size: str, by: By, peer: Engine) -> tuple[Engine, Any]:
    """What is quickest for calls such as this, and what it makes of this one."""
    if _too_large(network):
        return eager, by(eager)
    key = _key(network, size)
    best = _known().get(key)
    if best is None:
        calls = 1 if size.startswith(CODING) else CALLS
        began = perf_counter()
        with Work() as work:
            answer = by(eager)
        slowly = perf_counter() - began
        if calls * work.operations < WORTH:
            return eager, answer
        best = _measured(f"{type(network).__name__} {size}", by, calls, slowly)
        _remember(key, best)
        if best == "eager":
            return eager, answer
    engine = peer if best == "openvino" else eager
    return engine, by(engine)


def _measured(what: str, by: By, calls: int, slowly: float) -> str:
    """The name of what is quickest, where a call took so many seconds eagerly."""
    _say(f"measuring what executes the {what} soonest, once on this machine")
    _seconds(by, openvino())  # writes down the graph, which no later process has to
    quick = openvino()
    start, step = _seconds(by, quick), min(_seconds(by, quick) for _ in range(2))
    slowly = min(slowly, _seconds(by, eager))  # a first call has more to do
    best = "openvino" if start + (calls - 1) * step < MARGIN * calls * slowly else "eager"
    found = f"{step:.2f} s a call and {start:.2f} s for the first by OpenVINO, {slowly:.2f} s eager"
    _say(f"the {what} is executed by {best} from now on: {found}")
    return best


def _seconds(by: By, engine: Engine) -> float:
    began = perf_counter()
    by(engine)
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


def _known() -> dict[str, str]:
    """What has been found out; nothing if that cannot be read, which is said."""
    file = cache_place() / FILE
    try:
        found: object = json.loads(file.read_text()) if file.exists() else {}
        if isinstance(found, dict):
            return cast("dict[str, str]", found)
        reason = "it is no table"
    except (OSError, ValueError) as error:
        reason = str(error)
    _say(f"{FILE} in the cache is damaged, so engines are measured anew: {reason}")
    return {}


def _remember(key: str, best: str) -> None:
    """Add a choice to those that are known by now: others may have measured meanwhile."""
    try:
        text = json.dumps({**_known(), key: best}, indent=1)
        write_whole(cache_folder() / FILE, text.encode())
    except InputError as error:
        _say(f"{error}; so engines are measured again next time")


def _say(line: str) -> None:
    warnings.warn(line, stacklevel=4)
