"""bench/*.py: no figure and no picture is of whatever engine a machine happens to choose."""

import re
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
LOAD = re.compile(r"mz\.load\((?:[^()]|\([^()]*\))*\)")
LOADING = [file for file in sorted(BENCH.glob("*.py")) if LOAD.search(file.read_text("utf-8"))]


def test_there_is_something_to_look_at():
    assert len(LOADING) > 5


@pytest.mark.parametrize("file", LOADING, ids=lambda file: file.name)
def test_a_model_is_loaded_with_an_engine_that_is_named_and_told(file: Path):
    text = file.read_text("utf-8")
    for call in LOAD.findall(text):
        assert re.search(r"engine=[\"']eager[\"']", call), call
    assert re.search(r"engine\s`eager`", text)  # on the page that it writes
