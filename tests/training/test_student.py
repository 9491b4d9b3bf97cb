"""Students: what they are taught, what they leave behind, and that they go on after a stop."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from mezzotint.adapters.lora import lora
from mezzotint.diffusion import Process
from mezzotint.diffusion.distillation import through
from mezzotint.diffusion.guidance import cfg, pair
from mezzotint.diffusion.noise import seeded
from mezzotint.diffusion.samplers import dpmpp_2m
from mezzotint.diffusion.times import times
from mezzotint.errors import InputError
from mezzotint.families.base import Model
from mezzotint.families.keys import sd_keys
from mezzotint.models.dit import DiT, DiTParams
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.training.data import paths as paths_module
from mezzotint.training.data.latents import LatentSet
from mezzotint.training.data.paths import Paths, Walk, teacher_paths
from mezzotint.training.data.pictures import PictureSet, finish, write_shard
from mezzotint.training.draw import Draw
from mezzotint.training.loop import train
from mezzotint.training.low_rank import LowRank
from mezzotint.training.presets.storybook import FOLDED, STUDENT
from mezzotint.training.process_group import Group
from mezzotint.training.tasks.folding import Described, FoldingTask
from mezzotint.training.tasks.student import StudentTask
from mezzotint.training.teacher import guided, prompted, read_teacher, told

CPU = torch.device("cpu")
ALONE = Group(0, 1, CPU)
PROMPTS = [[f"a fox number {k}", f"fox {k}"] for k in range(12)]
WALK = Walk(cfg=3.0, steps=6, stops=2, spacing="trailing")


@pytest.fixture
def model(tiny_model) -> Model:
    """One whose network may be changed."""
    return replace(tiny_model, network=deepcopy(tiny_model.network).requires_grad_(False))


DIT = DiTParams(
    channels=4, patch=2, width=32, blocks=2, heads=2, hidden=48, context_width=32, y_width=32
)


@pytest.fixture(params=["unet", "dit"])
def either(request, tiny_model) -> Model:
    """A U-Net that predicts v on the cosine process, or a transformer on rectified flow."""
    if request.param == "dit":
        network = DiT(DIT)
        for weight in network.parameters():  # nothing stays zero, so that everything is heard
            nn.init.normal_(weight, mean=float(weight.ndim == 1), std=0.1)
        return replace(tiny_model, network=network.requires_grad_(False))
    family = replace(tiny_model.family, process=Process.cosine(), prediction="v")
    network = deepcopy(tiny_model.network).requires_grad_(False)
    return replace(tiny_model, network=network, family=family)


@pytest.fixture
def captioned(tmp_path, monkeypatch) -> PictureSet:
    monkeypatch.setattr(paths_module, "SHARD", 4)
    write_shard(tmp_path, 0, np.zeros((12, 32, 32, 3), np.uint8), PROMPTS)
    return finish(tmp_path, {"size": 32, "count": 12, "single": 0})


def draw(step: int = 0, batch: int = 4) -> Draw:
    return Draw(0, step, batch, slice(None), CPU)


def outputs(model: Model) -> Tensor:
    """What the network says of some latents and prompts."""
    tokens = model.encoders[0].windows(["a fox", "an apple"])
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    return prompted(model, told(model, tokens))(x, torch.tensor([0.3, 0.8]))


def shaken(changes: LowRank) -> LowRank:
    with torch.no_grad():
        for factor in changes.parameters():
            factor.add_(0.05 * torch.randn_like(factor))
    return changes


# the LoRA


@torch.no_grad()
def test_a_new_lora_changes_nothing_and_off_is_as_before(model):
    before = outputs(model)
    changes = LowRank({"network": model.network}, 3)
    assert torch.equal(outputs(model), before)
    shaken(changes)
    changed = outputs(model)
    assert (changed - before).abs().max() > 1e-3
    with changes.off():
        with changes.off():
            assert torch.equal(outputs(model), before)
        assert torch.equal(outputs(model), before)
    assert torch.equal(outputs(model), changed)


def test_every_layer_learns_and_nothing_else(either):
    model = either
    changes = shaken(LowRank({"network": model.network}, 3))
    layers = [m for m in model.network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert len(changes.changes["network"]) == len(layers)
    outputs(model).square().sum().backward()
    assert all(factor.grad.abs().max() > 0 for factor in changes.parameters())
    assert all(weight.grad is None for weight in model.network.parameters())


@pytest.mark.parametrize("maps", [{}, {"network": (sd_keys.UNET,)}])
@pytest.mark.parametrize("fused", [False, True])
def test_the_file_makes_the_same_network(model, tiny_model, tmp_path, maps, fused):
    changes = shaken(LowRank({"network": model.network}, 3))
    named = replace(tiny_model, maps=maps)
    changes.save(tmp_path / "few.safetensors", named.parts, {"steps": "2"})
    file = lora(tmp_path / "few.safetensors", fused=fused)
    assert file.metadata == {"steps": "2"}
    injected = file.inject(named.parts)
    report = injected.report
    assert (len(report.matched), report.unmatched) == (len(changes.changes["network"]), ())
    torch.testing.assert_close(outputs(tiny_model), outputs(model), atol=2e-3, rtol=2e-3)
    injected.eject()
    assert not torch.allclose(outputs(tiny_model), outputs(model), atol=2e-2, rtol=2e-3)


# paths


def make(captioned: PictureSet, model: Model, count: int = 6, walk: Walk = WALK) -> Paths:
    return teacher_paths(
        captioned, count, 0, model, walk, False, ALONE, lambda what, done, total: None
    )


def test_paths_are_the_guided_teachers_and_are_gone_once(captioned, model, monkeypatch):
    paths = make(captioned, model)
    assert len(paths) == 6
    known = model.encoders[0].windows([text for pair in PROMPTS for text in pair]).tolist()
    assert all(row in known for row in paths.tokens.tolist())
    assert len({tuple(row) for row in paths.tokens.tolist()}) > 3

    # by hand: the same sampler through the same grid
    process, all_four = model.family.process, np.arange(4)
    start, end = (
        torch.from_numpy(paths.states(all_four, np.full(4, stop))).float() for stop in (0, 2)
    )
    grid = through(times(process, 6, "linspace"), times(process, 2, "trailing"))
    teacher = guided(model, told(model, paths.tokens[:4]), 3.0)
    *_, last = dpmpp_2m(teacher, start, grid, process, None)
    torch.testing.assert_close(last.x, end, atol=2e-2, rtol=2e-2)
    unguided = prompted(model, told(model, paths.tokens[:4]))
    *_, other = dpmpp_2m(unguided, start, grid, process, None)
    assert not torch.allclose(other.x, end, atol=5e-2, rtol=2e-2)

    monkeypatch.setattr(paths_module, "path", None)  # what is there is not worked out again
    again = make(captioned, model)
    assert np.array_equal(
        again.states(all_four, all_four % 3), paths.states(all_four, all_four % 3)
    )
    assert torch.equal(again.tokens, paths.tokens)
    with pytest.raises(TypeError):
        make(captioned, model, walk=replace(WALK, cfg=2.0))
    with pytest.raises(TypeError):
        make(captioned, replace(model, digest="another"))


def test_a_lost_shard_is_made_again_bit_for_bit(captioned, model):
    make(captioned, model)
    first, second = sorted(captioned.folder.glob("paths-*.npy"))
    kept = {file: file.read_bytes() for file in (first, second)}
    second.unlink()
    make(captioned, model)
    assert {file: file.read_bytes() for file in (first, second)} == kept


# the student


def student(paths: Paths, model: Model, walk: Walk = WALK) -> StudentTask:
    recipe = replace(STUDENT.task, walk=walk, rank=3, prompts=("a fox",))
    return StudentTask(recipe, 0, paths, paths, model)


def test_every_segment_of_every_path_is_visited_once_an_epoch(captioned, model):
    task = student(make(captioned, model), model)
    seen = []
    for step in range(3):
        batch = task.batch(draw(step))
        for k in range(4):
            row = [batch[name][k] for name in ("start", "end", "segment")]
            seen.append(torch.cat([row[0].flatten(), row[1].flatten(), row[2].view(1)]))
    assert len(torch.stack(seen).unique(dim=0)) == len(seen) == 6 * WALK.stops


def test_a_student_that_is_its_teacher_has_nothing_to_learn(captioned, either):
    """One step of an unguided DDIM for each of the student's: their paths are the same."""
    plain = replace(either, family=replace(either.family, sampler="ddim", spacing="trailing"))
    walk = Walk(cfg=1.0, steps=2, stops=2, spacing="trailing")
    task = student(make(captioned, plain, walk=walk), plain, walk)
    with torch.no_grad():
        figures = task.validate()
        assert figures["loss"] < 1e-5
        assert figures["distance"] < 2e-3
        shaken(task.network)
        figures = task.validate()
    assert figures["loss"] > 1e-3
    assert figures["distance"] > 2e-2


