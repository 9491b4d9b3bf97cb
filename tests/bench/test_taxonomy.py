"""bench/taxonomy.py: what it leaves of its figures is what lesson 9 shows."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mezzotint.evals.fidelity import Distances
from mezzotint.training.taxonomy.compare import KINDS, Cost

ROOT = Path(__file__).parents[2]
COST = Cost(generator=2_000_000, beside=1_000_000, training=10**9, drawing=10**8, evaluations=20)
NEAR = Distances(frechet=12.34, kernel=0.1234, precision=0.5, recall=0.25)


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import taxonomy

    yield taxonomy
    for name in ("taxonomy", "taxonomy_page"):
        sys.modules.pop(name, None)


@pytest.fixture
def written(bench, monkeypatch, tmp_path: Path):
    """The folder that a whole run wrote into, with stand-ins for all that takes long."""
    found = bench.Measured(COST, 10, 1.5, NEAR, 0.9, 0.8, 4.5, 0.25)
    found = {name: replace(found, seconds=k) for k, name in enumerate(KINDS, 1)}
    found["gan"] = replace(found["gan"], bits=None)
    picture = torch.zeros(len(bench.PROMPTS), bench.SEEDS, 3, 8, 8)
    made = {name: (lambda _, name=name: SimpleNamespace(name=name)) for name in KINDS}
    stand_ins = {
        "load": lambda _: SimpleNamespace(modules={}, autoencoder=None),
        "load_features": lambda _: None,
        "PictureSet": lambda _: None,
        "told_of": lambda *_: SimpleNamespace(shape=lambda: None, batch=None),
        "yardstick": lambda *_: SimpleNamespace(training=None, held_out=None),
        "KINDS": made,
        "cost": lambda _: COST,
        "steps_for": lambda *_: 10,
        "weights_digest": lambda _: "0123",
        "train": lambda *_: None,
        "measure": lambda kind, *_: (found[kind.name], picture),
        "fidelity": lambda *_: SimpleNamespace(held_out=NEAR),
        "through_autoencoder": lambda *_: NEAR,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(bench, name, stand_in)
    needed = ("--model", "--autoencoder", "--clip", "--data", "--held-out")
    words = [word for name in needed for word in (name, "x")]
    words += ["--docs", str(tmp_path), "--lesson", str(tmp_path / "new" / "taxonomy.json")]
    monkeypatch.setattr(sys, "argv", ["taxonomy.py", *words])
    bench.main()
    return tmp_path


def test_the_lesson_reads_what_was_measured(written: Path):
    pytest.importorskip("fastapi")
    from mezzotint.lab.lessons.kinds import measured

    table = measured.table(written / "new" / "taxonomy.json")
    assert table.keys() == measured.Table.__annotations__.keys()
    assert "two CPU cores" in table["made"]
    assert {len(row) for row in table["rows"]} == {len(table["columns"])}
    assert all(isinstance(cell, str) for row in table["rows"] for cell in row)
    cells = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    assert [row["kind"] for row in cells[:4]] == ["GAN", "VAE", "normalizing flow", "diffusion"]
    bits = [row["bits a dimension ↓"] for row in cells]
    assert bits == ["not defined", "≤ 4.50", "4.50", "≤ 4.50", "", ""]
    assert [row["seconds a latent"] for row in cells[:2]] == ["1.000", "2.000"]


def test_the_page_has_the_same_figures(written: Path):
    text = (written / "taxonomy.md").read_text("utf-8")
    assert "| VAE | 12.3 | 0.123 | 0.50 | 0.25 | 0.90 | 0.80 | ≤ 4.50 |" in text
    assert "| *held-out pictures* | 12.3 | 0.123 | 0.50 | 0.25 | 1.00 |  |  |" in text
    assert "{" not in text
    assert (written / "taxonomy.jpg").stat().st_size


def test_it_is_left_where_the_lesson_looks_and_where_the_package_has_it(bench):
    pytest.importorskip("fastapi")
    from mezzotint.lab.lessons.kinds import measured

    assert bench.LESSON == measured.FILE
    if (ROOT / ".git").exists():  # what git ignores is left out of a wheel
        ignored = subprocess.run(["git", "check-ignore", "-q", bench.LESSON], cwd=ROOT)
        assert ignored.returncode == 1
