"""`--control`: what is read of one line, and what is found in a photograph."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from oracles import randomised
from PIL import Image
from typer.testing import CliRunner

import mezzotint as mz
from mezzotint.adapters import controlnet as controlnet_module
from mezzotint.adapters import maps
from mezzotint.adapters.controlnet import CONTROL, KINDS, save_control
from mezzotint.cli import app
from mezzotint.cli.controls import controls
from mezzotint.errors import InputError
from mezzotint.families.sizes.storybook_presets import SIZES
from mezzotint.models.controlnet import ControlNet, ControlNetParams

SIZE = (64, 48)
edit = import_module("mezzotint.cli.edit")  # which the package has a verb of that name for
UNET = replace(SIZES.unet, channels=(16,), depths=(0,), heads=(1,), context_width=8, y_width=0)


@pytest.fixture
def model(tmp_path, monkeypatch) -> Path:
    """A model's folder, which is where the command runs."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = ControlNet(ControlNetParams(replace(UNET, cross_only=()), KINDS, middle=False))
    (tmp_path / "model").mkdir()
    save_control(tmp_path / "model" / CONTROL, randomised(network), {})
    rng = np.random.default_rng(0)
    soft = Image.fromarray(rng.integers(60, 190, (4, 5, 3), np.uint8))
    photo = soft.resize(SIZE, Image.Resampling.BICUBIC)
    photo.paste((250, 20, 20), (20, 10, 50, 30))
    photo.save("photo.png")
    photo.save("a:b.png")
    return tmp_path / "model"


def test_a_picture_and_up_to_three_numbers(model: Path, monkeypatch) -> None:
    plain, scaled, ranged, odd = controls(
        [
            "depth=photo.png",
            "depth=photo.png:0.8",
            "boxes=photo.png:1.5:0.1:0.6",
            "depth=a:b.png:2",
        ],
        str(model),
        SIZE,
    )
    assert [(c.kind, c.scale, c.start, c.end) for c in (plain, scaled, ranged, odd)] == [
        ("depth", 1.0, 0.0, 1.0),
        ("depth", 0.8, 0.0, 1.0),
        ("boxes", 1.5, 0.1, 0.6),
        ("depth", 2.0, 0.0, 1.0),
    ]
    (named,) = controls([f"{model / CONTROL}#depth=photo.png"], None, SIZE)
    assert named.kind == "depth"
    monkeypatch.setattr(controlnet_module, "EMBEDDED", model)
    (embedded,) = controls(["depth=photo.png"], None, SIZE)
    assert embedded.kind == "depth"


def test_a_variant_is_steered_by_its_own_folders(model: Path, monkeypatch) -> None:
    (own,) = controls(["depth=photo.png"], f"{model}#flow", SIZE)
    assert (own.name, own.network.params.kinds) == (CONTROL, KINDS)
    bare = model.parent / "bare"
    bare.mkdir()
    with pytest.raises(InputError, match=r"the model in .*bare has no control.safetensors"):
        controls(["depth=photo.png"], f"{bare}#flow", SIZE)
    monkeypatch.setattr(controlnet_module, "EMBEDDED", model)
    for name in ("storybook", "storybook-student", "storybook#unet"):
        (embedded,) = controls(["depth=photo.png"], name, SIZE)
        assert embedded.name == "depth"


@pytest.mark.parametrize(
    ("follows", "out"),
    [("mezzotint.png", []), ("./map.png", ["-o", "map.png"]), ("a-2.png", ["-n2", "-o", "a.png"])],
)
def test_what_is_followed_is_not_written_over(model: Path, follows: str, out: list[str]) -> None:
    whole = Path("photo.png").read_bytes()
    Path(follows).write_bytes(whole)
    words = ["generate", "a fox", "--control", f"depth={follows}:0.5", *out]
    with pytest.raises(InputError, match=r"png would be written over: name another -o"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert Path(follows).read_bytes() == whole


def test_a_photograph_has_its_edges_found(model: Path) -> None:
    with Image.open("photo.png") as photo:
        edges = maps.edges(photo)
        kept = np.asarray(photo.convert("RGB"))
    edges.save("map.png")
    found, given, depth = controls(
        ["edges=photo.png", "edges=map.png", "depth=photo.png"], str(model), SIZE
    )
    assert np.array_equal(np.asarray(found.image.convert("RGB")), np.asarray(edges))
    assert np.array_equal(np.asarray(given.image.convert("RGB")), np.asarray(edges))
    assert np.array_equal(np.asarray(depth.image.convert("RGB")), kept)


def test_boxes_can_be_numbers(model: Path) -> None:
    (control,) = controls(["boxes=0.1,0.2,0.5,0.9+0.6,0,1,0.5:0.7"], str(model), SIZE)
    expected = maps.layout([(0.1, 0.2, 0.5, 0.9), (0.6, 0, 1, 0.5)], SIZE)
    assert control.scale == 0.7
    assert np.array_equal(np.asarray(control.image), np.asarray(expected))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("edges", "write NAME=PICTURE"),
        ("=photo.png", "write NAME=PICTURE"),
        ("edges=", "write NAME=PICTURE"),
        ("edges=photo.png:1:0.5", "such as edges=house.png:0.8"),
        ("depth=none.png", "cannot read picture none.png"),
        ("boxes=0.1,0.2,0.5", "cannot read picture 0.1,0.2,0.5"),
        ("boxes=0.5,0.2,0.1,0.9", "is not left, top, right, bottom"),
        ("depth=photo.png:1:0.5:0.2", "they must be 0 ≤ start < end ≤ 1"),
    ],
)
def test_anything_else_is_said_in_a_line(model: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        controls([text], str(model), SIZE)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "size"),
    [((), (64, 48)), (("--size", "32x24"), (32, 24)), (("--model", "other"), (64, 48))],
)
def test_edit_follows_maps_of_its_results_size(model: Path, monkeypatch, words, size) -> None:
    asked = []

    def told(*given: object) -> list[object]:
        asked.append(given)
        raise InputError("enough")

    pipe = SimpleNamespace(model=SimpleNamespace(family=SimpleNamespace(size=16)))
    monkeypatch.setattr(mz, "load", lambda *_, **__: pipe, raising=False)
    monkeypatch.setattr(edit, "controls", told)
    verb = ["edit", "photo.png", "a fox", "--control", "edges=photo.png:0.5", *words]
    with pytest.raises(InputError, match="enough"):
        CliRunner().invoke(app, verb, catch_exceptions=False)
    name = words[1] if "--model" in words else None
    assert asked == [(["edges=photo.png:0.5"], name, size)]
