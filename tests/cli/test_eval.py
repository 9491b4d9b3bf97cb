"""`mezzotint eval`: what is passed on, what is printed, and what is refused before any work."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny_clip
import torch

import mezzotint as mz
from mezzotint.cli import main


@pytest.fixture
def call(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Run the command line with the tiny model, in a folder with a CLIP run."""
    monkeypatch.chdir(tmp_path)
    tiny_clip.run(tmp_path / "clip")
    told = {}

    def load(model=None, *, dtype=None, **_):
        told.update(model=model, dtype=dtype, threads=torch.get_num_threads())
        return tiny

    monkeypatch.setattr(mz, "load", load, raising=False)

    def call(*words: str):
        monkeypatch.setattr(sys, "argv", ["mezzotint", "eval", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return SimpleNamespace(status=stopped.value.code or 0, out=out, err=err, told=told)

    before = torch.get_num_threads()
    yield call
    torch.set_num_threads(before)


def test_figures_are_printed_and_the_report_named(call):
    ran = call(
        *("--what", "clip", "--clip", "clip", "--prompts", "14", "-o", "found", "--model", "other"),
        *("--steps", "1", "--cfg", "2", "--sampler", "euler", "--threads", "1"),
    )
    assert ran.status == 0, ran.err
    title, *rows, last = ran.out.splitlines()
    assert title.startswith("tiny 0123456789, 32x32: 1 steps of euler on linspace, cfg 2")
    assert [row.split()[:2] for row in rows[1:]] == [["CLIP", "score"]]
    assert Path(last) == Path("found/report.json")
    assert Path(last).exists()
    assert len(list(Path("found/pictures").iterdir())) == 14
    assert ran.told == {"model": "other", "dtype": "fp32", "threads": 1}
    assert "pictures 14/14" in ran.err


def test_what_is_attached_is_measured(call):
    words = ["--what", "clip", "--clip", "clip", "--prompts", "14", "--steps", "2"]
    assert call(*words).status == 0
    before = {path.name for path in Path("eval/pictures").iterdir()}
    ran = call(*words, "--saving", "deepcache:2")
    assert ran.status == 0, ran.err
    after = {path.name for path in Path("eval/pictures").iterdir()}
    assert (len(before), len(after)) == (14, 28)
    assert call(*words).status == 0
    assert len(list(Path("eval/pictures").iterdir())) == 28


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--what", "acuracy"], "did you mean 'accuracy'"),
        (["--prompts", "3"], "prompts 3"),
        (["--images", "0"], "images 0"),
        (["--images", "1"], "images 1: diversity"),
        (["--scenes", "1"], "scenes 1"),
        (["--threads", "0"], "threads 0"),
        (["--judge", "none.safetensors"], "none.safetensors"),
        (["--what", "clip", "--clip", "none"], "there is no none"),
        (["--what", "fidelity", "--features", "none"], "there is no none"),
        (["--what", "clip", "--clip", "clip", "--sampler", "eular"], "did you mean 'euler'"),
        (["--what", "clip", "--clip", "clip", "-o", "clip/export/text.json"], "text.json"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(call, words: list[str], says: str):
    ran = call("--prompts", "14", *words)
    assert (ran.status, ran.out) == (2, "")
    *_, last = ran.err.splitlines()
    assert last.startswith("error: ")
    assert says in last
    assert ran.err.count("error") == 1
    assert {path.name for path in Path().iterdir()} == {"clip"}
