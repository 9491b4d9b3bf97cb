import json
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from mezzotint.errors import InputError
from mezzotint.training import checkpoint
from mezzotint.training.ema import EMA
from mezzotint.training.exports import channels_last


def stepped(seed: int, steps: int):
    """A network with kernels, its average and its optimizer, some steps into a training."""
    torch.manual_seed(seed)
    network = channels_last(
        nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.Conv2d(4, 1, 3))
    )
    ema = EMA(network, 0.9)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, fused=True)
    for step in range(steps):
        step_once(network, ema, optimizer, step)
    return network, ema, optimizer


def step_once(network, ema, optimizer, step):
    images = torch.randn(3, 2, 8, 8, generator=torch.Generator().manual_seed(step))
    network(images).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
    ema.update(step)


def everything(network, ema, optimizer) -> list[torch.Tensor]:
    moments = [v for w in network.parameters() for _, v in sorted(optimizer.state[w].items())]
    return [*network.state_dict().values(), *ema.weights.values(), *moments]


def restored(folder: Path, seed: int = 99, said: list[str] | None = None):
    parts = stepped(seed, 0)
    return parts, checkpoint.restore(folder, *parts, ([] if said is None else said).append)


def test_a_restored_run_goes_on_in_the_same_bits(tmp_path):
    parts = stepped(0, 5)
    checkpoint.save(tmp_path, 5, *parts)
    other, step = restored(tmp_path)
    assert step == 5
    for _ in range(2):
        assert all(map(torch.equal, everything(*parts), everything(*other)))
        step_once(*parts, step)
        step_once(*other, step)
    layouts = [[t.stride() for t in everything(*run)] for run in (parts, other)]
    assert layouts[0] == layouts[1]


def test_the_comparison_would_see_a_forgotten_moment(tmp_path):
    parts = stepped(0, 5)
    checkpoint.save(tmp_path, 5, *parts)
    other, _ = restored(tmp_path)
    weight = next(other[0].parameters())
    other[2].state[weight]["exp_avg"] *= 0.999
    step_once(*parts, 5)
    step_once(*other, 5)
    assert not all(map(torch.equal, everything(*parts), everything(*other)))


def test_nothing_to_restore(tmp_path):
    assert restored(tmp_path)[1] == 0


def test_the_last_two_are_kept(tmp_path):
    parts = stepped(0, 1)
    for step in (1, 2, 10, 9):
        checkpoint.save(tmp_path, step, *parts)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000009", "step-00000010"]


@pytest.mark.parametrize("file", ["weights", "ema", "optimizer"])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, file, harm):
    for step in (3, 4):
        checkpoint.save(tmp_path, step, *stepped(step, 2))
    harmed = tmp_path / "step-00000004" / f"{file}.safetensors"
    data = bytearray(harmed.read_bytes())
    data[-1] ^= 1
    harmed.unlink()
    if harm != "remove":
        harmed.write_bytes(data if harm == "flip" else data[:-7])
    said: list[str] = []
    other, step = restored(tmp_path, said=said)
    assert step == 3
    assert all(map(torch.equal, everything(*stepped(3, 2)), everything(*other)))
    assert len(said) == 1
    assert "step-00000004" in said[0]


def test_a_state_that_is_cut_gives_way_too(tmp_path):
    for step in (3, 4):
        checkpoint.save(tmp_path, step, *stepped(step, 2))
    state = tmp_path / "step-00000004" / "state.json"
    state.write_text(state.read_text()[:20])
    assert restored(tmp_path)[1] == 3


def test_when_all_are_damaged_it_says_so(tmp_path):
    checkpoint.save(tmp_path, 3, *stepped(0, 2))
    (tmp_path / "step-00000003" / "state.json").write_text("{}")
    with pytest.raises(InputError, match="no checkpoint"):
        restored(tmp_path)


@pytest.mark.parametrize("kind", [OSError, SafetensorError])
def test_a_failed_save_leaves_the_last_one_and_no_rubbish(tmp_path, monkeypatch, kind):
    checkpoint.save(tmp_path, 3, *stepped(0, 2))

    def full(*_):
        raise kind("disk full")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(InputError, match=r"cannot write .*step-00000004: disk full"):
        checkpoint.save(tmp_path, 4, *stepped(0, 2))
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000003"]
    assert restored(tmp_path)[1] == 3


def test_a_killed_save_is_swept_up(tmp_path):
    checkpoint.save(tmp_path, 3, *stepped(0, 2))
    (tmp_path / ".step-00000004.123.part").mkdir()
    assert restored(tmp_path)[1] == 3
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000003"]


def test_the_state_says_what_made_it(tmp_path):
    checkpoint.save(tmp_path, 3, *stepped(0, 2))
    state = json.loads((tmp_path / "step-00000003" / "state.json").read_text())
    assert state["step"] == 3
    assert state["versions"]["torch"] == torch.__version__
