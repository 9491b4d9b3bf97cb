"""ControlNets in training: what they read, that they learn it, and what they leave behind."""

import json
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import mezzotint as mz
from mezzotint.adapters.base import attached
from mezzotint.adapters.controlnet import CONTROL, controlnet
from mezzotint.adapters.maps import canny
from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.families.base import Beside, Model
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.dit import DiT, DiTParams
from mezzotint.models.unet import UNet
from mezzotint.training import controlled
from mezzotint.training.data import controls
from mezzotint.training.data.controls import WORLD, WorldControls, keep_conditions
from mezzotint.training.data.latents import LatentSet
from mezzotint.training.data.pictures import finish, write_captions
from mezzotint.training.draw import Draw
from mezzotint.training.presets.controlnet import CONTROLNET
from mezzotint.training.process_group import Group
from mezzotint.training.run import run
from mezzotint.training.tasks.controlnet import ControlNetTask
from mezzotint.world import box_map

CPU = torch.device("cpu")
ALONE = Group(0, 1, CPU)
COUNT, SIZE, BATCH = 12, 64, 6
BOXES = [[(0.1, 0.2, 0.6, 0.9)], [], [(0.5, 0.5, 1.2, 1.1), (0.0, 0.0, 0.5, 0.5)]]


def draw(step: int = 0, batch: int = BATCH) -> Draw:
    return Draw(0, step, batch, slice(None), CPU)


@pytest.fixture(scope="module")
def model(tiny_model) -> Model:
    """With 8 pixels for one of a latent, as ControlNets want it, and a U-Net on patches."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        autoencoder = Autoencoder(replace(tiny_model.autoencoder.params, channels=(16, 16, 16)))
        network = UNet(replace(tiny_model.network.params, patch=2, cross_only=(0,)))
        for weight in network.parameters():
            nn.init.normal_(weight, mean=float(weight.ndim == 1), std=0.1)
    family = replace(tiny_model.family, size=SIZE, largest=2 * SIZE, multiple=16)
    frozen = [each.requires_grad_(False).eval() for each in (autoencoder, network)]
    return replace(tiny_model, autoencoder=frozen[0], network=frozen[1], family=family)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Twelve scenes: the latent of one is its depth, dark or light, all over."""
    light = np.arange(COUNT, dtype=np.float32) % 2
    monkeypatch.setattr(
        controls, "depth", lambda scene, size: np.full((size, size), light[scene], np.float32)
    )
    monkeypatch.setattr(controls, "boxes", lambda scene: [("a fox", b) for b in BOXES[scene % 3]])
    pictures = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), np.uint8)
    keep_conditions(tmp_path, 0, range(COUNT), pictures)
    write_captions(tmp_path, 0, [[f"fox {k}", f"a fox, {k}"] for k in range(COUNT)])
    about = {"size": SIZE, "count": COUNT, "single": 0}
    latents = np.broadcast_to((2 * light - 1)[:, None, None, None], (COUNT, 4, 8, 8))
    return finish(tmp_path, about), LatentSet([latents.astype(np.float16)]), pictures


@pytest.fixture
def task_of(world, model):
    def make(kinds=WORLD, model=model, **fields) -> ControlNetTask:
        recipe = replace(CONTROLNET.task, kinds=kinds, **{"direction": 0.0, **fields})
        scenes = WorldControls(world[0], world[1], kinds, model, seed=0)
        return ControlNetTask(recipe, 0, scenes, scenes, model)

    return make


def test_conditions_are_kept_whole(world, model) -> None:
    pictures, latents, drawn = world
    scenes = WorldControls(pictures, latents, WORLD, model, seed=0)
    for number in range(COUNT):
        assert np.array_equal(scenes.condition("edges", number), canny(drawn[number]))
        assert (scenes.condition("depth", number) == 255 * (number % 2)).all()
        expected = box_map(BOXES[number % 3], SIZE)[..., 0]
        assert np.array_equal(scenes.condition("boxes", number), expected)
    assert canny(drawn[0]).any()
    files = sum(file.stat().st_size for file in pictures.folder.glob("*-0000?.*"))
    assert files < COUNT * 0.7 * SIZE**2


def test_depth_is_halved_by_means() -> None:
    near = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    small = controls._halved(near)
    assert small[1, 2] == round(255 * float(near[2:4, 4:6].mean()))


def test_a_batch_has_every_kind_and_its_own_conditions(task_of, world) -> None:
    task = task_of()
    seen = []
    for step in range(4):
        batch = task.batch(draw(step))
        assert sorted(batch["kinds"].tolist()) == [0, 0, 1, 1, 2, 2]
        for kind, condition, latent in zip(
            batch["kinds"].tolist(), batch["conditions"], batch["latents"], strict=True
        ):
            assert condition.shape == (1, SIZE, SIZE)
            if WORLD[kind] == "depth":
                assert condition.unique().tolist() == [(latent.mean().item() + 1) / 2]
        seen.append(batch["kinds"].tolist())
    assert seen[0] != seen[1]  # or a kind would always have the same share of the times
    again = task.batch(draw(0))
    assert all(torch.equal(again[name], rows) for name, rows in task.batch(draw(0)).items())
    assert not torch.equal(again["latents"], task.batch(draw(1))["latents"])


