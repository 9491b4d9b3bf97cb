"""What is read out of stable-diffusion.cpp's log, by a stand-in for its program."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mezzotint.bench.contestants import SCRIPTS

STAND_IN = """#!/usr/bin/env bash
printf '%s\\n' "$@" >{told}
[ "{fails}" = yes ] && echo "[ERROR] load tensors failed" && exit 1
echo '[INFO ] stable-diffusion.cpp:3040 - get_learned_condition completed, taking 2141 ms'
echo '[INFO ] stable-diffusion.cpp:1466 - sampling completed, taking 12.50s'
echo '[INFO ] stable-diffusion.cpp:5339 - decode_first_stage completed, taking {decode}'
"""


@pytest.fixture
def draw(tmp_path: Path):
    def draw(fails: str = "no", decode: str = "3.25s") -> subprocess.CompletedProcess[str]:
        binary = tmp_path / "sd-cli"
        binary.write_text(STAND_IN.format(told=tmp_path / "told", fails=fails, decode=decode))
        binary.chmod(0o755)
        told = {"binary": str(binary), "model": "m", "prompt": "a fox", "picture": "p.png"}
        told |= {"size": 512, "steps": 5, "scale": 7.5, "threads": 2, "seed": 1}
        told |= {"device": "cpu", "began": time.time()}
        command = [sys.executable, str(SCRIPTS / "draw_sdcpp.py"), json.dumps(told)]
        return subprocess.run(command, capture_output=True, text=True)

    return draw


@pytest.mark.parametrize(("said", "seconds"), [("3.25s", 3.25), ("480 ms", 0.48)])
def test_its_log_tells_a_step_and_the_decoding(draw, said: str, seconds: float, tmp_path: Path):
    ran = draw(decode=said)
    assert ran.returncode == 0, ran.stderr
    figures = json.loads(ran.stdout)
    assert figures["step"] == 2.5
    assert figures["decode"] == pytest.approx(seconds)
    assert figures["peak"] > 0
    told = (tmp_path / "told").read_text().splitlines()
    assert told[told.index("--steps") + 1] == "5"


def test_why_it_fails_is_its_last_line(draw):
    ran = draw(fails="yes")
    assert ran.returncode
    assert ran.stderr.strip() == "[ERROR] load tensors failed"


def test_a_log_of_another_kind_is_said(draw):
    ran = draw(decode="for ever")
    assert ran.returncode
    assert "decode_first_stage" in ran.stderr