def test_ddim_draws_what_the_student_was_judged_by(captioned, model):
    task = student(make(captioned, model), model)
    shaken(task.network)
    side = model.family.size // model.factor
    x = seeded([5])(torch.zeros(1, 4, side, side))
    rows = {"start": x, "tokens": model.encoders[0].windows(["a fox"])}
    with torch.no_grad():
        expected = task._drawn(rows)
    drawn = Pipeline(model, "").generate(
        "a fox", seed=5, steps=2, cfg=1.0, sampler="ddim", spacing="trailing"
    )
    torch.testing.assert_close(drawn.latents, expected, atol=1e-4, rtol=1e-4)


def test_the_exported_student_is_what_was_trained(captioned, model, tiny_model, tmp_path):
    task = student(make(captioned, model), model)
    shaken(task.network)
    task.export(tmp_path)
    with safe_open(tmp_path / "student.safetensors", "pt") as file:
        about = file.metadata()
    assert about == {
        "teacher": model.digest,
        "steps": "2",
        "cfg": "1",
        "sampler": "ddim",
        "spacing": "trailing",
    }
    lora(tmp_path / "student.safetensors").inject(tiny_model.parts).eject()
    assert task.grid().size == (4 * model.family.size, model.family.size)


SHORT = replace(
    STUDENT, steps=6, batch=4, warmup=2, lr=5e-3, log_every=1, save_every=2, validate_every=6,
    grid_every=6, ema=0.9, bf16=False,
)  # fmt: skip


