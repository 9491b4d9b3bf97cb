"""What the kinds cost, and what they are compared on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from blobs import KINDS as TINY
from blobs import SHAPE, blobs, some
from torch import Tensor, nn

from mezzotint.diffusion import Noise
from mezzotint.errors import InputError
from mezzotint.training.draw import Draw
from mezzotint.training.taxonomy.compare import (
    KINDS,
    Cost,
    cost,
    draw_latents,
    mean_bits,
    minutes,
    seconds_a_picture,
    steps_for,
)
from mezzotint.training.taxonomy.data import Told
from mezzotint.training.taxonomy.kind import GRAIN, Kind, Settings, Shape


class OneMatrix:
    """A kind whose arithmetic can be counted by hand: 2 operations a weight."""

    shape, settings, evaluations = SHAPE, Settings(1e-3, (0.9, 0.99)), 1

    def __init__(self) -> None:
        self.generator = nn.Linear(2, 16, bias=False)
        self.critic = nn.Linear(16, 1, bias=False)
        self.players = {"critic": self.critic, "generator": self.generator}

    def loss(self, player: str, x: Tensor, told: Tensor, draw: Draw) -> Tensor:
        seen = x.flatten(1) if player == "critic" else self.generator(told)
        return self.critic(seen).mean()

    def sample(self, told: Tensor, noise: Noise) -> Tensor:
        return self.generator(told).view(-1, 1, 4, 4)

    def bits(self, x: Tensor, told: Tensor, draw: Draw) -> Tensor | None:
        return None


def test_cost_is_what_a_hand_counts():
    found = cost(OneMatrix())
    # the critic: forwards, and to its weights; the generator: both forwards, to x, to its weights
    assert found == Cost(
        32, 16, training=2 * (2 * 16 + 16 + 16 + 32 + 32), drawing=64, evaluations=1
    )


def test_a_penalty_on_slopes_costs_a_second_way_back(monkeypatch: pytest.MonkeyPatch):
    gan = TINY["gan"](SHAPE)
    whole = cost(gan).training
    monkeypatch.setattr(gan, "_judged", lambda x, told: (gan.critic(x, told), torch.zeros(())))
    assert whole > 1.2 * cost(gan).training


def test_kinds_are_of_equal_size():
    sizes = [
        sum(w.numel() for w in kind(Shape(4, 32, 256)).generator.parameters())
        for kind in KINDS.values()
    ]
    assert len(sizes) == 4
    assert max(sizes) < 1.1 * min(sizes)
    assert 3.5e6 < min(sizes) < 4.5e6


def test_a_budget_is_spent_and_not_overspent():
    each = Cost(1, 0, training=1000, drawing=1, evaluations=1)
    for budget in (4e4, 4.5e4, 1e6):
        steps = steps_for(budget, each, batch=4)
        assert steps * 4000 <= budget < (steps + 1) * 4000
    with pytest.raises(InputError, match=r"a step takes 4e\+03"):
        steps_for(3999, each, batch=4)


def test_measures_are_those_of_the_kind(kind: Kind, name: str):
    x, told = blobs(some(6))
    assert torch.allclose(
        draw_latents(kind, told, range(6), 6), draw_latents(kind, told, range(6), 4), atol=1e-5
    )
    bits = mean_bits(kind, x, told, 0, 6)
    assert (bits is None) == (name == "gan")
    assert seconds_a_picture(kind, told[:1], repeats=1) > 0


def test_minutes_are_those_that_the_log_tells(tmp_path: Path):
    rows = [{"step": 50, "samples_per_s": 10.0}, {"step": 80, "samples_per_s": 5.0}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert minutes(tmp_path, batch=12) == pytest.approx((50 * 12 / 10 + 30 * 12 / 5) / 60)


class Numbers:
    """Latents that say which picture they are of."""

    def latents(self, indices):
        return np.broadcast_to(indices[:, None, None, None] / 2, (len(indices), 2, 4, 4)).astype(
            np.float16
        )


@pytest.fixture
def pictures() -> Told:
    captions = [[f"{k} {wording}" for wording in range(3)] for k in range(10)]

    def tell(chosen) -> Tensor:
        return torch.tensor([[float(part) for part in text.split()] for text in chosen])

    return Told(Numbers(), captions, tell, torch.ones(1, 2, 1, 1), torch.full((1, 2, 1, 1), 0.5))  # type: ignore[arg-type]


def test_captions_are_those_of_their_latents(pictures: Told):
    assert pictures.shape() == Shape(2, 4, 2)
    seen, wordings = [], set()
    for step in range(5):
        x, told = pictures.batch(Draw(0, step, 4, slice(None), torch.device("cpu")))
        assert ((x - ((told[:, 0] / 2 - 1) / 0.5)[:, None, None, None]).abs() <= GRAIN).all()
        seen += told[:, 0].tolist()
        wordings |= set(told[:, 1].tolist())
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert wordings == {0.0, 1.0, 2.0}
