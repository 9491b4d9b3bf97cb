import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.bench.figures import Ceilings, Run, keep, kept, medians

RATES = {
    "bf16": {"products": 4.0, "convolutions": 2.0},
    "fp32": {"products": 1.0, "convolutions": 1.0},
    "int8": {"products": 0.0, "convolutions": 0.0},
}
CEILINGS = Ceilings("cpu", "", 2, RATES, 10.0)


def test_work_at_best_takes_each_kind_at_its_own_rate():
    work = {"products": 8.0, "convolutions": 6.0}
    assert CEILINGS.least(work, "bf16") == 2 + 3
    assert CEILINGS.least(work, "fp32") == 14
    assert CEILINGS.least({"products": 8.0, "convolutions": 0.0}, "bf16") == 2
    assert CEILINGS.least(work, "int8") is None
    assert CEILINGS.least(work, "f16") is None


def test_the_better_of_two_measurements_stands():
    other = Ceilings("cpu", "", 2, RATES | {"bf16": {"products": 3.0, "convolutions": 5.0}}, 12.0)
    best = CEILINGS | other
    assert best.rates["bf16"] == {"products": 4.0, "convolutions": 5.0}
    assert best.bandwidth == 12
    assert best == other | CEILINGS


@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=7))
def test_medians_are_of_the_rounds_that_count(steps: list[float]):
    runs = [Run("tiny", "a", k, {"step": step}) for k, step in enumerate(steps, 1)]
    cold, failed = Run("tiny", "a", 0, {"step": 1e9}), Run("tiny", "a", 9, {"step": 1e9}, "fell")
    found = medians([cold, *runs, failed])["step"]
    assert sum(step <= found for step in steps) >= len(steps) / 2
    assert sum(step >= found for step in steps) >= len(steps) / 2


def test_a_figure_that_only_some_rounds_have_is_of_those():
    assert medians([Run("t", "a", 1, {"step": 1.0}), Run("t", "a", 2, {"psnr": 40.0})]) == {
        "psnr": 40.0,
        "step": 1.0,
    }


def test_a_run_that_was_stopped_is_gone_on_with(tmp_path: Path):
    file, settings = tmp_path / "new" / "rounds.json", {"rounds": 3, "shapes": ["tiny"]}
    done = Run("tiny", "a", 1, {"step": 0.5})
    keep(file, settings, [done, Run("tiny", "b", 1, {}, "it fell")])
    assert kept(file, settings) == [done]  # and what failed is tried again
    assert kept(file, {**settings, "rounds": 4}) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"settings": {}, "runs": [{"x": 1}]}', "{"])
def test_a_file_that_is_not_ours_is_begun_anew(tmp_path: Path, text: str):
    file = tmp_path / "rounds.json"
    file.write_text(text)
    assert kept(file, {}) == []
    keep(file, {}, [])
    assert json.loads(file.read_text()) == {"settings": {}, "runs": []}
