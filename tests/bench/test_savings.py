"""bench/savings.py: what it draws for the judge is kept where it was told to keep it."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

BENCH = Path(__file__).parents[2] / "bench"
SCORE = SimpleNamespace(share=0.5, low=0.4, high=0.6)


@pytest.fixture
def savings(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import savings

    yield savings
    sys.modules.pop("savings", None)


@pytest.mark.parametrize(
    "source", ["storybook", "/models/a.safetensors", "/models/folder", "../m", "runs/model#flow"]
)
def test_pictures_are_kept_in_the_folder_that_was_named(
    savings, monkeypatch, tiny, tmp_path: Path, source: str
):
    homes: list[Path] = []

    def evaluate(pipe, settings, by, home, tick):
        homes.append(home)
        accuracy = SimpleNamespace(drawn=SimpleNamespace(overall=SCORE))
        return SimpleNamespace(accuracy=accuracy)

    monkeypatch.setattr(savings.run, "instruments", lambda *_: None)
    monkeypatch.setattr(savings.run, "evaluate", evaluate)
    args = SimpleNamespace(steps=None, prompts=14, images=1, out=tmp_path / "out")
    ways = [savings.EXACT, savings.GUIDED]
    found = savings.judged(replace(tiny, source=source), ways, args)
    other = replace(tiny, source=source, model=replace(tiny.model, digest="9876543210"))
    savings.judged(other, ways, args)
    assert [*found.values()] == ["0.50 (0.40–0.60)"] * 2
    assert all(home.resolve().parents[1] == args.out.resolve() for home in homes)
    assert len({*homes}) == 4
