from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from squares import BATCH, new_task, step_draw, trained

from mezzotint.errors import InputError
from mezzotint.models.detector import Detector, Maps
from mezzotint.models.pyramid import CELLS
from mezzotint.training.build import build
from mezzotint.training.data.judge_scene import NAMES, judge_scene
from mezzotint.training.data.judged import (
    FIRST_SEED,
    ROWS,
    UNASKED,
    _draw_shard,
    described,
    own_colour,
    shrunk,
)
from mezzotint.training.data.pictures import PictureSet, finish
from mezzotint.training.data.scenes import HELD_OUT_SEEDS
from mezzotint.training.limits import check
from mezzotint.training.presets import RECIPES
from mezzotint.training.presets.storybook import CHAINS
from mezzotint.training.process_group import Group
from mezzotint.training.tasks.judge import JudgeRecipe, focal_loss, heats, object_losses
from mezzotint.training.tasks.roughen import roughened
from mezzotint.world.sample import sample_scene
from mezzotint.world.scene import HOURLESS, OUTDOORS, SEASONAL, Scene
from mezzotint.world.withheld import withheld

# the scenes


def kept_back(scene: Scene) -> bool:
    """Whether anything in a scene is a combination that generators never see."""
    names = [name for thing in scene.things for name in (thing.name, thing.hat) if name]
    pairs = [(a, b) for k, a in enumerate(names) for b in names[k + 1 :] if a != b]
    return (
        any(withheld("pair", *pair) for pair in pairs)
        or any(withheld("place", name, scene.place) for name in names)
        or any(t.colour and withheld("colour", t.name, t.colour) for t in scene.things)
        or any(t.count > 1 and withheld("count", t.name, str(t.count)) for t in scene.things)
    )


def test_the_judge_learns_what_generators_never_see():
    seeds = range(400)
    assert sum(kept_back(judge_scene(FIRST_SEED + seed, NAMES)) for seed in seeds) > 40
    assert not any(kept_back(sample_scene(seed)) for seed in range(200))


def test_the_judges_seeds_are_its_own():
    recipe = RECIPES["judge"]
    assert HELD_OUT_SEEDS + recipe.pictures.scenes < FIRST_SEED
    assert all(recipe.name not in chain.runs for chain in CHAINS.values())


@given(st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_labels_say_what_a_scene_shows(seed):
    scene = judge_scene(seed, NAMES)
    rows, answers = described(scene, NAMES)
    assert rows.shape == (ROWS, 6)
    there = rows[rows[:, 0] >= 0]
    names = sorted(NAMES[int(kind)] for kind in there[:, 0])
    worn = [thing.hat for thing in scene.things for _ in thing.spots if thing.hat]
    assert names == sorted([t.name for t in scene.things for _ in t.spots] + worn)
    assert (there[:, 2:] > -0.01).all()
    assert (there[:, 2:] < 1.01).all()
    assert (there[:, 4:] > there[:, 2:4]).all()
    asked = answers != UNASKED
    assert asked.tolist() == [
        True,
        scene.place not in HOURLESS,
        scene.place in SEASONAL,
        scene.place in OUTDOORS,
        True,
    ]


def test_an_apple_is_red_of_its_own_and_a_fox_has_no_colour():
    assert own_colour("apple") == "red"
    assert own_colour("fox") is None
    assert own_colour("octopus") is None  # as near to one colour as to another


def test_a_set_is_drawn_large_and_averaged_down(tmp_path):
    fine = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3)).astype(np.uint8)
    coarse = shrunk(fine)
    assert coarse[1, 3, 5, 2] == round(fine[1, 6:8, 10:12, 2].mean())
    _draw_shard(tmp_path, 3, FIRST_SEED, NAMES, 0)
    pictures = finish(tmp_path, {"size": 128, "count": 3, "single": 0})
    labels = np.load(tmp_path / "00000-labels.npz")
    assert PictureSet(tmp_path).pictures(np.arange(3)).shape == (3, 128, 128, 3)
    for k in range(len(pictures)):
        rows, answers = described(judge_scene(FIRST_SEED + k, NAMES), NAMES)
        assert np.array_equal(labels["objects"][k], rows)
        assert np.array_equal(labels["answers"][k], answers)


# the losses


def rows_of(*objects: tuple[float, ...]) -> torch.Tensor:
    rows = torch.full((1, ROWS, 6), -1.0)
    for k, row in enumerate(objects):
        rows[0, k] = torch.tensor(row)
    return rows


def test_heat_is_one_in_the_cell_of_each_centre():
    rows = rows_of((3, 0, 0.1, 0.2, 0.5, 0.4), (1, 2, 0.6, 0.6, 0.7, 0.9))
    heat = heats(rows)
    assert heat.shape == (1, ROWS, CELLS, CELLS)
    assert (heat[0, :2] == 1).sum() == 2
    assert heat[0, 0, int(0.3 * CELLS), int(0.3 * CELLS)] == 1
    assert heat[0, 1, int(0.75 * CELLS), int(0.65 * CELLS)] == 1
    assert not heat[0, 2:].any()
    across, down = (heat[0, 0] > 0.5).sum(1).max(), (heat[0, 0] > 0.5).sum(0).max()
    assert across > down  # as the box is