def test_captions_are_left_out_as_often_as_asked(task_of, model) -> None:
    empty = model.encoders[0].windows([""])[0]
    for share in (0.0, 1.0):
        tokens = task_of(caption_dropout=share).batch(draw())["tokens"]
        assert all(torch.equal(row, empty) == bool(share) for row in tokens)


def test_before_the_first_step_nothing_is_steered(task_of) -> None:
    task = task_of()
    with torch.no_grad():
        figures = task.validate()
        assert figures["loss"] == figures["without"]
        assert set(figures) == {"loss", "without", *(f"loss_{kind}" for kind in WORLD)}
        assert task.validate() == figures
        nn.init.normal_(task.network.zeros[0].weight, std=0.1)
        assert task.validate()["loss"] != figures["loss"]


def test_only_the_control_learns(task_of, model) -> None:
    task = task_of()
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    for each in (*task.network.zeros, task.network.zero_mid):
        nn.init.normal_(each.weight, std=0.1)
    for hint in task.network.hints.values():
        nn.init.normal_(hint[-1].weight, std=0.1)
    task.loss(task.batch(draw()), draw())[0].backward()
    unheard = [k for k, w in task.network.named_parameters() if w.grad is None or not w.grad.any()]
    assert not unheard
    for part in model.modules.values():
        assert all(weight.grad is None for weight in part.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.network.state_dict().items())


