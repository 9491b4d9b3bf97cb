"""OpenVINO in int8, by the ranges of numbers that real drawings had: quantised after training.

Weights get a scale for each channel, and what they are multiplied by one for each tensor, out of
calls that were executed exactly (Jacob et al. 1712.05877). Where single channels of a transformer
are far wider than others, the weights take some of that over (SmoothQuant, Xiao et al. 2211.10438).

An engine does not know what is drawn. So the first calls of a shape are executed exactly, in as
many processes as it takes, and are what the ranges are of; what comes of them is kept on disk, and
from then on a seed is the same picture every time.
"""

# pyright: reportMissingTypeStubs=false
# OpenVINO's and NNCF's own types are partial; what is made of them here is `Any`.

import io
import logging
import os
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten
from typing import Any

from torch import Tensor, nn

from mezzotint.engines.base import Engine
from mezzotint.engines.calls import CODING, Inputs, weights
from mezzotint.engines.openvino_calls import Calls
from mezzotint.engines.openvino_engine import (
    Compiled,
    Executes,
    array,
    engine_by,
    exactly,
    executable,
    reads,
    settings,
)
from mezzotint.engines.openvino_graph import graph_of
from mezzotint.engines.openvino_model import bind, keep, kept, kept_file
from mezzotint.errors import InputError

CALLS = 20  # that are executed exactly, and then are what the ranges are of


def openvino_int8() -> Engine:
    """As ``openvino``, but a network becomes int8 after ``CALLS`` calls.

    Autoencoders stay exact: they take little of the time. So does a network whose weights change
    while it is in use: what is learnt would be of weights that never come again.

    Raises:
        InputError: OpenVINO or NNCF is not installed.
    """
    if find_spec("nncf") is None:
        raise InputError("engine 'openvino-int8' is not installed: pip install 'mezzotint[int8]'")
    return engine_by(_in_int8)


@dataclass
class _Learning:
    """Exact until there are calls enough.

    Attributes:
        exact: executes until then.
        file: where what comes of it is kept.
        method: of the network, that is called.
        calls: those that there have been.
        then: executes from then on.
    """

    exact: Executes
    file: Path
    method: str
    calls: Calls
    then: Executes | None = None

    def __call__(self, network: nn.Module, inputs: Inputs) -> Any:
        if self.then is not None:
            return self.then(network, inputs)
        made = self.exact(network, inputs)
        self.calls.add([array(each) for each in inputs.tensors])
        if len(self.calls) >= CALLS:
            try:
                self.then = _quantised(network, self.method, inputs, self.calls, self.file)
            except Exception as error:  # NNCF fails in ways of its own
                self.then = self.exact
                reason = shorten(str(error) or type(error).__name__, 160)
                warnings.warn(f"the {type(network).__name__} stays exact: {reason}", stacklevel=4)
            self.calls.forget()
        return made


def _in_int8(network: nn.Module, method: str, inputs: Inputs, lasting: bool) -> Executes:
    """A ``Make``."""
    if method in CODING or not lasting:
        return exactly(network, method, inputs, lasting)
    told = settings(network)
    file = kept_file(network, method, inputs, {**told, "int8": CALLS})
    if found := kept(file, told):
        model, bound = found
        return executable(model, inputs, bound)
    calls = Calls(file.with_suffix(".calls"))
    return _Learning(exactly(network, method, inputs, lasting), file, method, calls)


def _quantised(
    network: nn.Module, method: str, inputs: Inputs, calls: Calls, file: Path
) -> Compiled:
    """The network in int8; its weights are read in float32, and then let go."""
    from openvino import Core

    what = f"the {type(network).__name__} becomes int8 by its first {len(calls)} calls"
    warnings.warn(f"{what}, once: it takes minutes where it is large", stacklevel=2)
    graph = graph_of(network, method, inputs)
    bound = bind(graph, {name: _widened(weight) for name, weight in weights(network).items()})
    order = reads(graph, inputs)
    data = [{n: call[k] for n, k in enumerate(order)} for call in calls]
    model = Core().compile_model(_by_nncf(graph, data), "CPU", dict(settings(network)))
    keep(file, model)
    return executable(model, inputs, bound)


def _by_nncf(graph: Any, data: Sequence[Any]) -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # else NNCF tells its makers whenever it is used
    nncf = import_module("nncf")  # an extra that few have: no import that types are read through
    nncf.set_log_level(logging.ERROR)
    kind = nncf.ModelType.TRANSFORMER  # without, U-Nets as well are off by ten decibels
    with redirect_stdout(io.StringIO()):  # its progress bars, where a picture may be written
        return nncf.quantize(graph, nncf.Dataset(data), subset_size=len(data), model_type=kind)


def _widened(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