def perfect(rows: torch.Tensor, kinds: int = 5, colours: int = 3) -> Maps:
    """Maps that say exactly what the rows do, in every cell."""
    heat = heats(rows)
    owner = heat.argmax(1)[0]
    told = rows[0][owner]
    steps = torch.arange(CELLS) + 0.5
    cells = torch.stack([steps.expand(CELLS, CELLS), steps[:, None].expand(CELLS, CELLS)], 2)
    low, high = told[..., 2:4] * CELLS, told[..., 4:] * CELLS
    boxes = torch.cat([(low + high) / 2 - cells, (high - low).clamp_min(1e-3).log()], 2)
    logits = torch.where(heat.amax(1) == 1, 20.0, -20.0)
    hot = [
        20.0 * torch.nn.functional.one_hot(told[..., k].long().clamp_min(0), n).float()
        for k, n in ((0, kinds), (1, colours))
    ]
    return Maps(logits, *(x.permute(2, 0, 1)[None] for x in (*hot, boxes)), ())


def test_a_network_that_knows_all_has_no_loss():
    rows = rows_of((3, 0, 0.1, 0.2, 0.5, 0.4), (1, 2, 0.6, 0.6, 0.7, 0.9))
    maps, heat = perfect(rows), heats(rows)
    count = torch.tensor(2)
    assert focal_loss(maps.heat, heat.amax(1), count) < 1e-6
    assert all(loss < 1e-4 for loss in object_losses(maps, rows, heat).values())


@pytest.mark.parametrize(("term", "change"), [("kinds", 0), ("colours", 1), ("boxes", 4)])
def test_each_term_sees_its_own_mistake(term, change):
    rows = rows_of((3, 0, 0.1, 0.2, 0.5, 0.4), (1, 2, 0.6, 0.6, 0.7, 0.9))
    wrong = rows.clone()
    wrong[0, 0, change] += 1 if change < 2 else 0.2
    losses = object_losses(perfect(wrong), rows, heats(rows))
    assert losses.pop(term) > 0.1
    if change < 2:
        assert all(loss < 1e-4 for loss in losses.values())


def test_small_things_weigh_as_much_as_large_ones():
    rows = rows_of((3, 0, 0.05, 0.05, 0.65, 0.65), (1, 2, 0.8, 0.8, 0.85, 0.85))
    losses = []
    for k in range(2):
        wrong = rows.clone()
        wrong[0, k, 1] = 1
        losses.append(object_losses(perfect(wrong), rows, heats(rows))["colours"].item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_picture_without_objects_has_a_finite_loss():
    rows = rows_of()
    maps = perfect(rows)
    losses = object_losses(maps, rows, heats(rows))
    assert all(loss == 0 for loss in losses.values())
    assert focal_loss(maps.heat, heats(rows).amax(1), torch.tensor(0)) < 1e-6


# the task


def test_pictures_get_a_little_worse_and_keep_their_colours():
    images = torch.rand(BATCH, 3, 128, 128) * 0.4 - 0.2
    rough = roughened(images, step_draw(0))
    assert torch.equal(rough, roughened(images, step_draw(0)))
    assert not torch.equal(rough, roughened(images, step_draw(1)))
    assert rough.shape == images.shape
    assert rough.abs().max() <= 1
    assert (rough - images).mean((2, 3)).abs().max() < 0.12
    assert not torch.equal(rough, images)


def test_a_judge_learns():
    task, losses = trained()
    assert np.mean(losses[-10:]) < 0.4 * np.mean(losses[:10])
    after = task.validate()
    assert after["objects"] > 0.8
    assert after["colours"] > 0.9
    assert after["overlap"] > 0.6
    assert after["place"] > 0.9
    assert "hour" not in after  # it is never asked
    with torch.no_grad():
        before = new_task().validate()
    assert before["objects"] < 0.3


def test_validation_marks_what_is_wrong():
    task, _ = trained()
    held_out = task.held_out
    try:
        wrong = held_out.objects.copy()
        wrong[..., 0] = np.where(wrong[..., 0] >= 0, 1 - wrong[..., 0], -1)
        task.held_out = replace(held_out, objects=wrong)
        figures = task.validate()
    finally:
        task.held_out = held_out
    assert figures["kinds"] < 0.1
    assert figures["place"] > 0.9


def test_a_batch_has_the_labels_of_its_pictures():
    task = new_task()
    batch = task.batch(step_draw(3))
    every = task.train.pictures.pictures(np.arange(len(task.train.pictures)))
    for image, rows in zip(batch["images"].numpy(), batch["objects"].numpy(), strict=True):
        (index,) = [k for k, picture in enumerate(every) if np.array_equal(picture, image)]
        assert np.array_equal(rows, task.train.objects[index])


def test_the_grid_shows_what_is_seen():
    task, _ = trained()
    assert task.grid().size == (4 * 256, 3 * 256)


def test_the_worlds_detector_is_small():
    network = Detector(RECIPES["judge"].task.params)
    assert sum(weight.numel() for weight in network.parameters()) <= 1_800_000


def test_it_learns_at_the_size_that_it_sees():
    with pytest.raises(InputError, match=r"pictures\.size 64: the judge sees 128"):
        check(replace(RECIPES["judge"], pictures=replace(RECIPES["judge"].pictures, size=64)))
    check(RECIPES["judge"])
    params = replace(RECIPES["judge"].task.params, hidden=40)
    with pytest.raises(InputError, match="multiple of 16"):
        check(replace(RECIPES["judge"], task=JudgeRecipe(params)))


@pytest.mark.parametrize("names", [("fox", "owl", "apple"), ("fox", "house", "hat")])
def test_a_few_names_make_scenes(names):
    scenes = [judge_scene(seed, names) for seed in range(60)]
    shown = {name for scene in scenes for thing in scene.things for name in (thing.name, thing.hat)}
    assert shown - {None} == set(names)
    assert any(scene.relation == "on" for scene in scenes) == ("house" in names)


def test_it_takes_no_folder_of_pictures(tmp_path):
    group = Group(0, 1, torch.device("cpu"))
    with pytest.raises(InputError, match="give no data"):
        build(RECIPES["judge"], tmp_path, tmp_path / "judge", group)
