"""A training that was broken off ends in the bits of one that was not."""

import json
from pathlib import Path

import pytest
import torch
from blobs import KINDS, SHAPE, blobs
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.training.draw import Draw
from mezzotint.training.taxonomy import train as loop
from mezzotint.training.taxonomy.train import Plan, train

CPU = torch.device("cpu")


def plan(name: str, steps: int = 6, seed: int = 0) -> Plan:
    return Plan(name, "blobs", seed, steps, batch=4)


def weights(name: str, folder: Path, of: Plan, batches=blobs) -> dict[str, Tensor]:
    torch.manual_seed(0)
    kind = KINDS[name](SHAPE)
    train(kind, of, batches, folder, CPU)
    players = kind.players.items()
    return {f"{player}.{key}": w for player, net in players for key, w in net.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


class UnpluggedError(Exception):
    pass


@pytest.mark.parametrize("name", ["gan", "diffusion"])  # two players, and one
def test_goes_on_exactly(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = weights(name, tmp_path / "whole", plan(name))
    monkeypatch.setattr(loop, "SAVE_MINUTES", 0.0)

    def unplugged(draw: Draw) -> tuple[Tensor, Tensor]:
        if draw.step == 4:
            raise UnpluggedError
        return blobs(draw)

    with pytest.raises(UnpluggedError):
        weights(name, tmp_path / "broken", plan(name), unplugged)
    seen: list[int] = []

    def watched(draw: Draw) -> tuple[Tensor, Tensor]:
        seen.append(draw.step)
        return blobs(draw)

    assert same(whole, weights(name, tmp_path / "broken", plan(name), watched))
    assert seen == [4, 5]
    assert not same(whole, weights(name, tmp_path / "other", plan(name, seed=1)))


def test_a_finished_training_is_only_read(tmp_path: Path):
    def none(draw: Draw) -> tuple[Tensor, Tensor]:
        raise AssertionError

    whole = weights("flow", tmp_path, plan("flow"))
    assert same(whole, weights("flow", tmp_path, plan("flow"), none))


def test_a_folder_belongs_to_its_plan(tmp_path: Path):
    weights("flow", tmp_path, plan("flow"))
    with pytest.raises(InputError, match="begun with steps = 6, and now it is 7"):
        weights("flow", tmp_path, plan("flow", steps=7))
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(InputError, match="is not a plan"):
        weights("flow", tmp_path, plan("flow"))


def test_a_loss_that_is_lost_is_told_and_not_saved(tmp_path: Path):
    def broken(draw: Draw) -> tuple[Tensor, Tensor]:
        x, told = blobs(draw)
        return x * torch.nan, told

    with pytest.raises(InputError, match="flow's loss is no longer finite at step 6"):
        weights("flow", tmp_path, plan("flow"), broken)
    assert not list(tmp_path.glob("step-*"))


def test_says_how_far_it_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    weights("gan", tmp_path, plan("gan"))
    assert "step 6/6" in capfd.readouterr().err
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["loss"] == rows[-1]["generator"] != rows[-1]["critic"]
