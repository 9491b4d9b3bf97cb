"""`mezzotint edit`: pictures in and out, and none lost."""

import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

import mezzotint as mz
from mezzotint.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command line beside two pictures; what the pipeline is told comes back."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("in.png")
    Image.new("L", (8, 8), 255).save("mask.png")
    told = {}

    def stream_edit(picture, prompt, **options):
        told.update(options, picture=picture, prompt=prompt)
        made = [Image.new("RGB", (8, 8), "red")] * options["batch"]
        yield SimpleNamespace(total=1, output=lambda: SimpleNamespace(images=made))

    pipe = SimpleNamespace(stream_edit=stream_edit, attached=lambda *_: nullcontext(), injected=[])
    monkeypatch.setattr(mz, "load", lambda *files, dtype=None: pipe, raising=False)

    def run(*words: str):
        monkeypatch.setattr(sys, "argv", ["mezzotint", "edit", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        return SimpleNamespace(status=stopped.value.code or 0, told=told, **_heard(capsys))

    return run


def _heard(capsys) -> dict[str, str]:
    out, err = capsys.readouterr()
    return {"out": out, "err": err}


def test_what_is_said_is_passed_on(run):
    ran = run(
        *("in.png", "a hat", "-o", "out.png", "--mask", "mask.png", "--strength", "0.8", "-n", "2"),
        *("--image-cfg", "1.2", "--cfg", "7", "--size", "16x24", "--seed", "5", "--steps", "9"),
    )
    assert (ran.status, ran.out) == (0, "out-1.png\nout-2.png\n")
    assert Path("out-1.png").exists()
    assert ran.told["prompt"] == "a hat"
    assert (ran.told["picture"].mode, ran.told["mask"].mode) == ("RGB", "L")
    numbers = {"strength": 0.8, "image_cfg": 1.2, "cfg": 7.0, "width": 16, "height": 24}
    assert ran.told.items() >= (numbers | {"seed": 5, "steps": 9, "batch": 2}).items()


@pytest.mark.parametrize("own", ["in.png", "mask.png", "./in.png"])
def test_the_input_is_written_over_only_if_told(run, own: str):
    words = ["in.png", "a hat", "--mask", "mask.png", "-o", own]
    before = Path(own).read_bytes()
    ran = run(*words)
    assert ran.status == 2
    assert "--overwrite" in ran.err
    assert Path(own).read_bytes() == before
    assert run(*words, "--overwrite").status == 0
    assert Path(own).read_bytes() != before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["none.png", "a hat"], "cannot read picture none.png"),
        (["in.png", "a hat", "--mask", "none.png"], "none.png"),
        (["in.png", "a hat", "-o", "out.jpg"], "out.jpg"),
        (["in.png", "a hat", "--size", "big"], "size 'big'"),
        (["in.png"], "'prompt'"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(run, words: list[str], says: str):
    ran = run(*words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1
    assert says in ran.err
    assert {path.name for path in Path().iterdir()} == {"in.png", "mask.png"}
