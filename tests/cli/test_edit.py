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

    def load(*files, **_):
        told["model"] = files[0]
        return pipe

    monkeypatch.setattr(mz, "load", load, raising=False)

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
    assert ran.told["model"] is None
    numbers = {"strength": 0.8, "image_cfg": 1.2, "cfg": 7.0, "width": 16, "height": 24}
    assert ran.told.items() >= (numbers | {"seed": 5, "steps": 9, "batch": 2}).items()


def test_what_is_not_said_is_left_to_the_model(run):
    ran = run("in.png", "a hat", "-o", "out.png")
    assert ran.told.items() >= {"mask": None, "strength": None, "expand": None}.items()
    assert ran.told.items() >= {"instruct": False, "passes": None, "source": None}.items()


def test_masks_margins_and_sources_are_said_in_words(run):
    ran = run(
        *("in.png", "a hat", "-o", "out.png", "--mask", "box:0.1,0.2,0.5,1"),
        *("--passes", "3", "--source", "a head", "--keep", "0.5"),
    )
    assert ran.told["mask"] == mz.box(0.1, 0.2, 0.5, 1)
    assert ran.told.items() >= {"passes": 3, "source": "a head", "keep": 0.5}.items()
    assert run("in.png", "a", "--mask", "word:a hat", "-o", "b.png").told["mask"] == mz.word(
        "a hat"
    )
    for said, share in {"relevant": 0.4, "relevant:0.2": 0.2}.items():
        ran = run("in.png", "a", "--mask", said, "-o", "b.png", "--overwrite")
        assert ran.told["mask"] == mz.relevant(share)
    for said, margins in {
        "0.5": 0.5,
        "left=128,right=0.25": (128, 0, 0.25, 0),
        "bottom=7": (0, 0, 0, 7),
    }.items():
        assert run("in.png", "a", "--expand", said, "-o", "b.png").told["expand"] == margins


def test_instructions_are_for_the_model_that_takes_them(run):
    ran = run("in.png", "add a hat", "--instruct", "-o", "out.png")
    assert (ran.told["instruct"], ran.told["model"]) == (True, "storybook-instruct")
    ran = run("in.png", "add a hat", "--instruct", "--model", "ip2p", "-o", "out.png")
    assert ran.told["model"] == "ip2p"


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
        (["in.png", "a hat", "--mask", "box:1,2,3"], "give four numbers"),
        (["in.png", "a hat", "--mask", "box:1,2,3,four"], "'four' is no number"),
        (["in.png", "a hat", "--mask", "box:5,2,3,4"], "give left < right"),
        (["in.png", "a hat", "--mask", "word:"], "word: is empty"),
        (
            ["in.png", "a hat", "--mask", "relevant:2"],
            "relevant:2: give a share from 0 to",
        ),
        (["in.png", "a hat", "--expand", "much"], "'much' is no number"),
        (["in.png", "a hat", "--expand", "up=3"], "sides are left, top, right, bottom, not 'up'"),
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
