"""A denoiser that says which part of which thing it draws."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mezzotint.models.dit import DiT
from mezzotint.models.unet import UNet
from mezzotint.training.data.parts import LEVELS, NOTHING, PartSet, scene_parts, shown
from mezzotint.training.data.pictures import SHARD
from mezzotint.training.data.scenes import SceneSet, scene_captions, scenes_of
from mezzotint.training.presets.storybook import PRESETS
from mezzotint.training.tasks.parts import BINS, PartsReader, tapped, width_of


def test_what_is_shown_is_kept_as_it_is(tmp_path):
    scenes = SceneSet(64, 6, 3, 1, first_seed=5)
    kept = scene_parts(scene_captions(tmp_path, scenes), scenes)
    own = [shown(scene, 64) for scene in scenes_of(scenes, 0)]
    assert np.array_equal(kept.parts(np.arange(6)), np.stack(own))
    assert np.array_equal(kept.parts(np.array([4, 1])), np.stack([own[4], own[1]]))
    again = scene_parts(scene_captions(tmp_path, scenes), scenes)
    assert np.array_equal(again.parts(np.arange(6)), np.stack(own))


def test_scenes_are_found_in_their_shards():
    shards = [np.full((SHARD, 3, 1, 1), k, np.uint8) for k in range(3)]
    found = PartSet(shards).parts(np.array([2 * SHARD, 5, SHARD + 1]))
    assert found[:, 0, 0, 0].tolist() == [2, 0, 1]


def told(batch: torch.Tensor) -> torch.Tensor:
    """Features that say all there is to say of parts."""
    kinds, across, down = (plane.long() for plane in batch.unbind(1))
    sides = [
        torch.nn.functional.one_hot(side * BINS // (LEVELS + 1), BINS) for side in (across, down)
    ]
    names = torch.nn.functional.one_hot(kinds, NOTHING + 1)
    return torch.cat([names, *sides], -1).permute(0, 3, 1, 2).float()


@pytest.fixture
def parts() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randint(0, NOTHING + 1, (2, 4, 4), generator=generator)
    sides = torch.randint(0, LEVELS + 1, (2, 2, 4, 4), generator=generator)
    kinds[0, :2] = NOTHING
    return torch.stack([kinds, *sides], 1).to(torch.uint8)


def test_features_that_hold_it_all_are_right_and_others_are_not(parts):
    reader = PartsReader(NOTHING + 1 + 2 * BINS)
    with torch.no_grad():
        reader.read.weight.copy_(50 * torch.eye(NOTHING + 1 + 2 * BINS)[:, :, None, None])
        reader.read.bias.zero_()
        assert reader(told(parts), parts) < 1e-6
        assert reader(told(parts).flip(0), parts) > 5


def test_sides_count_only_where_there_is_a_thing(parts):
    reader = PartsReader(8)
    features = torch.randn(2, 8, 4, 4)
    before = reader(features, parts)
    elsewhere = parts.clone()
    elsewhere[:, 1:][:, :, :][parts[:, :1].expand(-1, 2, -1, -1) == NOTHING] = 77
    assert reader(features, elsewhere) == before
    there = parts.clone()
    there[1, 1, parts[1, 0] != NOTHING] += 100
    assert reader(features, there) != before


def small(kind: str) -> UNet | DiT:
    params = PRESETS[kind].task.network
    if kind == "denoiser":
        return UNet(replace(params, channels=(64, 128), heads=(2, 2), blocks=1))
    return DiT(replace(params, width=48, hidden=64, heads=2, blocks=2))


@pytest.mark.parametrize("kind", ["denoiser", "flow"])
def test_features_come_from_within_and_leave_the_network_as_it_is(kind):
    network = small(kind)
    params = network.params
    x, t = torch.randn(2, 4, 8, 8), torch.tensor([10.0, 500.0])
    args = (x, t, torch.randn(2, 5, params.context_width), torch.randn(2, params.y_width))
    plain = network(*args)
    with tapped(network) as seen:
        assert torch.equal(network(*args), plain)
    assert seen.features.shape == (2, width_of(network), 8 // params.patch, 8 // params.patch)
    reader = PartsReader(width_of(network))
    target = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    reader(seen.features, target).backward()
    reached = [name for name, each in network.named_parameters() if each.grad is not None]
    assert reached
    before = seen.features
    network(*args)
    assert seen.features is before
