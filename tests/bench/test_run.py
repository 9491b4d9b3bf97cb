"""The harness with contestants that are scripts of the test's own: no network draws."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mezzotint.bench import contestants, run, stage
from mezzotint.bench.contestants import Contestant, Kind
from mezzotint.bench.figures import Ceilings
from mezzotint.errors import InputError

RATES = {name: {"products": 2e12, "convolutions": 1e12} for name in ("bf16", "fp32", "int8")}
CEILINGS = Ceilings("cpu", "", 2, RATES, 1e10)
WORKS = {kind: {"products": 1e12, "convolutions": 0.5e12} for kind in ("step", "decode")}

DRAWS = """
import json, sys, time
told = json.loads(sys.argv[1])
with open({log!r}, "a") as log:
    log.write({name!r} + " " + str(told["steps"]) + " " + told["dtype"] + "\\n")
{more}
from pathlib import Path
import shutil
shutil.copyfile({picture!r}, told["picture"])
print("a library says something")
print(json.dumps({{"import": 0.01, "step": {step}, "picture": 3.0, "peak": 1e9}}))
"""


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make contestants that only say what they would have measured, and stand for the machine."""
    monkeypatch.setattr(contestants, "SCRIPTS", tmp_path)
    monkeypatch.setattr(stage, "SCRIPTS", tmp_path)
    monkeypatch.setattr(run, "measure_ceilings", lambda: CEILINGS)
    monkeypatch.setattr(run, "count_work", lambda name: WORKS)
    monkeypatch.setattr(run.Stage, "prepare", lambda self, there: {})
    log = tmp_path / "log"
    log.touch()

    def made(name: str, step: float = 1.0, grey: int = 100, more: str = "", ours: bool = False):
        picture = tmp_path / f"{name}.png"
        Image.new("RGB", (8, 8), (grey,) * 3).save(picture)
        script = DRAWS.format(log=str(log), name=name, step=step, more=more, picture=str(picture))
        (tmp_path / f"{name}.py").write_text(script)
        kind = Kind(name, f"{name}.py")
        if ours:
            monkeypatch.setattr(contestants, "OURS", kind)
        return Contestant(kind, "fp32" if ours else "bf16", "eager" if ours else "")

    made.log = lambda: log.read_text().splitlines()
    return made


def settings(*taking_part: Contestant, rounds: int = 2) -> run.Settings:
    return run.Settings(("tiny",), taking_part, rounds, 7, sys.executable, None)


def measured(asked: run.Settings, out: Path) -> list[str]:
    said: list[str] = []
    run.bench(asked, out, said.append, lambda *_: None)
    return said


def named(*names: str) -> list[Contestant]:
    return [Contestant(Kind(name, ""), "") for name in names]


def test_everyone_draws_in_turn_and_the_other_way_round_every_other_time():
    order = [(number, each.name) for number, each in run.turns(named("a", "b", "c"), 3, set())]
    assert [name for _, name in order] == [*"abc", *"abc", *"cba", *"abc"]
    assert [number for number, _ in order] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3


def test_what_is_there_is_not_measured_again_and_who_has_all_does_not_warm_up():
    have = {("a", 1), ("a", 2), ("b", 1)}
    order = [(number, each.name) for number, each in run.turns(named("a", "b"), 2, have)]
    assert order == [(0, "b"), (2, "b")]
    assert list(run.turns(named("a"), 2, have)) == []


def test_a_bench_writes_medians_and_ratios(stand_ins, tmp_path: Path):
    ours = stand_ins("mezzotint", step=1.0, ours=True)
    theirs = stand_ins("peer", step=2.0, grey=110)
    out = tmp_path / "docs" / "page.md"
    said = measured(settings(ours, theirs), out)
    assert "min" in said[0]
    warm, *counted = [line.split() for line in stand_ins.log()]
    assert warm == ["mezzotint", "2", "fp32"]
    assert [line[0] for line in counted] == ["peer", "mezzotint", "peer", "peer", "mezzotint"]
    assert {line[1] for line in counted[1:]} == {"7"}
    text = out.read_text("utf-8")
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if "|" in line}
    assert rows["mezzotint eager fp32"]
    assert "| 2.00 s |" in rows["peer bf16"]
    assert "28 dB" in rows["peer bf16"]  # 20 log₁₀(255 / 10)
    assert "0.50, 1.00, 1.00" in text  # step, picture, memory
    assert "| 100% |" in text  # 1.5 TFLOP at these rates take a second
    assert not out.with_suffix(".rounds.json").exists()


