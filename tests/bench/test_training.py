"""bench/training.py: what is timed is steps, and nothing that comes after them."""

import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

BENCH = Path(__file__).parents[2] / "bench"
AFTER = 0.3  # seconds


@pytest.fixture
def training(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import training

    yield training
    for name in ("training", "speed"):
        sys.modules.pop(name, None)


class Task:
    """A task whose steps take no time."""

    def __init__(self):
        self.network = nn.Linear(4, 2, device=self.device)

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def batch(self, draw):
        return {"x": torch.ones(3, 4)}

    def loss(self, batch, draw):
        return self.network(batch["x"].to(self.device)).mean(), {}


def takes_long_to_end(task, recipe, folder, group):
    """Steps, and then what a run does when it has taken all of them."""
    for _ in range(recipe.steps):
        task.loss(task.batch(None), None)
    time.sleep(AFTER)


def test_the_seconds_of_a_step_hold_nothing_of_what_comes_after_the_last(training, monkeypatch):
    monkeypatch.setattr(training, "build", lambda *_: Task())
    monkeypatch.setattr(training, "train", takes_long_to_end)
    monkeypatch.setattr(training, "noise_pictures", lambda folder: folder)
    steps = training.WARM + 3
    for found in training.recipes(steps, tiny=True).values():
        assert found["seconds"] < AFTER / 3
        assert found["products"] == 2 * 2 * 3 * 4 * 2  # there, and back to the weights
