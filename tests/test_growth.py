"""bench/growth.py: exponents are those of power laws, and what grows too fast is said."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

BENCH = Path(__file__).parents[1] / "bench"


@pytest.fixture
def growth(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import growth

    yield growth
    for name in ("growth", "checkpoint", "speed"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_found_whatever_does_not_grow(growth, power: float):
    values = [1, 2, 4, 8, 16]
    assert growth.exponent(values, [3 * n**power for n in values]) == pytest.approx(power)
    assert growth.exponent(values[:2], [3 * n**power for n in values[:2]]) == pytest.approx(power)
    constant = growth.exponent([n * 1e3 for n in values], [7 + (n * 1e3) ** power for n in values])
    assert constant == pytest.approx(power, abs=0.01)


@pytest.mark.parametrize(("power", "faster"), [(1.0, False), (1.1, False), (1.3, True)])
def test_what_grows_faster_than_the_mathematics_is_said(growth, power: float, faster: bool):
    axis = growth.axes((64, 128), (1, 2, 4, 8), steps=1)[1]
    measured = [(n**power, n**0.5) for n in axis.options]
    assert ("faster" in growth.table({axis.name: (axis, measured)})) == faster


def test_a_plot_is_drawn(growth, tmp_path: Path):
    pytest.importorskip("matplotlib")
    axis = growth.axes((64, 128), (1, 2, 4), steps=1)[2]
    growth.plot({axis.name: (axis, [(1, 5e6), (2, 5e6), (4, 6e6)])}, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "title", "picture"),
    [
        ([], "## Growth\n", "growth.png"),
        (["sd15"], "## Growth of a Stable Diffusion 1.5\n", "growth-sd15.png"),
    ],
)
def test_what_was_measured_is_on_the_page_and_its_picture_beside_it(
    growth, monkeypatch, tmp_path: Path, words: list[str], title: str, picture: str
):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(growth, "drawn", lambda model, dtype, options: (1.0, 5e6))
    makes_no_model = SimpleNamespace(run=lambda *_, **__: None)
    monkeypatch.setattr(growth, "subprocess", makes_no_model)
    page = tmp_path / "new" / "page.md"
    growth.main([*words, "--quick", "--page", str(page)])
    assert title in page.read_text("utf-8")
    assert f"({picture})" in page.read_text("utf-8")
    assert (page.parent / picture).stat().st_size > 1000
