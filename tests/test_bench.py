"""bench/gpu*.sh, with stand-ins for what they run: what comes back, and when they stop."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIECE = 16 * 2**20

# what bench/gpu.sh calls as `python`: the first time it is asked how many devices there are
STAND_IN = """#!/usr/bin/env bash
set -e
[ "$1" = -c ] && echo 1 && exit
runs=$3
mkdir -p "$runs/denoiser/grids" "$runs/model"
echo "$@" >"$runs/denoiser/recipe.json"
echo '{}' >"$runs/denoiser/log.jsonl"
echo grid >"$runs/denoiser/grids/step-1.png"
head -c 20000000 /dev/urandom >"$runs/model/weights"
"""


@pytest.fixture
def chain(tmp_path: Path):
    """Run the script with these settings."""
    python = tmp_path / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)

    def chain(**settings: str) -> subprocess.CompletedProcess[str]:
        places = {"RUNS": str(tmp_path / "runs"), "OUT": str(tmp_path / "out")}
        return subprocess.run(
            ["bash", ROOT / "bench" / "gpu.sh"],
            env={**os.environ, **places, "PYTHON": str(python), **settings},
            capture_output=True,
            text=True,
        )

    return chain


def test_the_model_comes_back_in_pieces(chain, tmp_path: Path):
    out, weights = tmp_path / "out", tmp_path / "runs" / "model" / "weights"
    out.mkdir()
    (out / "model.tar.07").write_text("of a larger model")
    ran = chain(CHANGES="larger.toml", CHAIN="smoke")
    assert ran.returncode == 0, ran.stderr
    pieces = sorted(out.glob("model.tar.*"))
    assert len(pieces) == 2
    assert all(piece.stat().st_size <= PIECE for piece in pieces)
    whole = b"".join(piece.read_bytes() for piece in pieces)
    subprocess.run(["tar", "-x", "-C", tmp_path], input=whole, check=True)
    assert (tmp_path / "model" / "weights").read_bytes() == weights.read_bytes()
    assert (out / "grid.png").read_text() == "grid\n"
    told = (tmp_path / "runs" / "denoiser" / "recipe.json").read_text().split()
    assert told[1:] == ["smoke", str(tmp_path / "runs"), "larger.toml"]


def test_a_run_that_is_out_of_time_says_so(chain, tmp_path: Path):
    ran = chain(MINUTES="0")
    assert (ran.returncode, "the same command goes on" in ran.stdout) == (75, True), ran.stderr
    assert not list((tmp_path / "out").iterdir())


def test_a_run_that_fails_is_told_by_its_status(chain, tmp_path: Path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "model").write_text("in the way")
    assert chain().returncode not in (0, 75)
    assert not list((tmp_path / "out").glob("model.tar.*"))


@pytest.mark.parametrize(
    ("status", "left", "said"),
    [(0, 0, "done"), (75, 75, "goes on"), (1, 1, ""), (124, 75, "goes on")],
)
def test_engines_are_measured_in_time(tmp_path: Path, status: int, left: int, said: str):
    python, out = tmp_path / "python", tmp_path / "out"
    python.write_text(f'#!/bin/sh\ncat >/dev/null\necho "$@" >"{tmp_path}/told"\nexit {status}\n')
    python.chmod(0o755)
    ran = subprocess.run(
        ["bash", ROOT / "bench" / "gpu_engines.sh"],
        env={**os.environ, "PYTHON": str(python), "OUT": str(out), "SHAPES": "tiny"},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, said in ran.stdout) == (left, True), ran.stderr
    told = (tmp_path / "told").read_text().split()
    assert told == ["-", "tiny", "all", "diffusers,diffusers-compiled", "2", f"{out}/benchmarks.md"]
