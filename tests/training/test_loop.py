import errno
import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.utils import tensorboard

from mezzotint.errors import InputError
from mezzotint.training.loop import _optimizer
from mezzotint.training.resolve import resolve
from mezzotint.training.run import run
from mezzotint.training.tasks.autoencoder import AutoencoderTask


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(pictures, tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "tiny"
    return run("autoencoder", pictures, out, **{**tiny_run, "log_every": 10, "save_every": 40})


def test_a_run_leaves_logs_grids_checkpoints_and_the_network(finished):
    names = {p.name for p in finished.iterdir()}
    assert {"recipe.json", "log.jsonl", "tensorboard", "grids", "export"} <= names
    assert {n for n in names if n.startswith("step")} == {"step-00000040", "step-00000060"}
    with Image.open(finished / "grids" / "step-00000060.png") as grid:
        assert grid.size == (4 * 32, 2 * 32)  # pictures above, reconstructions below
    assert {p.name for p in (finished / "export").iterdir()} == {
        "autoencoder.safetensors",
        "autoencoder.json",
    }


def test_the_log_has_losses_throughput_and_held_out_figures(finished):
    logged = lines(finished)
    training = [line for line in logged if "loss" in line]
    assert [line["step"] for line in training] == [10, 20, 30, 40, 50, 60]
    assert all(line["samples_per_s"] > 0 for line in training)
    assert training[3]["loss"] < 0.8 * training[0]["loss"]
    assert training[-1]["lr"] < training[2]["lr"]
    held_out = [line for line in logged if "held_out/psnr" in line]
    assert [line["step"] for line in held_out] == [60]


def test_the_recipe_is_written_in_full(finished, pictures, tiny_run):
    begun = json.loads((finished / "recipe.json").read_text())
    recipe = resolve("autoencoder", {**tiny_run, "log_every": 10, "save_every": 40})
    assert begun == json.loads(json.dumps({**asdict(recipe), "source": str(pictures.resolve())}))


def test_the_averaged_weights_are_what_is_handed_on(finished):
    export = load_file(finished / "export" / "autoencoder.safetensors")
    mean, last = (
        load_file(finished / "step-00000060" / f"{part}.safetensors") for part in ("ema", "weights")
    )
    assert all(torch.equal(export[name], mean[name]) for name in mean)
    assert not any(torch.equal(export[name], last[name]) for name in mean)


def test_a_loss_that_is_no_number_ends_the_run_and_is_not_saved(
    pictures, tiny_run, tmp_path, monkeypatch
):
    loss = AutoencoderTask.loss

    def broken(self, batch, draw):
        value, metrics = loss(self, batch, draw)
        return value * (float("nan") if draw.step >= 6 else 1.0), metrics

    monkeypatch.setattr(AutoencoderTask, "loss", broken)
    fields = {**tiny_run, "log_every": 100, "save_every": 5}
    with pytest.raises(InputError, match="no longer finite at step 10: lower the recipe's lr"):
        run("autoencoder", pictures, tmp_path / "run", **fields)
    assert [p.name for p in (tmp_path / "run").glob("step-*")] == ["step-00000005"]


def test_an_unwritable_folder_is_named(pictures, tiny_run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/run"):
        run("autoencoder", pictures, tmp_path / "file" / "run", **tiny_run)


@pytest.mark.parametrize("place", ["log.jsonl", "grids", "tensorboard", "tensorboard's values"])
def test_a_full_disk_is_one_line_and_the_run_goes_on(
    pictures, tiny_run, tmp_path, monkeypatch, place
):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    opened, made = Path.open, Path.mkdir
    fields = {**tiny_run, "steps": 4, "validate_every": 4, "grid_every": 4, "save_every": 2}
    with monkeypatch.context() as patch:
        match place:
            case "log.jsonl":
                patch.setattr(
                    Path,
                    "open",
                    lambda file, mode="r", *more, **others: opened(
                        Path("/dev/full") if (file.name, mode) == (place, "a") else file,
                        *(mode, *more),
                        **others,
                    ),
                )
            case "grids":
                patch.setattr(
                    Path,
                    "mkdir",
                    lambda path, *more, **others: (full if path.name == place else made)(
                        path, *more, **others
                    ),
                )
            case "tensorboard":
                patch.setattr(tensorboard, "SummaryWriter", full)
            case _:
                patch.setattr(tensorboard.SummaryWriter, "add_scalar", full)
        says = rf"cannot write .*{place.partition(chr(39))[0]}: No space left on device; make room"
        with pytest.raises(InputError, match=says) as caught:
            run("autoencoder", pictures, tmp_path / "run", **fields)
        assert "\n" not in str(caught.value)
    done = run("autoencoder", pictures, tmp_path / "run", **fields)
    assert [line["step"] for line in lines(done) if "loss" in line] == [1, 2, 3, 4]


def test_only_matrices_and_kernels_decay():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4))
    recipe = resolve("autoencoder", {"weight_decay": 0.3})
    groups = _optimizer(network, recipe).param_groups
    decayed = {id(w) for g in groups if g["weight_decay"] == 0.3 for w in g["params"]}
    assert decayed == {id(network[0].weight)}
    assert sum(len(g["params"]) for g in groups) == 4
