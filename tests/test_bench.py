"""bench/gpu.sh, with a stand-in for the training: what comes back, and when it stops."""

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
run=$3
mkdir -p "$run/grids"
echo '{}' >"$run/recipe.json"
cp "$run/recipe.json" "$run/log.jsonl"
basename "$run" >"$run/grids/step-1.png"
[ "$(basename "$run")" = denoiser ] || exit 0
mkdir "$run/model"
head -c 20000000 /dev/urandom >"$run/model/weights"
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
    out, weights = tmp_path / "out", tmp_path / "runs" / "denoiser" / "model" / "weights"
    out.mkdir()
    (out / "model.tar.07").write_text("of a larger model")
    ran = chain(DENOISER="steps=7;batch=8", PICTURES="scenes=9")
    assert ran.returncode == 0, ran.stderr
    pieces = sorted(out.glob("model.tar.*"))
    assert len(pieces) == 2
    assert all(piece.stat().st_size <= PIECE for piece in pieces)
    whole = b"".join(piece.read_bytes() for piece in pieces)
    subprocess.run(["tar", "-x", "-C", tmp_path], input=whole, check=True)
    assert (tmp_path / "model" / "weights").read_bytes() == weights.read_bytes()
    assert (out / "grid.png").read_text() == "denoiser\n"
    assert (tmp_path / "runs" / "denoiser.toml").read_text().split("\n") == [
        *('base = "denoiser"', 'name = "denoiser"', "steps=7", "batch=8"),
        *("[pictures]", "scenes=9", ""),
    ]


def test_a_run_that_is_out_of_time_says_so(chain, tmp_path: Path):
    ran = chain(MINUTES="0")
    assert (ran.returncode, "the same command goes on" in ran.stdout) == (75, True), ran.stderr
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["logs.tar.gz"]


def test_a_run_that_fails_is_told_by_its_status(chain, tmp_path: Path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "clip").write_text("in the way")
    assert chain().returncode not in (0, 75)
    assert not list((tmp_path / "out").glob("model.tar.*"))