def test_a_picture_of_other_noise_is_not_compared(stand_ins, tmp_path: Path):
    ours = stand_ins("mezzotint", ours=True)
    same, other = stand_ins("same", grey=110), stand_ins("other", grey=120)
    other = replace(other, kind=replace(other.kind, noise=False))
    out = tmp_path / "page.md"
    measured(settings(ours, same), out)
    assert "noise of its own" not in out.read_text("utf-8")
    measured(settings(ours, same, other), out)
    text = out.read_text("utf-8")
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if "|" in line}
    assert "28 dB" in rows["same bf16"]
    assert "dB" not in next(row for name, row in rows.items() if name == "other bf16")
    assert "other begins with noise of its own" in text


def test_one_that_fails_is_named_with_its_last_line_and_not_asked_again(stand_ins, tmp_path: Path):
    more = "raise SystemExit('noise\\nthis machine lacks a unicorn')"
    broken, sound = stand_ins("broken", more=more), stand_ins("sound")
    out = tmp_path / "page.md"
    measured(settings(broken, sound), out)
    assert "failed: this machine lacks a unicorn" in out.read_text()
    names = [line.split()[0] for line in stand_ins.log()]
    assert names == ["broken", "sound", "sound", "sound"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGFPE)", "SIGFPE"),
        ("sys.exit(0)", "no figures"),
        ("print('so be it'); sys.exit(0)", "no figures"),
    ],
)
def test_one_that_ends_without_a_word_is_named(stand_ins, tmp_path: Path, more: str, said: str):
    measured(settings(stand_ins("broken", more=more), rounds=1), tmp_path / "page.md")
    assert f"{said} |" in (tmp_path / "page.md").read_text()


def test_a_peer_that_is_not_installed_is_named_with_how_to(stand_ins, tmp_path: Path):
    absent = replace(stand_ins("absent"), kind=Kind("absent", "absent.py", ("no-such-thing",)))
    out = tmp_path / "page.md"
    measured(settings(absent, stand_ins("sound")), out)
    assert "not installed: pip install no-such-thing" in out.read_text()
    assert not any(line.startswith("absent") for line in stand_ins.log())


def test_a_bench_that_was_stopped_goes_on(stand_ins, tmp_path: Path, monkeypatch):
    asked, out = settings(stand_ins("one"), stand_ins("two")), tmp_path / "page.md"
    draw, turn = run.Stage.draw, iter(range(99))

    def stopped(self, each, number):
        if next(turn) == 3:
            raise KeyboardInterrupt
        return draw(self, each, number)

    monkeypatch.setattr(run.Stage, "draw", stopped)
    with pytest.raises(KeyboardInterrupt):
        measured(asked, out)
    assert not out.exists()
    table = json.loads(out.with_suffix(".rounds.json").read_text())
    assert [r["round"] for r in table["runs"]] == [0, 0, 1]
    before = len(stand_ins.log())
    measured(asked, out)
    again = [tuple(line.split()[:2]) for line in stand_ins.log()[before:]]
    assert again.count(("one", "7")) == 1  # the first round was kept
    assert again.count(("two", "7")) == 2
    assert out.exists()


def test_a_picture_that_is_off_has_fewer_decibels(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 200, (8, 8, 3), np.uint8)
    one, other, far = (tmp_path / f"{k}.png" for k in range(3))
    Image.fromarray(pixels).save(one)
    Image.fromarray(pixels + 1).save(other)
    Image.fromarray(pixels + 50).save(far)
    shutil.copyfile(one, tmp_path / "same.png")
    assert stage.psnr(one, tmp_path / "same.png") == stage.BEST
    assert stage.psnr(one, other) == pytest.approx(48.13, abs=0.01)  # 20 log₁₀ 255
    assert stage.psnr(one, far) < stage.psnr(one, other)


def test_a_shape_that_nobody_knows_is_refused_before_any_work(stand_ins, tmp_path: Path):
    asked = replace(settings(stand_ins("one")), shapes=("sd16",))
    with pytest.raises(InputError, match="did you mean 'sd15'"):
        measured(asked, tmp_path / "page.md")
    assert stand_ins.log() == []


def test_a_machine_that_cannot_be_measured_says_why(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(stage, "_run", lambda *_: ("", "no torch"))
    with pytest.raises(InputError, match="no torch"):
        stage.measure_ceilings()


def test_a_shape_that_was_finished_is_not_made_again(stand_ins, tmp_path: Path, monkeypatch):
    asked, out = replace(settings(stand_ins("one")), shapes=("tiny", "sd15")), tmp_path / "page.md"
    draw = run.Stage.draw

    def stopped(self, each, number):
        if self.name == "sd15":
            raise KeyboardInterrupt
        return draw(self, each, number)

    with monkeypatch.context() as patched:
        patched.setattr(run.Stage, "draw", stopped)
        with pytest.raises(KeyboardInterrupt):
            measured(asked, out)
    before, made = len(stand_ins.log()), []
    monkeypatch.setattr(run.Stage, "prepare", lambda self, there: made.append(self.name) or {})
    measured(asked, out)
    assert made == ["sd15"]
    assert len(stand_ins.log()) - before == 3
    assert out.read_text().count("## ") == 2
