"""The four toys, trained side by side, some steps a turn."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mezzotint.diffusion.oracle import GaussianMixture
from mezzotint.errors import choose
from mezzotint.lab.lessons.kinds.plane import coverage, data, entropy
from mezzotint.lab.lessons.kinds.toys import GAN, VAE, Diffusion, Flow, Toy, weights
from mezzotint.lab.live import Event

BATCH = 256
TURN = 25  # steps
SHOWN = 400  # points
MEASURED = 4000  # points

GAMES = {"paired": "paired", "2014": "2014"}


@dataclass
class Runner:
    """A toy on its way.

    Attributes:
        toy: what learns.
        name: of its kind.
        rng: of its training.
        steps: how many it takes in all.
        done: how many it has taken.
        seconds: that it has trained for.
        losses: of the players, the last ones.
    """

    toy: Toy
    name: str
    rng: torch.Generator
    steps: int
    done: int = 0
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        self._optimisers = {
            name: torch.optim.Adam(player.parameters(), self.toy.lr, self.toy.betas)
            for name, player in self.toy.players.items()
        }

    def train(self, mixture: GaussianMixture, steps: int) -> None:
        """Take some steps; the rate falls to 0 towards the last of all."""
        began = time.perf_counter()
        for _ in range(min(steps, self.steps - self.done)):
            x = mixture.sample(BATCH, self.rng)
            for player, optimiser in self._optimisers.items():
                for group in optimiser.param_groups:
                    group["lr"] = self.toy.lr * (1 - self.done / self.steps)
                optimiser.zero_grad()
                loss = self.toy.loss(player, x, self.rng)
                loss.backward()
                optimiser.step()
                self.losses[player] = loss.item()
            self.done += 1
        self.seconds += time.perf_counter() - began

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        """Points (n, 2), always of the same noise."""
        return self.toy.sample(n, torch.Generator().manual_seed(1))


def runners(game: str, steps: int, seed: int) -> list[Runner]:
    """The four kinds, before their first step.

    Raises:
        InputError: there is no such game of a GAN.
    """
    choose("game", game, GAMES)
    made: dict[str, Callable[[], Toy]] = {
        "gan": lambda: GAN(game),
        "vae": VAE,
        "flow": Flow,
        "diffusion": Diffusion,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return [
            Runner(make(), name, torch.Generator().manual_seed(seed), steps)
            for name, make in made.items()
        ]


def race(name: str, game: str, steps: int, seed: int) -> Iterator[Event]:
    """Events "begin", then "at" for each kind in turn, "measured" for each, and "done".

    Args:
        name: of the data, one of ``plane.DATA``.
        game: of the GAN, one of ``GAMES``.
        steps: of each kind.
        seed: of the weights and the batches.

    Raises:
        InputError: there is no such data or game.
    """
    mixture = data(name)
    running = runners(game, steps, seed)
    yield Event("begin", _begin(mixture, running))
    while running[-1].done < steps:
        for each in running:
            each.train(mixture, TURN)
            yield Event("at", _at(each))
    for each in running:
        yield Event("measured", _measured(each, mixture))
    yield Event("done", {})


def _begin(mixture: GaussianMixture, running: list[Runner]) -> dict[str, object]:
    own = mixture.sample(MEASURED, torch.Generator().manual_seed(1))
    return {
        "points": _told(own[:SHOWN]),
        "means": _told(mixture.means),
        "std": mixture.stds[0].item(),
        "near": coverage(own, mixture).near,
        "entropy": entropy(mixture),
        "kinds": [
            {
                "kind": each.name,
                "weights": weights(each.toy.generator),
                "beside": sum(map(weights, each.toy.players.values()))
                - weights(each.toy.generator),
                "calls": each.toy.calls,
            }
            for each in running
        ],
    }


def _at(runner: Runner) -> dict[str, object]:
    points = runner.draw(SHOWN)
    return {
        "kind": runner.name,
        "step": runner.done,
        "steps": runner.steps,
        "losses": runner.losses,
        "points": _told(points),
    }


def _measured(runner: Runner, mixture: GaussianMixture) -> dict[str, object]:
    began = time.perf_counter()
    points = runner.draw(MEASURED)
    took = time.perf_counter() - began
    reached = coverage(points, mixture)
    return {
        "kind": runner.name,
        "found": reached.found,
        "bumps": reached.bumps,
        "near": reached.near,
        "nats": _nats(runner, mixture),
        "trained": runner.seconds,
        "seconds": took / MEASURED,
    }


@torch.no_grad()
def _nats(runner: Runner, mixture: GaussianMixture) -> float | None:
    """What the data's points cost, of the two kinds whose loss that is."""
    if runner.name not in ("vae", "flow"):
        return None
    rng = torch.Generator().manual_seed(2)
    return runner.toy.loss(runner.name, mixture.sample(MEASURED, rng), rng).item()


def _told(points: Tensor) -> list[list[float]]:
    """As JSON can say it: what has run away is far out, and what is no number too."""
    finite = points.nan_to_num(nan=99.0).clamp(-99, 99)
    return [[round(x, 3) for x in point] for point in finite.tolist()]
