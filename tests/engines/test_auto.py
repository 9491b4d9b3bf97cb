"""The quickest engine for a picture: measured once a machine and a size, and then remembered."""

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
import torch
from torch import Tensor, nn

from mezzotint.engines import ENGINES, auto
from mezzotint.engines.base import Engine, eager
from mezzotint.engines.calls import Inputs
from mezzotint.engines.openvino_engine import KEPT, Compiled, engine_by, exactly
from mezzotint.errors import InputError

pytest.importorskip("openvino")
QUICK, SLOW = 0.002, 0.02  # seconds of a clock that only stand-ins move
WORK = 2 * 3 * 3  # operations of a call


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No gradients, an empty cache, measuring from one row on, errors of what is said."""
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path))
    monkeypatch.setattr(auto, "WORTH", auto.CALLS * WORK)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


class Clock:
    """The time that stand-ins take, whatever the machine is busy with."""

    now = 0.0

    @classmethod
    def sleep(cls, seconds: float) -> None:
        cls.now += seconds


class Net(nn.Module):
    """Takes its time, as the machine is today, but not where a stand-in executes it."""

    seconds = SLOW

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3, bias=False)
        nn.init.eye_(self.linear.weight)
        self._calls = 0  # no setting: what is computed stays the same

    def forward(self, x: Tensor) -> Tensor:
        self._calls += 1
        Clock.sleep(self.seconds)
        return self.linear(x)

    def decode(self, x: Tensor) -> Tensor:
        return self(x)


class Peer:
    """A stand-in for OpenVINO that takes so long, and is told by giving twice what is right."""

    def __init__(self, start: float, step: float) -> None:
        self.times, self.calls = (start, step), 0

    def __call__(self) -> Engine:
        calls: list[Any] = []

        def engine(run: Callable[..., Any], /, *inputs: Any, **named: Any) -> Any:
            self.calls += 1
            Clock.sleep(self.times[min(len(calls), 1)])
            calls.append(run)
            return 2 * inputs[0]

        return engine


def peer(monkeypatch: pytest.MonkeyPatch, start: float, step: float) -> Peer:
    """Another machine, to which nothing is known."""
    stand_in = Peer(start, step)
    monkeypatch.setattr(auto, "openvino", stand_in)
    monkeypatch.setattr(auto, "perf_counter", lambda: Clock.now)
    return stand_in


ONE = torch.ones(1, 3)


def measured(network: nn.Module, x: Tensor = ONE) -> float:
    """What ``auto`` of a new process makes of a one, where it says that it measures."""
    engine = ENGINES["auto"]()
    with pytest.warns(UserWarning, match="once on this machine|from now on"):
        first = engine(network, x)
    assert torch.equal(engine(network, x), first)  # what the choice was made by is what answers
    return float(first.flatten()[0])


def silent(network: nn.Module, x: Tensor = ONE) -> float:
    """What ``auto`` of a new process makes of a one, where it says nothing."""
    return float(ENGINES["auto"]()(network, x).detach().flatten()[0])


@pytest.mark.parametrize(
    ("start", "step", "wins"),
    [(QUICK, QUICK, True), (SLOW, SLOW, False), (40 * SLOW, QUICK, False), (5 * SLOW, QUICK, True)],
)
def test_the_quicker_one_for_a_whole_picture_executes(monkeypatch, start, step, wins):
    peer(monkeypatch, start, step)
    assert measured(Net()) == (2 if wins else 1)


def test_what_was_measured_is_remembered_for_every_prompt_and_in_every_process(monkeypatch):
    stand_in = peer(monkeypatch, QUICK, QUICK)
    assert measured(Net()) == 2
    before = stand_in.calls
    other = peer(monkeypatch, SLOW, SLOW)  # would lose today, were it measured
    monkeypatch.setattr(Net, "seconds", 0)  # and the machine is quick
    assert silent(network := Net()) == 2
    assert (stand_in.calls, other.calls, network._calls) == (before, 1, 0)


def test_nobody_forgets_what_another_process_measured_meanwhile(monkeypatch, tmp_path):
    peer(monkeypatch, QUICK, QUICK)
    network = Net()

    def meanwhile(x: Tensor) -> Tensor:
        made = Net.forward(network, x)
        (tmp_path / auto.FILE).write_text(json.dumps({f"another {network._calls}": "openvino"}))
        return made

    network.forward = meanwhile
    measured(network)
    known = json.loads((tmp_path / auto.FILE).read_text())
    assert f"another {network._calls}" in known
    assert len(known) == 2


def test_another_size_and_another_machine_are_measured_apart(monkeypatch):
    peer(monkeypatch, QUICK, QUICK)
    measured(Net())
    measured(Net(), torch.ones(2, 3))
    monkeypatch.setattr(auto, "machine", lambda: "another")
    measured(Net())


@pytest.mark.parametrize("why", ["too little to gain", "too large", "known"])
def test_where_nothing_is_tried_a_picture_takes_as_many_calls_as_eagerly(monkeypatch, why):
    if why == "known":
        peer(monkeypatch, SLOW, SLOW)
        assert measured(Net()) == 1
    elif why == "too large":  # no memory for a second copy of its weights
        monkeypatch.setattr(auto, "LARGE", 0)
    else:  # however slow the machine is today
        monkeypatch.setattr(auto, "WORTH", auto.CALLS * WORK + 1)
    stand_in = peer(monkeypatch, QUICK, QUICK)
    network, engine = Net(), ENGINES["auto"]()
    for _ in range(4):
        assert torch.equal(engine(network, ONE), ONE)
    assert (network._calls, stand_in.calls) == (4, 0)


def test_the_call_that_was_timed_is_answered_by_what_it_gave(monkeypatch):
    peer(monkeypatch, SLOW, SLOW)
    network = Net()
    with pytest.warns(UserWarning, match="once on this machine|from now on"):
        ENGINES["auto"]()(network, ONE)
    assert network._calls == 2  # before and after the other engine


def test_a_method_is_called_once_a_picture_so_that_a_start_is_not_made_up_for(monkeypatch):
    monkeypatch.setattr(auto, "WORTH", WORK)
    peer(monkeypatch, 5 * SLOW, QUICK)
    with pytest.warns(UserWarning, match=r"once on|by eager .* 0\.02 s eager"):
        assert float(ENGINES["auto"]()(Net().decode, ONE).sum()) == 3


def test_what_is_hooked_into_or_differentiated_is_executed_eagerly(monkeypatch):
    stand_in = peer(monkeypatch, QUICK, QUICK)
    hooked = Net()
    hooked.register_forward_hook(lambda *_: None)
    assert silent(hooked) == 1
    with torch.enable_grad():
        assert silent(Net()) == 1
    assert stand_in.calls == 0


@pytest.mark.parametrize("text", ["{", "[1]", '\xff"'])
def test_a_damaged_memory_is_said_and_made_anew(monkeypatch, tmp_path, text):
    (tmp_path / auto.FILE).write_bytes(text.encode("latin1"))
    peer(monkeypatch, QUICK, QUICK)
    with pytest.warns(UserWarning, match="is damaged, so engines are measured anew"):
        assert measured(Net()) == 2
    assert silent(Net()) == 2


def test_a_memory_that_cannot_be_written_is_said(monkeypatch):
    def full(path: Path, data: bytes) -> None:
        raise InputError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(auto, "write_whole", full)
    peer(monkeypatch, QUICK, QUICK)
    with pytest.warns(UserWarning, match="so engines are measured again next time"):
        assert measured(Net()) == 2


def test_a_cache_that_is_not_there_is_made_when_something_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path / "cache"))
    peer(monkeypatch, QUICK, QUICK)
    with monkeypatch.context() as patch:
        patch.setattr(auto, "WORTH", auto.CALLS * WORK + 1)
        assert silent(Net()) == 1
    assert list(tmp_path.iterdir()) == []
    assert measured(Net()) == 2
    assert (tmp_path / "cache" / auto.FILE).exists()


def test_without_openvino_it_is_eager(monkeypatch):
    monkeypatch.setattr(auto, "find_spec", lambda _: None)
    assert ENGINES["auto"]() is eager


def test_openvino_itself_agrees_and_is_measured(monkeypatch):
    monkeypatch.setattr(auto, "WORTH", 0)
    network, x = nn.Conv2d(4, 8, 3), torch.randn(1, 4, 16, 16)
    with pytest.warns(UserWarning, match="the Conv2d __call__ 1x4x16x16"):
        found = ENGINES["auto"]()(network, x)
    assert torch.allclose(found, network(x), atol=1e-5)


def test_the_last_sizes_stay_compiled_and_no_more(monkeypatch):
    ever: list[ref[Compiled]] = []

    def noted(network: nn.Module, method: str, inputs: Inputs, lasting: bool) -> Compiled:
        made = exactly(network, method, inputs, lasting)
        ever.append(ref(made))
        return made

    monkeypatch.setattr(auto, "WORTH", 0)
    monkeypatch.setattr(auto, "MARGIN", float("inf"))  # OpenVINO wins
    monkeypatch.setattr(auto, "openvino", lambda: engine_by(noted))
    network, engine = nn.Conv2d(4, 8, 3), ENGINES["auto"]()
    for rows in range(1, 5):
        with pytest.warns(UserWarning, match="once on this machine|by openvino from now on"):
            engine(network, torch.randn(rows, 4, 16, 16))
    assert sum(each() is not None for each in ever) == KEPT
