"""Two processes give the loss curve of one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

from mezzotint.errors import InputError
from mezzotint.training.process_group import Group
from mezzotint.training.run import run


def recipes(tiny_run) -> dict[str, dict]:
    """An autoencoder, and CLIPs whose loss needs the rows of all processes; by folder, which begins
    with the recipe's name.
    """
    tower = {"width": 16, "layers": 1, "heads": 2, "hidden": 32}
    common = {**tiny_run, "steps": 12, "batch": 8, "bf16": False, "save_every": 12}
    clip = {
        "text": {"tower": tower, "vocabulary": 300, "projection": 8},
        "vision": {"tower": tower, "size": 32, "patch": 8, "projection": 8},
        "text_run": "",
        "rivals": 0,
    }
    return {
        "autoencoder": {
            **common,
            "task": {**tiny_run["task"], "equivariance_share": 0.5, "whole_share": 0.5},
        },
        "clip": {**common, "task": clip},
        "clip locked": {**common, "task": {**clip, "text_run": "clip", "rivals": 20}},
    }


SCRIPT = """
import json, sys
from mezzotint.training.process_group import joined
from mezzotint.training.run import run
with joined():  # torch cannot join a second group through the same store
    for name, fields in json.loads(sys.argv[3]).items():
        run(name.split()[0], sys.argv[1], sys.argv[2] + "/" + name, **fields)
"""


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.fixture(scope="module")
def by_two(pictures, tiny_run, tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("two")
    script = home / "script.py"
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    arguments = [str(script), str(pictures), str(home), json.dumps(recipes(tiny_run))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([*launcher, *arguments], env=environment) as process:
        try:
            assert process.wait(180) == 0
        finally:
            process.terminate()  # takes its processes along, which a kill does not
    return home


@pytest.mark.parametrize("name", ["autoencoder", "clip", "clip locked"])
def test_two_processes_give_the_losses_of_one(name, by_two, pictures, tiny_run, tmp_path):
    fields = recipes(tiny_run)[name]
    for home in (tmp_path, tmp_path / "other"):
        copytree(by_two / "clip", home / "clip")  # whose text tower is locked
    recipe = name.split()[0]
    alone = losses(run(recipe, pictures, tmp_path / f"{name} alone", **fields))
    together = losses(by_two / name)
    assert len(alone) == 12
    assert together == pytest.approx(alone, rel=2e-4)

    other = losses(
        run(recipe, pictures, tmp_path / "other" / f"{name} alone", **{**fields, "seed": 1})
    )
    assert together != pytest.approx(other, rel=2e-4)  # the comparison can fail


def test_one_process_of_two_writes_each_file_once(by_two):
    assert len(losses(by_two / "autoencoder")) == 12
    assert (by_two / "clip" / "export" / "text.safetensors").exists()


def test_a_batch_that_cannot_be_shared():
    import torch

    with pytest.raises(InputError, match="batch 9 cannot be shared by 2 processes"):
        Group(0, 2, torch.device("cpu")).rows(9)
