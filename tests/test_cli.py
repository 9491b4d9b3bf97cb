"""The command line: paths on stdout, one line for bad input, nothing half-written."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

import mezzotint as mz
from mezzotint.checkpoints.folder import write_manifest
from mezzotint.cli import main
from mezzotint.pipeline.metadata import attach, png, read
from mezzotint.pipeline.pipeline import Pipeline

COMMAND = [sys.executable, "-m", "mezzotint"]
FOX = "a fox in the snow at night"


class Ran(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, tiny) -> Run:
    """Run the command line in this process, in an empty folder, with the tiny model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mz, "load", lambda *files, **_: tiny, raising=False)

    def run(*words: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["mezzotint", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        return Ran(stopped.value.code or 0, *capsys.readouterr())

    return run


def files() -> set[str]:
    return {path.name for path in Path().iterdir()}


def picture(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_picture_is_written_and_its_path_printed(run: Run):
    ran = run("generate", FOX, "-o", "fox.png", "--seed", "7")
    assert (ran.status, ran.out) == (0, "fox.png\n")
    assert files() == {"fox.png"}
    assert read(Path("fox.png")).seed == 7


def test_several_pictures_are_numbered(run: Run):
    ran = run("generate", FOX, "-o", "fox.png", "-n", "3", "--seed", "7")
    assert ran.out.split() == ["fox-1.png", "fox-2.png", "fox-3.png"]
    assert files() == set(ran.out.split())
    assert [read(Path(path)).seed for path in ran.out.split()] == [7, 8, 9]
    run("generate", FOX, "-o", "alone.png", "--seed", "8")
    assert Path("alone.png").read_bytes() == Path("fox-2.png").read_bytes()


@pytest.mark.parametrize(
    "prompt",
    [
        FOX,
        "",
        'it\'s "quoted" $HOME `ls` \\ !',
        "two\nlines",
        "Negative prompt: none",
        "🦊 in 雪",
        "ثعلب في الثلج",
        "--help",
        "-n",
        "\x1b[31mred",
    ],
)
def test_inspect_tells_the_command_that_makes_a_picture_again(run: Run, prompt: str):
    run(
        "generate",
        "--negative",
        "-" + prompt,
        "--cfg",
        "2.5",
        "--cfg-interval",
        "0.25:1",
        "-n",
        "2",
        "-o",
        "a.png",
        "--",
        prompt,
    )
    command = run("inspect", "a-2.png").out
    assert "\x1b" not in command
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, text=True, check=True
    ).stdout.split("\0")[:-1]
    assert words[0] == "mezzotint"
    ran = run(*words[1:])
    assert ran.out == "a-2-again.png\n"
    assert Path("a-2-again.png").read_bytes() == Path("a-2.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--steps", "0"], "steps 0"),
        (["--steps", "many"], "--steps"),
        (["--cfg", "nan"], "cfg nan"),
        (["--cfg-interval", "0.5"], "--cfg-interval '0.5'"),
        (["--cfg-interval", "0.8:0.2"], "cfg_interval 0.8:0.2"),
        (["--seed", "18446744073709551616"], "seed 18446744073709551616"),
        (["--size", "33x32"], "width 33"),
        (["--size", "big"], "size 'big'"),
        (["--size", "0x0"], "width 0"),
        (["--sampler", "dpmpp2m"], "did you mean 'dpmpp_2m'"),
        (["--spacing", "karas"], "did you mean 'karras'"),
        (["-n", "0"], "-n 0"),
        (["--sampel", "euler"], "--sampel"),
        (["-o", "fox.jpg"], "fox.jpg"),
        (["-o", "missing/fox.png"], "missing/fox.png"),
        (["-o", "folder.png"], "folder.png is a folder"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(run: Run, words: list[str], says: str):
    Path("folder.png").mkdir()
    ran = run("generate", FOX, *words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1
    assert says in ran.err
    assert files() == {"folder.png"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["genrate", FOX], "'generate'"),
        (["train", "autoencodr"], "did you mean 'autoencoder'"),
        (["train", "none.toml"], "none.toml"),
        (["inspect", "none.png"], "none.png"),
        (["inspect", "."], "."),
        (["world", "--count", "0"], "count 0"),
        (["world", "--size", "-1"], "size -1"),
        (["world", "--seed", "-1"], "seed -1"),
    ],
)
def test_every_verb_refuses_in_one_line(run: Run, words: list[str], says: str):
    ran = run(*words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1
    assert says in ran.err
    assert files() == set()


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damaged_weights_are_refused_in_one_line(run: Run, monkeypatch, damage: str):
    monkeypatch.delattr(mz, "load")  # the stand-in: the package's own comes back
    weights = Path("model") / "sizes.json"
    weights.parent.mkdir()
    weights.write_bytes(data := bytes(1000))
    write_manifest(weights.parent, "storybook")
    weights.write_bytes(data[:-1] if damage == "cut" else b"\1" + data[1:])
    ran = run("generate", FOX, "--model", "model", "-o", "fox.png")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {weights} is damaged: its SHA-256")
    assert ran.err.count("\n") == 1
    assert files() == {"model"}


def test_broken_pictures_are_skipped_in_one_line(run: Run, monkeypatch):
    trained = []
    monkeypatch.setattr("mezzotint.training.run.train", lambda task, *_: trained.append(task))
    Path("pictures").mkdir()
    for name in ("one.png", "two.png"):
        Image.new("RGB", (64, 64)).save(Path("pictures") / name)
    Path("pictures/broken.png").write_bytes(Path("pictures/one.png").read_bytes()[:60])
    ran = run("train", "autoencoder", "--data", "pictures", "--out", "runs/mine")
    assert (ran.status, ran.out) == (0, "runs/mine\n")
    assert ran.err == "pictures: skipped 1 of 3 pictures as broken: broken.png\n"
    assert [len(task.pictures) for task in trained] == [1]


def test_a_folder_without_pictures_is_refused_in_one_line(run: Run):
    ran = run("train", "autoencoder", "--data", "picturs", "--out", "mine")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "error: no folder picturs: give a folder of pictures\n"
    assert files() == set()


def test_the_output_is_checked_before_the_model_is_loaded(run: Run, monkeypatch):
    def load(*files: str | None, **_: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(mz, "load", load)
    assert run("generate", FOX, "-o", "missing/fox.png").status == 2
    with pytest.raises(AssertionError, match="loaded"):
        run("generate", FOX)


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """A folder of models with the LoRA "style", half of which has no place in the tiny model."""
    layer = "lora_unet_down_0_blocks_0_attention_blocks_0_attend_self_query"
    halves = {"lora_down": np.ones((2, 32), np.float32), "lora_up": np.ones((32, 2), np.float32)}
    tensors = {f"{layer}.{half}.weight": tensor for half, tensor in halves.items()}
    lost = {key.replace("query", "nothing"): tensor for key, tensor in tensors.items()}
    (tmp_path / "loras").mkdir()
    save_file(tensors | lost, tmp_path / "loras" / "style.safetensors")
    return tmp_path


def test_what_of_a_lora_is_in_use_is_said(run: Run, lora: Path, monkeypatch):
    monkeypatch.setenv("MEZZOTINT_MODELS", str(lora))
    told = "style.safetensors: 1 layers matched, 1 unmatched (lora_unet_down_0"
    for words in (["a fox", "--lora", "style:0.5"], ["a fox <lora:style:0.5>"]):
        ran = run("generate", *words, "-o", "fox.png")
        assert ran.status == 0
        assert told in ran.err
    assert told not in run("generate", "a fox", "-o", "fox.png").err


def test_the_command_that_makes_a_picture_again_names_what_was_attached(
    run: Run, lora: Path, monkeypatch
):
    monkeypatch.setenv("MEZZOTINT_MODELS", str(lora))
    drawn = ["generate", "a fox", "--seed", "3"]
    run(*drawn, "-o", "plain.png")
    run(*drawn, "-o", "a.png", "--lora", "style:0.1", "--saving", "deepcache:2")
    run(*drawn[:1], "a fox <lora:style:0.1>", *drawn[2:], "-o", "b.png")
    assert read(Path("b.png")).adapters == ()  # the prompt tells
    command = run("inspect", "a.png").out
    assert "--lora style.safetensors:0.1 --saving deepcache:2" in command
    ran = run(*shlex.split(command)[1:])
    assert ran.out == "a-again.png\n"
    again, was, plain = (Path(f"{name}.png").read_bytes() for name in ("a-again", "a", "plain"))
    assert again == was != plain


def test_the_command_that_makes_a_picture_again_says_what_computed_it(
    run: Run, tiny: Pipeline, monkeypatch
):
    model = deepcopy(tiny.model)
    for network in model.modules.values():
        network.to(torch.bfloat16)
    half = replace(tiny, model=model, executed="compiled, low memory")
    monkeypatch.setattr(mz, "load", lambda *_, **__: half, raising=False)
    run("generate", "a fox", "-o", "half.png")
    recipe = read(Path("half.png"))
    assert (recipe.dtype, recipe.engine) == ("bf16", "compiled")
    assert "--dtype bf16 --engine compiled" in run("inspect", "half.png").out
    with Image.open("half.png") as image:
        attach(replace(recipe, dtype="rm", engine="$(rm -r .)"), image)
        Path("odd.png").write_bytes(png(image))
    odd = run("inspect", "odd.png").out
    assert odd.startswith("mezzotint generate")
    assert "rm" not in odd
    monkeypatch.setattr(mz, "load", lambda *_, **__: tiny, raising=False)
    run("generate", "a fox", "-o", "whole.png")
    usual = run("inspect", "whole.png").out
    assert not {"--dtype", "--engine"} & set(usual.split())


def test_what_a_prompt_loses_is_said_in_one_line(run: Run):
    ran = run("generate", "snow " * 10_000, "-o", "snow.png")
    assert (ran.status, ran.out) == (0, "snow.png\n")
    lines = [line for line in ran.err.splitlines() if line.startswith("warning: ")]
    assert len(lines) == 1
    assert "the prompt is too long" in lines[0]
    assert read(Path("snow.png")).prompt == "snow " * 10_000


def test_ctrl_c_leaves_nothing_behind(run: Run, tiny, monkeypatch):
    steps = tiny.stream(FOX)

    def interrupted(*_: object, **__: object):
        yield next(steps)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(tiny), "stream", interrupted)
    ran = run("generate", FOX, "-o", "fox.png")
    assert (ran.status, ran.out) == (130, "")
    assert "Traceback" not in ran.err
    assert files() == set()


def test_train_and_world_pass_on_what_they_are_given(run: Run, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "mezzotint.training.run.run", lambda *words: asked.append(words) or "runs/x"
    )
    ran = run("train", "smoke", "--data", "pictures", "--out", "here")
    assert (ran.status, ran.out) == (0, "runs/x\n")
    assert asked == [("smoke", Path("pictures"), Path("here"), None)]

    def sheet(seeds: range, size: int) -> Image.Image:
        return Image.new("RGB", (size, len(seeds)), (seeds[0], 0, 0))

    monkeypatch.setattr("mezzotint.world.contact_sheet", sheet)
    ran = run("world", "-o", "w.png", "--count", "3", "--seed", "9", "--size", "20")
    assert (ran.status, ran.out) == (0, "w.png\n")
    assert picture("w.png").shape == (3, 20, 3)
    assert picture("w.png")[0, 0, 0] == 9


def test_the_help_of_train_names_what_there_is(run: Run):
    from mezzotint.training.presets.storybook import CHAINS, PRESETS

    said = set(re.findall(r"\w+", run("train", "--help").out))
    assert {*CHAINS, *PRESETS} <= said


def test_inspect_tells_what_a_weights_file_is(run: Run):
    arrays = {"a": np.zeros((2, 3), "f4"), "b": np.zeros(1000, "f2"), "c": np.zeros((), "f4")}
    save_file(arrays, "w.safetensors", {"modelspec.title": "fox\n\x1b[31m", "long": "x" * 10_000})
    ran = run("inspect", "w.safetensors")
    facts = dict(line.split(maxsplit=1) for line in ran.out.splitlines()[1:4])
    assert facts == {"tensors": "3", "parameters": "1,007", "dtypes": "F32 × 2, F16 × 1"}
    assert r"'modelspec.title': 'fox\n\x1b[31m'" in ran.out
    assert len(ran.out) < 1000


def test_inspect_tells_how_far_another_tool_s_picture_can_be_made_again(run: Run):
    """As a shell script: a command, and after "#" the rest, whatever the file says."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + (
        "a castle\nSteps: 20, Sampler: Euler a, Schedule type: KL Optimal, CFG scale: 7, Seed: 7, "
        'Size: 64x64, Odd: "\\u001b[31m\\nrm -r /", Model: sd, ENSD: 31337, Version: v1.10.1'
    ).encode("utf-16-be")
    Image.new("RGB", (8, 8)).save("a.jpg", exif=exif)
    ran = run("inspect", "a.jpg")
    command, *rest = ran.out.splitlines()
    assert shlex.split(command) == [
        *("mezzotint", "generate", "a castle", "--model", "sd", "--steps", "20", "--cfg", "7.0"),
        *("--seed", "7", "--noise", "a1111+31337", "--size", "64x64"),
        *("--sampler", "euler_ancestral", "--dialect", "a1111", "-o", "a-again.png"),
    ]
    assert rest == [
        "# made with A1111 v1.10.1",
        "# needs model 'sd'",
        "# cannot be matched: schedule 'KL Optimal': there is none of this name here",
        r"# cannot be matched: Odd: \u001b[31m rm -r /",
    ]


def test_models_tells_what_there_is(run: Run, monkeypatch, tiny, tmp_path):
    monkeypatch.setattr(mz, "load", lambda *_, device: tiny)
    monkeypatch.setattr("mezzotint.pipeline.load.EMBEDDED", {"tiny": tmp_path})
    monkeypatch.setattr("mezzotint.families.storybook.variants", lambda _: ["unet", "flow"])
    (tmp_path / "loras").mkdir()
    (tmp_path / "loras" / "style.safetensors").write_bytes(b"")
    assert "style" not in run("models").out
    monkeypatch.setenv("MEZZOTINT_MODELS", str(tmp_path))
    ran = run("models")
    assert ran.status == 0
    assert f"lora: style  ({tmp_path / 'loras' / 'style.safetensors'})" in ran.out
    assert all(fact in ran.out for fact in ("tiny", "32x32", "4 steps, cfg 3", "0123456789"))


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom mezzotint.cli import main\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\n"
        "heavy = {'torch', 'numpy', 'PIL', 'tokenizers'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code, "--help"], check=True, stdout=subprocess.DEVNULL)


def test_a_reader_that_leaves_is_no_error():
    for words in (["--help"], ["--version"]):
        read_end, write_end = os.pipe()
        os.close(read_end)
        ran = subprocess.run(
            [*COMMAND, *words], stdout=write_end, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(write_end)
        assert ran.stderr == ""


def test_the_embedded_model_draws_without_a_network(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import network, pytest; network.block(pytest.MonkeyPatch())\n"
        "from mezzotint.cli import main; main()"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(
        [*command, "generate", FOX, "--seed", "7", "-o", "fox.png"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "fox.png\n"), ran.stderr
    shell = subprocess.run(
        [*COMMAND, "inspect", "fox.png"], cwd=tmp_path, capture_output=True, text=True
    )
    again = [*COMMAND, *shlex.split(shell.stdout)[1:]]
    subprocess.run(again, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "fox.png").read_bytes() == (tmp_path / "fox-again.png").read_bytes()


@pytest.mark.parametrize("engine", ["eager", "openvino"])
def test_sigint_ends_the_command_with_130(tmp_path, engine: str):
    if engine == "openvino":
        pytest.importorskip("openvino")
    process = subprocess.Popen(
        [*COMMAND, "generate", FOX, "--steps", "1000", "-o", "fox.png", "--engine", engine],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FORCE_COLOR": "1"},  # the bar, which tells when it is among the steps
        # a shell's background job ignores the signal, and so would its children
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    seen = ""
    while not re.search(r" [1-9]\d*/1000", seen) and (more := process.stderr.read(1)):
        seen += more
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_train_takes_fields_of_the_recipe(run: Run, monkeypatch):
    from mezzotint.training import run as training

    asked = {}
    monkeypatch.setattr(training, "run", lambda *args, **fields: asked.update(fields, places=args))
    settings = ["steps=4", 'task.word=a fox\'s "hat"', "task.rank = 8", "steps=5", "task.on=true"]
    ran = run("train", "smoke", "--model", "x.safetensors", *(f"--set={s}" for s in settings))
    assert ran.status == 0, ran.err
    places = ("smoke", None, None, "x.safetensors")
    task = {"word": 'a fox\'s "hat"', "rank": 8, "on": True}
    assert asked == {"steps": 5, "task": task, "places": places}


@pytest.mark.parametrize("setting", ["steps", "=4", "a b=4", "a..b=4"])
def test_train_refuses_what_sets_no_field(run: Run, setting: str):
    ran = run("train", "smoke", f"--set={setting}")
    assert ran.status != 0
    assert f"--set {setting}" in ran.err
