"""Products in int8: learnt of the first calls, kept, and near the exact picture."""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import psnr, randomised
from torch import Tensor, nn

from mezzotint.engines import ENGINES, openvino_int8
from mezzotint.engines.openvino_calls import Calls
from mezzotint.engines.openvino_model import KIND
from mezzotint.errors import InputError

pytest.importorskip("openvino")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No gradients, an empty cache, and whatever is said is an error where it is not expected."""
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path))
    monkeypatch.setattr(openvino_int8, "CALLS", 4)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


class Net(nn.Module):
    """Convolutions and a linear layer, with a method beside."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 32, 3, padding=1)
        self.second = nn.Conv2d(32, 32, 3, padding=1)
        self.last = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.second(self.first(x).relu()).relu()
        return self.last(seen.permute(0, 2, 3, 1))

    def decode(self, x: Tensor) -> Tensor:
        return self.first(x)


def test_what_the_first_calls_taught_is_near_the_exact_and_is_kept(tmp_path):
    pytest.importorskip("nncf")
    network, engine, x = randomised(Net()), ENGINES["openvino-int8"](), torch.randn(5, 2, 4, 8, 8)
    exact = [network(each) for each in x]
    for each, expected in zip(x[:3], exact, strict=False):
        assert psnr(engine(network, each), expected) > 90
    engine = ENGINES["openvino-int8"]()  # another process, after a picture of three steps
    with pytest.warns(UserWarning, match="the Net becomes int8 by its first 4 calls, once"):
        assert psnr(engine(network, x[3]), exact[3]) > 90
    assert not list(tmp_path.glob("*/*.calls"))
    found = engine(network, x[4])
    assert 25 < psnr(found, exact[4]) < 70  # in int8, that is
    assert torch.equal(engine(network, x[4]), found)
    assert torch.equal(ENGINES["openvino-int8"]()(network, x[4]), found)  # another process
    assert psnr(engine(network.decode, x[4]), network.decode(x[4])) > 90
    network.first.weight.mul_(1.5)
    with pytest.warns(UserWarning, match="other weights"):
        assert psnr(engine(network, x[4]), network(x[4])) > 90
    assert psnr(network(x[4]), exact[4]) < 25
    assert len(list(tmp_path.glob(f"*/*{KIND}"))) == 3  # exact and int8, and the method


def test_what_cannot_be_quantised_stays_exact(monkeypatch):
    def broken(graph: object, data: object) -> None:
        raise ValueError("no such thing")

    pytest.importorskip("nncf")
    monkeypatch.setattr(openvino_int8, "_by_nncf", broken)
    network, engine, x = randomised(Net()), ENGINES["openvino-int8"](), torch.randn(2, 4, 8, 8)
    for _ in range(3):
        engine(network, x)
    said = pytest.warns(UserWarning, match="the Net stays exact: no such thing")
    with said, pytest.warns(UserWarning, match="becomes int8"):
        assert psnr(engine(network, x), network(x)) > 90
    assert psnr(engine(network, x), network(x)) > 90


def test_calls_are_kept_once_and_damage_costs_them_alone(monkeypatch, tmp_path):
    pytest.importorskip("nncf")
    monkeypatch.setattr(openvino_int8, "_by_nncf", lambda graph, data: list(data) and graph)
    network, x = randomised(Net()), torch.randn(2, 4, 8, 8)
    for _ in range(3):
        ENGINES["openvino-int8"]()(network, x)
    (folder,) = tmp_path.glob("*/*.calls")
    (array,) = folder.glob("*.npy")  # one for three calls that are the same
    array.write_bytes(b"no array")
    said = pytest.warns(UserWarning, match="the Net stays exact: ")
    with said, pytest.warns(UserWarning, match="becomes int8"):
        assert psnr(ENGINES["openvino-int8"]()(network, x), network(x)) > 90
    assert not folder.exists()  # and the next process learns anew


def test_a_call_names_nothing_outside_of_its_folder(tmp_path):
    secret, folder = tmp_path / "secret.npy", tmp_path / "key.calls"
    np.save(secret, np.zeros(3))
    calls = Calls(folder)
    calls.add([np.ones(2)])
    (told,) = folder.glob("*.json")
    told.write_text('["../secret"]')
    with pytest.raises(FileNotFoundError):
        list(calls)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(InputError, match=r"pip install 'mezzotint\[int8\]'"):
        ENGINES["openvino-int8"]()