class PluggedOutError(Exception):
    pass


def test_a_student_learns_and_goes_on_in_the_same_bits(captioned, tiny_model, tmp_path):
    def fresh() -> StudentTask:
        torch.manual_seed(0)
        network = deepcopy(tiny_model.network).requires_grad_(False)
        return student(made, replace(tiny_model, network=network))

    def final(folder) -> list[bytes]:
        parts = sorted((folder / "step-00000006").glob("*.safetensors"))
        return [part.read_bytes() for part in parts]

    made = make(captioned, tiny_model)
    whole, broken, other = (tmp_path / name for name in ("whole", "broken", "other"))
    for folder in (whole, broken, other):
        folder.mkdir()
    task = fresh()
    with torch.no_grad():
        before = task.validate()
    train(task, SHORT, whole, ALONE)
    with torch.no_grad():
        after = task.validate()
    assert after["loss"] < 0.9 * before["loss"]

    class Pulled(StudentTask):
        def loss(self, batch, draw):
            if draw.step == 4:
                raise PluggedOutError
            return super().loss(batch, draw)

    task = fresh()
    task.__class__ = Pulled
    with pytest.raises(PluggedOutError):
        train(task, SHORT, broken, ALONE)
    assert not (broken / "export").exists()
    train(fresh(), SHORT, broken, ALONE)
    assert final(broken) == final(whole)
    train(fresh(), replace(SHORT, lr=4e-3), other, ALONE)  # the comparison can fail
    assert final(other) != final(whole)


# guidance in the weights


def folding(model: Model, scale: float) -> FoldingTask:
    latents = np.random.default_rng(0).normal(size=(12, 4, 8, 8)).astype(np.float16)
    recipe = replace(FOLDED.task, cfg=scale, rank=3, prompts=("a fox",))
    data = Described(LatentSet([latents]), PROMPTS)
    return FoldingTask(recipe, 0, data, data, model)


def test_guidance_of_one_is_there_already(model):
    with torch.no_grad():
        assert folding(model, 1.0).validate()["loss"] < 1e-8


def test_the_goal_is_the_guided_teacher_whatever_the_student_says(model, tiny_model):
    task = folding(model, 3.0)
    batch, step = task.batch(draw()), draw()
    shaken(task.network)
    with torch.no_grad():
        found, goal, t = task._answers(batch, step)
        # by hand, from a model that no LoRA was put into
        x0 = (batch["latents"].float() - model.latent_mean) / model.latent_std
        x = model.family.process.diffuse(x0, step.normal("noise", 4, 8, 8), t)
        both = [told(tiny_model, batch["tokens"])]
        both.append(told(tiny_model, tiny_model.encoders[0].windows([""] * 4)))
        expected = cfg(pair(*(prompted(tiny_model, one) for one in both)), 3.0)(x, t)
        torch.testing.assert_close(goal, expected, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(
            goal, cfg(pair(*(prompted(tiny_model, one) for one in both)), 2.0)(x, t), atol=1e-2
        )
    assert not torch.allclose(found, goal, atol=1e-2)


def test_missing_guidance_is_a_share_of_the_teachers(model):
    task = folding(model, 30.0)
    with torch.no_grad():
        fresh = task.validate()
        assert fresh["loss"] == pytest.approx(fresh["unguided"])
        assert fresh["loss"] > 1e-3
        shaken(task.network)
        moved = task.validate()
    assert moved["unguided"] == pytest.approx(fresh["unguided"])
    assert moved["loss"] != pytest.approx(fresh["loss"], rel=1e-3)


def test_folding_learns(model):
    task = folding(model, 30.0)
    optimizer = torch.optim.Adam(task.network.parameters(), lr=1e-3)
    with torch.no_grad():
        before = task.validate()["loss"]
    for step in range(10):
        task.loss(task.batch(draw(step, 8)), draw(step, 8))[0].backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        assert task.validate()["loss"] < 0.9 * before


def test_no_teacher_no_student(tmp_path):
    with pytest.raises(InputError, match="model"):
        read_teacher(tmp_path, "model", CPU)
