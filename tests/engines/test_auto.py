"""The quickest engine for a picture: measured once a machine and a size, and then remembered."""

import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mezzotint.engines import ENGINES, auto
from mezzotint.engines.base import Engine, eager
from mezzotint.errors import InputError

pytest.importorskip("openvino")
QUICK, SLOW = 0.002, 0.02  # seconds


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No gradients, an empty cache, measuring from a tenth of a second, errors of what is said."""
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path))
    monkeypatch.setattr(auto, "WORTH", 10 * SLOW)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


class Net(nn.Module):
    """Takes its time, but not where a stand-in executes it."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seconds = seconds

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.seconds)
        return x * self.weight

    def decode(self, x: Tensor) -> Tensor:
        return self(x)


class Peer:
    """A stand-in for OpenVINO that takes so long, and is told by giving twice what is right."""

    def __init__(self, start: float, step: float) -> None:
        self.times, self.made = (start, step), 0

    def __call__(self) -> Engine:
        self.made += 1
        calls: list[Any] = []

        def engine(run: Callable[..., Any], /, *inputs: Any, **named: Any) -> Any:
            time.sleep(self.times[min(len(calls), 1)])
            calls.append(run)
            return 2 * inputs[0]

        return engine


def peer(monkeypatch: pytest.MonkeyPatch, start: float, step: float) -> Peer:
    """Another machine, to which nothing is known."""
    stand_in = Peer(start, step)
    monkeypatch.setattr(auto, "openvino", stand_in)
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
    assert measured(Net(SLOW)) == (2 if wins else 1)


def test_what_was_measured_is_remembered_for_every_prompt_and_in_every_process(monkeypatch):
    made = peer(monkeypatch, QUICK, QUICK)
    assert measured(Net(SLOW)) == 2
    before = made.made
    peer(monkeypatch, SLOW, SLOW)  # would lose today, were it measured
    assert silent(Net(SLOW)) == 2
    assert made.made == before


def test_another_size_and_another_machine_are_measured_apart(monkeypatch):
    peer(monkeypatch, QUICK, QUICK)
    measured(Net(SLOW))
    measured(Net(SLOW), torch.ones(2, 3))
    monkeypatch.setattr(auto, "machine", lambda: "another")
    measured(Net(SLOW))


def test_where_little_is_to_gain_nothing_is_tried(monkeypatch):
    made = peer(monkeypatch, QUICK, QUICK)
    assert silent(Net(QUICK)) == 1
    monkeypatch.setattr(auto, "LARGE", 0)
    assert silent(Net(SLOW)) == 1  # no memory for a second copy of its weights
    assert made.made == 0


def test_a_method_is_called_once_a_picture_so_that_a_start_is_not_made_up_for(monkeypatch):
    monkeypatch.setattr(auto, "WORTH", QUICK)
    peer(monkeypatch, 5 * SLOW, QUICK)
    with pytest.warns(UserWarning, match=r"once on|by eager .* 0\.02 s eager"):
        assert float(ENGINES["auto"]()(Net(SLOW).decode, ONE).sum()) == 3


def test_what_is_hooked_into_or_differentiated_is_executed_eagerly(monkeypatch):
    made = peer(monkeypatch, QUICK, QUICK)
    hooked = Net(SLOW)
    hooked.register_forward_hook(lambda *_: None)
    assert silent(hooked) == 1
    with torch.enable_grad():
        assert silent(Net(SLOW)) == 1
    assert made.made == 0


@pytest.mark.parametrize("text", ["{", "[1]", '\xff"'])
def test_a_damaged_memory_is_said_and_made_anew(monkeypatch, tmp_path, text):
    (tmp_path / auto.FILE).write_bytes(text.encode("latin1"))
    peer(monkeypatch, QUICK, QUICK)
    with pytest.warns(UserWarning, match="is damaged, so engines are measured anew"):
        assert measured(Net(SLOW)) == 2
    assert silent(Net(SLOW)) == 2


def test_a_memory_that_cannot_be_written_is_said(monkeypatch):
    def full(path: Path, data: bytes) -> None:
        raise InputError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(auto, "write_whole", full)
    peer(monkeypatch, QUICK, QUICK)
    with pytest.warns(UserWarning, match="so engines are measured again next time"):
        assert measured(Net(SLOW)) == 2


def test_without_openvino_it_is_eager(monkeypatch):
    monkeypatch.setattr(auto, "find_spec", lambda _: None)
    assert ENGINES["auto"]() is eager


def test_openvino_itself_agrees_and_is_measured(monkeypatch):
    monkeypatch.setattr(auto, "WORTH", 0)
    network, x = nn.Conv2d(4, 8, 3), torch.randn(1, 4, 16, 16)
    with pytest.warns(UserWarning, match="the Conv2d __call__ 1x4x16x16"):
        found = ENGINES["auto"]()(network, x)
    assert torch.allclose(found, network(x), atol=1e-5)
