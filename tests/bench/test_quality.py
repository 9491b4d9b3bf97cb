"""What bench/quality.py tells lesson 7 is what the lesson reads, and what was found."""

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("fastapi")

from mezzotint.families.storybook import STORYBOOK
from mezzotint.lab.lessons.samplers.measure import ORDERS, TWICE
from mezzotint.lab.lessons.samplers.quality import Quality, quality


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
    import quality as program

    yield program
    sys.modules.pop("quality", None)


def evaluation(share: float) -> SimpleNamespace:
    def score(share: float) -> SimpleNamespace:
        return SimpleNamespace(overall=SimpleNamespace(share=share))

    return SimpleNamespace(accuracy=SimpleNamespace(drawn=score(share), ceiling=score(0.99)))


def test_the_lesson_reads_what_was_measured(bench, tmp_path):
    _, steps = bench.points(STORYBOOK)
    shares = {point: k / len(steps) for k, point in enumerate(steps)}
    found = {point: evaluation(share) for point, share in shares.items()}
    told = bench.lesson(steps, found, argparse.Namespace(prompts=105, images=2))
    (file := tmp_path / "quality.json").write_text(json.dumps(told))
    read = quality(file)
    assert read is not None
    assert read.keys() == Quality.__annotations__.keys()
    assert read["true"] == 0.99
    assert "105 prompts" in read["made"]
    assert {(name, n) for name, line in read["samplers"].items() for n, _ in line} == {
        (name, n) for name, n, _ in steps
    }
    for (name, n, _), share in shares.items():
        assert [n, round(share, 4)] in read["samplers"][name]


def test_a_step_of_what_it_measures_is_a_call_that_the_lesson_knows(bench):
    assert {*bench.SAMPLERS} <= {*ORDERS} - {*TWICE}
    assert STORYBOOK.sampler in bench.SAMPLERS


def test_a_lesson_of_nothing_is_none(tmp_path):
    assert quality(tmp_path / "none.json") is None
