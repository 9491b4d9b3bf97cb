"""Exact resume: a run that was killed, however often, ends in the bits of one that was not."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mezzotint.errors import InputError
from mezzotint.training.run import run

SCRIPT = """
import json, sys
from mezzotint.training.run import run
run("autoencoder", sys.argv[1], sys.argv[2], **json.loads(sys.argv[3]))
"""
PARTS = ("weights", "ema", "optimizer")


def start(pictures: Path, out: Path, fields: dict[str, Any]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(pictures), str(out), json.dumps(fields)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def step_of(out: Path) -> int:
    log = out / "log.jsonl"
    return log.read_text().count("grad_norm") if log.exists() else 0


def stop(process: subprocess.Popen[str], out: Path, after: int, *how: int) -> tuple[int, str]:
    """Send signals some random moment after a step was logged; exit status and what was said."""
    while step_of(out) < after and process.poll() is None:
        time.sleep(0.005)
    time.sleep(random.uniform(0, 0.03))
    for number in how:
        process.send_signal(number)
        time.sleep(0.002)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.fixture(scope="module")
def uninterrupted(pictures, tiny_run, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "whole"
    process = start(pictures, out, tiny_run)
    assert process.wait(60) == 0
    return out


def final(out: Path, steps: int) -> list[bytes]:
    folder = out / f"step-{steps:08d}"
    return [(folder / f"{part}.safetensors").read_bytes() for part in PARTS]


def test_killed_and_stopped_and_killed_again(uninterrupted, pictures, tiny_run, tmp_path):
    out = tmp_path / "run"
    status, _ = stop(start(pictures, out, tiny_run), out, random.randint(5, 20), signal.SIGKILL)
    assert status == -signal.SIGKILL
    reached = step_of(out)

    status, said = stop(start(pictures, out, tiny_run), out, reached + 2, signal.SIGINT)
    assert status == 130
    assert "going on after step" in said
    assert "the same command goes on from here" in said
    saved = max(int(p.name[5:]) for p in out.glob("step-*"))
    assert f"stopped after step {saved} of" in said

    twice = signal.SIGTERM, signal.SIGTERM  # as `timeout` sends it
    status, said = stop(start(pictures, out, tiny_run), out, saved + 2, *twice)
    assert status == 143
    assert f"going on after step {saved} of" in said

    status, _ = stop(start(pictures, out, tiny_run), out, step_of(out) + 3, signal.SIGKILL)
    assert status == -signal.SIGKILL

    process = start(pictures, out, tiny_run)
    assert process.wait(60) == 0
    assert final(out, tiny_run["steps"]) == final(uninterrupted, tiny_run["steps"])
    exports = [
        (run / "export" / "autoencoder.safetensors").read_bytes() for run in (out, uninterrupted)
    ]
    assert exports[0] == exports[1]
    assert not list(out.glob(".*part"))

    logged = [
        [json.loads(line) for line in (r / "log.jsonl").read_text().splitlines()]
        for r in (out, uninterrupted)
    ]
    curves = [[(line["step"], line["loss"]) for line in log if "loss" in line] for log in logged]
    assert curves[0] == curves[1]


def test_another_seed_ends_elsewhere(uninterrupted, pictures, tiny_run, tmp_path):
    """The comparison above can fail."""
    run("autoencoder", pictures, tmp_path / "run", **{**tiny_run, "seed": 1})
    assert final(tmp_path / "run", tiny_run["steps"]) != final(uninterrupted, tiny_run["steps"])


def test_a_finished_run_is_left_as_it_is(uninterrupted, pictures, tiny_run, capsys):
    before = final(uninterrupted, tiny_run["steps"])
    assert run("autoencoder", pictures, uninterrupted, **tiny_run) == uninterrupted
    assert final(uninterrupted, tiny_run["steps"]) == before
    assert "done before" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"lr": 0.5}, "lr = 0.001, and this recipe has 0.5"),
        ({"task": {"crop": 8}}, "task.crop = 16, and this recipe has 8"),
        ({"seed": 4}, "seed = 0"),
    ],
)
def test_a_run_belongs_to_its_recipe(uninterrupted, pictures, tiny_run, fields, named):
    with pytest.raises(InputError, match=named):
        run(
            "autoencoder",
            pictures,
            uninterrupted,
            **{**tiny_run, **fields, "task": {**tiny_run["task"], **fields.get("task", {})}},
        )


def test_a_run_belongs_to_its_pictures(uninterrupted, tiny_run, tmp_path):
    with pytest.raises(InputError, match="source = "):
        run("autoencoder", tmp_path, uninterrupted, **tiny_run)


def test_what_is_written_on_the_way_may_change(uninterrupted, pictures, tiny_run):
    run("autoencoder", pictures, uninterrupted, **{**tiny_run, "save_every": 50, "log_every": 7})
