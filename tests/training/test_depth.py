from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, rankdata, spearmanr
from torch import nn

from mezzotint.errors import InputError
from mezzotint.models.depth import DepthNet, DepthParams, correlation, ranks
from mezzotint.models.pyramid import CELLS
from mezzotint.training.build import build
from mezzotint.training.data import depths, judged
from mezzotint.training.data.depths import Depths, averaged
from mezzotint.training.data.judge_scene import NAMES
from mezzotint.training.data.pictures import PictureSet, finish, write_shard
from mezzotint.training.draw import Draw
from mezzotint.training.limits import check
from mezzotint.training.presets import RECIPES
from mezzotint.training.process_group import Group
from mezzotint.training.tasks.depth import DepthRecipe, DepthTask

TINY = DepthRecipe(DepthParams(channels=(16, 16, 16), blocks=(1, 1, 1)))
BATCH, COUNT = 8, 64


def ramps(folder, seed: int, count: int) -> Depths:
    """Pictures whose light is their depth: a ramp each, in a direction of its own."""
    rng = np.random.default_rng(seed)
    across = np.linspace(-1, 1, 128)
    angle = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    near = 0.5 + 0.35 * (np.cos(angle) * across + np.sin(angle) * across[:, None])
    light = (255 * near[..., None] * [1.0, 0.8, 0.6]).round().astype(np.uint8)
    folder.mkdir()
    write_shard(folder, 0, light, [[]] * count)
    pictures = finish(folder, {"size": 128, "count": count, "single": 0})
    return Depths(pictures, np.stack([averaged(each.astype(np.float32)) for each in near]))


@pytest.fixture
def task(tmp_path) -> DepthTask:
    train, held_out = ramps(tmp_path / "train", 0, COUNT), ramps(tmp_path / "held_out", 1, 16)
    return DepthTask(TINY, 0, train, held_out, torch.device("cpu"))


def step_draw(step: int) -> Draw:
    return Draw(0, step, BATCH, slice(None), torch.device("cpu"))


def test_it_learns_how_near_things_are(task: DepthTask):
    with torch.no_grad():
        before = task.validate()
    optimizer = torch.optim.AdamW(task.network.parameters(), 5e-3)
    for step in range(40):
        loss, _ = task.loss(task.batch(step_draw(step)), step_draw(step))
        loss.backward()
        nn.utils.clip_grad_norm_(task.network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        after = task.validate()
        task.held_out = Depths(task.held_out.pictures, task.held_out.depths[::-1].copy())
        mixed_up = task.validate()
    assert after["correlation"] > 0.9
    assert after["error"] < 0.6 * before["error"]
    assert mixed_up["correlation"] < 0.5


def test_a_batch_has_the_depths_of_its_pictures(task: DepthTask):
    batch = task.batch(step_draw(3))
    light = batch["images"][..., 0].float().view(BATCH, CELLS, 4, CELLS, 4).mean((2, 4))
    assert (light - batch["depths"].float()).abs().max() < 2


def test_the_grid_shows_pictures_true_depth_and_what_is_said(task: DepthTask):
    with torch.no_grad():
        assert task.grid().size == (8 * 128, 3 * 128)


@given(st.integers(0, 1000))
def test_correlations_are_pearsons_and_spearmans(seed: int):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 9, (2, 3, 4, 5)).astype(float)  # with ties
    first, second = torch.from_numpy(a), torch.from_numpy(b)
    known = [pearsonr(x.ravel(), y.ravel())[0] for x, y in zip(a, b, strict=True)]
    assert correlation(first, second).tolist() == pytest.approx(known, abs=1e-9)
    known = [spearmanr(x.ravel(), y.ravel())[0] for x, y in zip(a, b, strict=True)]
    assert correlation(ranks(first), ranks(second)).tolist() == pytest.approx(known, abs=1e-9)
    each = [rankdata(x.ravel()) - 1 for x in a]
    assert np.array_equal(ranks(first).flatten(1).numpy(), each)


def test_a_flat_map_correlates_with_nothing():
    flat = torch.ones(1, 4, 4)
    assert correlation(flat, torch.rand(1, 4, 4)).item() == 0
    assert correlation(flat, flat).item() == 0


def test_correlation_asks_for_no_unit():
    maps = torch.rand(2, 6, 6)
    assert correlation(maps, 3 * maps - 7).tolist() == pytest.approx([1, 1])
    assert correlation(maps, -maps).tolist() == pytest.approx([-1, -1])


def test_a_set_is_drawn_with_its_depths(tmp_path, monkeypatch):
    # the world's depth of a scene, told by its seed
    monkeypatch.setattr(
        depths, "depth", lambda scene, size: np.full((size, size), scene.variant % 2, np.float32)
    )
    depths._draw_shard(tmp_path, 3, depths.FIRST_SEED, 0)
    finish(tmp_path, {"size": 128, "count": 3, "single": 0})
    found = np.load(tmp_path / "00000-depths.npy")
    assert PictureSet(tmp_path).pictures(np.arange(3)).shape == (3, 128, 128, 3)
    scenes = [depths.judge_scene(depths.FIRST_SEED + k, NAMES) for k in range(3)]
    assert found[:, 0, 0].tolist() == [255 * (scene.variant % 2) for scene in scenes]
    assert found.shape == (3, CELLS, CELLS)


def test_a_map_is_averaged_down():
    fine = np.random.default_rng(0).random((128, 128), np.float32)
    assert averaged(fine)[2, 5] == round(255 * float(fine[8:12, 20:24].mean()))


def test_its_seeds_are_its_own():
    recipe = RECIPES["depth"]
    ends = [start + recipe.pictures.scenes for start in (depths.FIRST_SEED, depths.HELD_OUT_SEED)]
    assert judged.HELD_OUT_SEED + RECIPES["judge"].pictures.held_out < depths.FIRST_SEED
    assert ends[0] < depths.HELD_OUT_SEED


def test_the_worlds_network_is_small():
    network = DepthNet(RECIPES["depth"].task.params)
    assert sum(weight.numel() for weight in network.parameters()) < 1_000_000
    with torch.no_grad():
        said = network(torch.zeros(2, 3, 128, 128))
    assert said.shape == (2, 1, CELLS, CELLS)


def test_what_cannot_be_trained_is_refused(tmp_path):
    recipe = RECIPES["depth"]
    check(recipe)
    with pytest.raises(InputError, match="the depth network sees 128"):
        check(replace(recipe, pictures=replace(recipe.pictures, size=64)))
    odd = DepthRecipe(DepthParams(channels=(64, 90, 128), blocks=(1, 1, 1)))
    with pytest.raises(InputError, match="multiple of 16"):
        check(replace(recipe, task=odd))
    with pytest.raises(InputError, match="give no data"):
        build(recipe, tmp_path, tmp_path / "depth", Group(0, 1, torch.device("cpu")))