def test_it_learns_what_a_condition_says(task_of) -> None:
    task = task_of(kinds=("depth",), caption_dropout=1.0)
    optimizer = torch.optim.AdamW(task.network.parameters(), lr=3e-3)
    for step in range(40):
        loss, _ = task.loss(task.batch(draw(step)), draw(step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        figures = task.validate()
        assert figures["loss"] < 0.7 * figures["without"]
        swapped = deepcopy(task.held_out.batch(draw(), np.ones(BATCH, bool)))
        right = task._losses(swapped, draw(), steered=True).mean()
        swapped["conditions"] = 1 - swapped["conditions"]
        assert task._losses(swapped, draw(), steered=True).mean() > 1.2 * right


def test_what_is_exported_steers(task_of, model, tmp_path) -> None:
    task = task_of()
    for weight in task.network.parameters():
        nn.init.normal_(weight, mean=float(weight.ndim == 1), std=0.1)
    task.export(tmp_path)
    condition = Image.fromarray(task.held_out.condition("edges", 0))
    x, t, context, y = (
        torch.randn(1, 4, 8, 8),
        torch.ones(1),
        torch.randn(1, 3, 32),
        torch.zeros(1, 32),
    )
    found = []
    with torch.no_grad():
        for control in (
            controlnet(f"{tmp_path}#edges", condition),
            task._control("edges", condition),
            task._control("depth", condition),
        ):
            with attached(model.parts, [control]):
                found.append(model.network(x, t, context, y))
    plain = model.network(x, t, context, y)
    apart = [(each - found[1]).norm() / (plain - found[1]).norm() for each in found]
    assert apart[0] < 0.05  # as 8 bits have it
    assert apart[2] > 0.1
    assert json.loads(controls_metadata(tmp_path / CONTROL))["kinds"] == list(WORLD)


def controls_metadata(file) -> str:
    from safetensors import safe_open

    with safe_open(file, "np") as opened:
        return opened.metadata()["controlnet"]


def test_the_grid_shows_each_condition_beside_its_picture(task_of) -> None:
    task = task_of(kinds=("depth", "boxes"))
    grid = np.asarray(task.grid())
    assert grid.shape == (2 * SIZE, 8 * SIZE, 3)
    assert (grid[:SIZE, :SIZE] == 0).all()
    assert (grid[:SIZE, 2 * SIZE : 3 * SIZE] == 255).all()
    assert np.array_equal(grid[SIZE:, :SIZE], box_map(BOXES[0], SIZE))
    assert grid[:SIZE, SIZE : 2 * SIZE].std() > 0


@pytest.fixture
def album(tmp_path):
    """Somebody's pictures, and below them their conditions, which are not as large."""
    folder = tmp_path / "album"
    (folder / "conditions").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(4):
        picture = Image.fromarray(rng.integers(0, 256, (80, 80, 3), np.uint8))
        picture.save(folder / f"{k}.png")
        picture.resize((40, 40)).convert("L").save(folder / "conditions" / f"{k}.png")
        (folder / f"{k}.txt").write_text(f"number {k}")
    return folder


@pytest.fixture
def build(model, monkeypatch, tmp_path):
    def make(source, base: Model = model, compiles=False, **task) -> ControlNetTask:
        monkeypatch.setattr(controlled, "read_base", lambda name, device: base)
        pictures = replace(CONTROLNET.pictures, size=SIZE, held_out=2)
        recipe = replace(
            CONTROLNET,
            task=replace(CONTROLNET.task, **{"direction": 0.0, **task}),
            pictures=pictures,
            compile=compiles,
        )
        return controlled.build_controlnet(recipe, recipe.task, tmp_path, source, ALONE)

    return make


def test_somebodys_own_pairs(album, build) -> None:
    task = build(album, kinds=("sketch",))
    batch = task.batch(draw(batch=2))
    assert batch["conditions"].shape == (2, 3, SIZE, SIZE)
    assert batch["latents"].shape == (2, 4, SIZE // 8, SIZE // 8)
    assert torch.isfinite(task.loss(batch, draw(batch=2))[0])
    with torch.no_grad():
        assert set(task.validate()) == {"loss", "loss_sketch", "without"}
    kind, condition, caption = task.held_out.shown(1)[0]
    assert (kind, condition.size, caption[:6]) == ("sketch", (SIZE, SIZE), "number")


@pytest.mark.parametrize("compiles", [False, True])
def test_what_is_steered_is_compiled_if_that_is_asked(album, build, monkeypatch, compiles) -> None:
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: compiled.append(module))
    task = build(album, compiles=compiles, kinds=("sketch",))
    assert compiled == [task.unet] * compiles


def test_edges_are_found_where_none_are_given(album, build) -> None:
    for file in (album / "conditions").iterdir():
        file.unlink()
    (album / "conditions").rmdir()
    task = build(album, kinds=("edges",))
    batch = task.batch(draw(batch=2))
    assert batch["conditions"].shape == (2, 1, SIZE, SIZE)
    assert set(batch["conditions"].unique().tolist()) == {0.0, 1.0}
    with pytest.raises(InputError, match=r"album has no folder conditions: .*kinds=\[\"edges\"\]"):
        build(album, kinds=("sketch",))


def test_a_run_leaves_a_model_that_is_steered_by_name(album, model, tmp_path) -> None:
    base = tmp_path / "base"
    storybook.save(model, base)
    fields = {"steps": 1, "warmup": 1, "batch": 2, "bf16": False}
    pictures = {"size": SIZE, "held_out": 2}
    task = {"base": str(base), "kinds": ["sketch"], "direction": 0.0}
    done = run("controlnet", album, tmp_path / "run", task=task, pictures=pictures, **fields)
    assert (done / "model" / CONTROL).is_file()
    assert not (base / CONTROL).exists()
    pipe = mz.load(done / "model")
    sketch = Image.open(album / "conditions" / "0.png")
    plain = pipe.generate("number 0", seed=1, steps=2).latents
    with pipe.attached(controlnet(f"{done / 'model'}#sketch", sketch)):
        assert not torch.equal(pipe.generate("number 0", seed=1, steps=2).latents, plain)
    assert torch.equal(mz.load(base).generate("number 0", seed=1, steps=2).latents, plain)


def test_what_cannot_be_steered_is_said_in_a_line(album, build, model, tmp_path) -> None:
    with pytest.raises(InputError, match=r"^task\.kinds .* are of one kind: give its name"):
        build(album)
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        build(tmp_path / "nowhere", kinds=("edges",))
    with pytest.raises(InputError, match="unknown condition of the world 'edge': did you mean"):
        build(None, kinds=("edge",))
    released = replace(model, family=replace(model.family, release="sd1"))
    with pytest.raises(InputError, match=r"reads one kind of pictures, so give one, such as \['ed"):
        build(None, released)
    eps = replace(model, family=replace(model.family, prediction="eps"))
    with pytest.raises(
        InputError, match=r"^task\.direction 0\.5: .* predicts no velocity, give 0$"
    ):
        build(None, eps, kinds=("edges",), direction=0.5)
    beside = Beside("to paint in a mask", True, None, lambda *_: torch.zeros(0))
    inpaints = replace(model, family=replace(model.family, beside=beside))
    with pytest.raises(InputError, match=r"^the embedded model is made to paint in a mask: give"):
        build(None, inpaints)
    flow = DiT(DiTParams(4, 2, 32, 1, 2, 48, 32, 32))
    with pytest.raises(InputError, match="is a DiT: a ControlNet steers a U-Net"):
        build(None, replace(model, network=flow))
    fine = replace(
        model, autoencoder=Autoencoder(replace(model.autoencoder.params, channels=(16,)))
    )
    with pytest.raises(InputError, match="latents of factor 2: a ControlNet is made for 8"):
        build(None, fine)
