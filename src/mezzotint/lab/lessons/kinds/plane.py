"""What the four toys learn: bumps on a plane, so that what a toy leaves out can be counted."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mezzotint.diffusion.oracle import GaussianMixture
from mezzotint.errors import choose

NEAR = 3.0  # standard deviations within which a point lies on a bump
FOUND = 0.25  # of its fair share of points, from which a bump counts as found


@dataclass(frozen=True)
class Coverage:
    """How much of the data drawn points (n, 2) reach.

    Attributes:
        found: bumps with at least ``FOUND`` of their share of the points.
        bumps: how many there are.
        near: the share of points that lie on a bump, 0…1; of the data's own, 1 − exp(−NEAR²/2).
    """

    found: int
    bumps: int
    near: float


def ring(bumps: int = 8, std: float = 0.08) -> GaussianMixture:
    """Bumps on a circle, of unit variance in each direction."""
    turn = torch.arange(bumps) * (2 * math.pi / bumps)
    radius = math.sqrt(2 * (1 - std**2))
    return _even(radius * torch.stack([turn.cos(), turn.sin()], 1), std)


def grid(side: int = 5, std: float = 0.08) -> GaussianMixture:
    """Bumps in rows and columns, of unit variance in each direction."""
    line = torch.arange(side) - (side - 1) / 2
    means = torch.cartesian_prod(line, line)
    return _even(means * math.sqrt((1 - std**2) / means[:, 0].square().mean().item()), std)


DATA = {"ring": ring, "grid": grid}


def data(name: str) -> GaussianMixture:
    """The data of this name.

    Raises:
        InputError: there is none.
    """
    return choose("data", name, DATA)()


def coverage(points: Tensor, mixture: GaussianMixture) -> Coverage:
    """Count the bumps that ``points`` (n, 2) reach; a point that is no number reaches none."""
    away = torch.cdist(points.nan_to_num(nan=math.inf), mixture.means)
    distance, nearest = away.min(1)
    near = distance <= NEAR * mixture.stds[nearest]
    bumps = len(mixture.means)
    counts = torch.bincount(nearest[near], minlength=bumps)
    found = int((counts >= FOUND * len(points) / bumps).sum())
    return Coverage(found, bumps, near.double().mean().item())


def entropy(mixture: GaussianMixture, n: int = 20_000) -> float:
    """−E ln p(x) in nats a point: what a perfect model of the data pays, from ``n`` of its points.

    Here p(x) = Σₖ wₖ·N(x; μₖ, sₖ²·I).
    """
    x = mixture.sample(n, torch.Generator().manual_seed(0))
    squares = torch.cdist(x, mixture.means).square() / mixture.stds.square()
    dimensions = x.shape[1]
    logs = -squares / 2 - dimensions * (mixture.stds.log() + 0.5 * math.log(2 * math.pi))
    return -(mixture.weights.log() + logs).logsumexp(1).mean().item()


def _even(means: Tensor, std: float) -> GaussianMixture:
    n = len(means)
    return GaussianMixture(means.float(), torch.full((n,), std), torch.full((n,), 1 / n))
