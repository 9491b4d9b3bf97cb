"""A text tower that stays as it is has read every caption, and tells rivals of a picture's own."""

from dataclasses import replace

import numpy as np
import torch

from mezzotint.models.clip import CLIPText, CLIPTextParams, TowerParams
from mezzotint.training.data.folder import folder_pictures
from mezzotint.training.data.tokens import caption_vectors
from mezzotint.training.draw import Draw, visits
from mezzotint.training.presets.storybook import PRESETS
from mezzotint.training.tasks.clip import CLIPTask

CPU = torch.device("cpu")
TOWER = CLIPTextParams(
    TowerParams(width=16, layers=1, heads=2, hidden=32, activation="gelu"),
    vocabulary=50,
    length=10,
    end_token=49,
    projection=12,
)
HALVES = slice(0, 4), slice(4, 8)  # of a batch of 8, for two processes


class Shades:
    def __len__(self) -> int:
        return 40

    def pictures(self, indices):
        return np.zeros((len(indices), 4, 4, 3), np.uint8)


def test_what_a_tower_makes_of_captions_is_worked_out_once(pictures, tmp_path):
    train, _ = folder_pictures(tmp_path, pictures, 32, 4, lambda *_: None)
    tower = CLIPText(TOWER)
    tokens = np.random.default_rng(0).integers(0, 50, (len(train), 2, 10), np.int16)
    vectors = caption_vectors(train, tokens, tower, CPU, False, lambda *_: None)
    with torch.no_grad():
        _, expected = tower(torch.from_numpy(tokens[7].astype(np.int64)))
    assert vectors.shape == (len(train), 2, 12)
    torch.testing.assert_close(
        torch.from_numpy(np.array(vectors[7])).float(), expected, atol=2e-3, rtol=2e-3
    )
    (file,) = train.folder.glob("vectors-*.npy")
    stamp = file.stat().st_mtime_ns
    caption_vectors(train, tokens, tower, CPU, False, lambda *_: None)
    assert file.stat().st_mtime_ns == stamp
    caption_vectors(train, tokens, tower, CPU, True, lambda *_: None)
    caption_vectors(train, tokens, CLIPText(TOWER), CPU, False, lambda *_: None)  # other weights
    assert len(list(train.folder.glob("vectors-*.npy"))) == 3


def test_rivals_are_captions_of_other_pictures():
    """They change from step to step and are the same for every process."""
    task = object.__new__(CLIPTask)
    task.recipe = replace(PRESETS["clip"].task, rivals=30)
    task.seed, task.pictures = 3, Shades()
    task.tokens = np.zeros((40, 3, 5), np.int16)
    task.vectors = np.arange(120, dtype=np.float16).reshape(40, 3, 1)
    draws = [Draw(3, step, 8, rows, CPU) for step in range(4) for rows in HALVES]
    batches = [task.batch(draw) for draw in draws]
    for step, (one, other) in enumerate(zip(batches[::2], batches[1::2], strict=True)):
        assert torch.equal(one["rivals"], other["rivals"])
        shown = torch.cat([one["told"], other["told"]]).int() // 3
        assert sorted(set(shown.flatten().tolist())) == sorted(visits(3, 40, 8 * step, 8).tolist())
        owners = one["rivals"].int() // 3
        assert 15 < len(owners) < 30
        assert not set(owners.flatten().tolist()) & set(shown.flatten().tolist())
    assert len({tuple(batch["rivals"].flatten().tolist()) for batch in batches}) == 4
    task.recipe = replace(task.recipe, rivals=0)
    assert task.batch(draws[0])["rivals"].shape == (0, 1)
