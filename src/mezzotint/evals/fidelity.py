"""How near the pictures of a model are to the pictures that it learned from, as two sets.

A distance between two finite sets is never zero, and depends on how many there are. So each is
given beside the same distance of as many true pictures that were not trained on: the floor.
"""

import math
import warnings
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor, nn

from mezzotint.errors import InputError

NEIGHBOURS = 3  # as Kynkäänniemi et al. (2019) choose
SUBSETS, SUBSET = 50, 1000
RARE = 0.01


@dataclass(frozen=True)
class Distances:
    """A set of pictures beside true ones.

    Attributes:
        frechet: between Gaussians of the sets' means and covariances.
        kernel: the squared maximum mean discrepancy, which is about 0 for alike sets of any size.
        precision: the share of the pictures that lie among the true ones.
        recall: the share of the true ones that lie among the pictures.
    """

    frechet: float
    kernel: float
    precision: float
    recall: float


@dataclass(frozen=True)
class Fidelity:
    """Pictures of a model, and as many held-out ones, beside those that were trained on.

    Attributes:
        drawn: of the model.
        held_out: the same of true pictures: nothing is nearer.
        copied: the share of the model's pictures that are nearer to a training picture than all but
            one in a hundred held-out ones are; 0.01 if nothing is copied.
        pictures: how many of the model there are, and how many held-out ones.
        training: how many training pictures they are compared with.
    """

    drawn: Distances
    held_out: Distances
    copied: float
    pictures: int
    training: int


def fidelity(training: Tensor, drawn: Tensor, held_out: Tensor) -> Fidelity:
    """Compare vectors (n, d) of a model's pictures and of held-out ones with those trained on.

    Raises:
        InputError: there are too few, or not as many held-out ones as the model's.
    """
    if len(drawn) != len(held_out):
        raise InputError(f"{len(drawn)} pictures and {len(held_out)} held-out ones: give as many")
    usual = nearest(held_out, training)[1]
    return Fidelity(
        drawn=distances(training, drawn),
        held_out=distances(training, held_out),
        copied=(nearest(drawn, training)[1] < usual.quantile(RARE)).double().mean().item(),
        pictures=len(drawn),
        training=len(training),
    )


def distances(true: Tensor, drawn: Tensor) -> Distances:
    """All `Distances` between vectors (n, d) and (m, d)."""
    precision, recall = precision_recall(true, drawn)
    return Distances(frechet(true, drawn), kernel(true, drawn), precision, recall)


def frechet(true: Tensor, drawn: Tensor) -> float:
    """|μ − μ′|² + tr(Σ + Σ′ − 2(ΣΣ′)^½) (Heusel et al. 2017, eq. 6) of vectors (n, d) and (m, d).

    Raises:
        InputError: there are fewer than two of either, or a number is not finite.
    """
    _check(true, drawn, least=2)
    metric = _torchmetrics("fid").FrechetInceptionDistance(_AsTheyAre(true.shape[1]))
    metric.update(true.double(), real=True)
    metric.update(drawn.double(), real=False)
    return metric.compute().item()


def kernel(true: Tensor, drawn: Tensor) -> float:
    """The unbiased MMD² under k(x, y) = (x·y/d + 1)³ (Bińkowski et al. 2018, eq. 4).

    Args:
        true: vectors (n, d).
        drawn: vectors (m, d).

    Returns:
        The mean over subsets of up to 1,000; below 0 by chance where the sets are alike.

    Raises:
        InputError: there are fewer than two of either, or a number is not finite.
    """
    _check(true, drawn, least=2)
    kid = _torchmetrics("kid")
    size = min(SUBSET, len(true), len(drawn))
    with warnings.catch_warnings(), torch.random.fork_rng(devices=()):
        warnings.simplefilter("ignore")  # that it keeps all vectors
        torch.manual_seed(0)
        as_they_are = _AsTheyAre(true.shape[1])
        metric = kid.KernelInceptionDistance(as_they_are, subsets=SUBSETS, subset_size=size)
        metric.update(true.double(), real=True)
        metric.update(drawn.double(), real=False)
        return metric.compute()[0].item()


def precision_recall(true: Tensor, drawn: Tensor, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Which share of each set lies within the other's manifold (Kynkäänniemi et al. 2019, eq. 1-2).

    A set's manifold is the union of balls around its vectors, each as wide as to reach its k-th
    nearest neighbour in the set.

    Args:
        true: vectors (n, d).
        drawn: vectors (m, d).
        k: at most n − 1 and m − 1.

    Raises:
        InputError: there are too few, or a number is not finite.
    """
    _check(true, drawn, least=k + 1)
    apart = torch.cdist(drawn, true)
    within_true = (apart <= _reach(true, k)[None, :]).any(dim=1)
    within_drawn = (apart <= _reach(drawn, k)[:, None]).any(dim=0)
    return within_true.double().mean().item(), within_drawn.double().mean().item()


def nearest(vectors: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
    """For each of the vectors (n, d), which one of (m, d) is nearest, and how far: (n,) and (n,).

    Raises:
        InputError: one of the sets is empty, or a number is not finite.
    """
    _check(vectors, among, least=1)
    found = torch.cdist(vectors, among).min(dim=1)
    return found.indices, found.values


def _reach(vectors: Tensor, k: int) -> Tensor:
    """How far the k-th nearest other one is."""
    apart = torch.cdist(vectors, vectors).fill_diagonal_(-math.inf)  # oneself comes first
    return apart.kthvalue(k + 1, dim=1).values


class _AsTheyAre(nn.Module):
    """torchmetrics asks a network for features; these are there already."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, vectors: Tensor) -> Tensor:
        return vectors


def _check(first: Tensor, second: Tensor, least: int) -> None:
    if min(len(first), len(second)) < least:
        raise InputError(f"{len(first)} and {len(second)} pictures: give {least} or more of each")
    if first.shape[1] != second.shape[1]:
        raise InputError(f"features of width {first.shape[1]} and {second.shape[1]}: use one kind")
    if not (first.isfinite().all() and second.isfinite().all()):
        raise InputError("features that are not finite: the pictures or the network are damaged")


def _torchmetrics(name: str) -> ModuleType:
    try:
        return import_module(f"torchmetrics.image.{name}")
    except ImportError as error:
        raise InputError("fidelity needs torchmetrics: pip install 'mezzotint[evals]'") from error
