"""How well the edges of a picture are those that were asked for.

As boundaries are compared (Martin, Fowlkes & Malik 2004): an edge counts where one of the other map
lies within a few pixels of it. Canny draws lines of one pixel, so no edge is matched with another.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from mezzotint.adapters.maps import edges
from mezzotint.errors import InputError

Edges = NDArray[np.bool_]
TOLERANCE = 2  # pixels in each direction, of 256 along a side


@dataclass(frozen=True)
class Agreement:
    """How far edges agree, each from 0 to 1.

    Attributes:
        precision: share of the found edges that were asked for.
        recall: share of the asked ones that are found.
    """

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both; 0 if both are."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def edges_in(picture: Image.Image) -> Edges:
    """Where Canny's edges of a picture are, (h, w)."""
    return on(edges(picture))


def on(edge_map: Image.Image) -> Edges:
    """Where a map of edges, white on black, has any: (h, w)."""
    return np.asarray(edge_map.convert("L")) > 127


def agreement(found: Edges, asked: Edges, tolerance: int = TOLERANCE) -> Agreement:
    """Compare edges (h, w) with those that were asked for.

    Where there are none, all of them are right.

    Raises:
        InputError: the two are of different sizes.
    """
    if found.shape != asked.shape:
        raise InputError(f"edges {found.shape}, {asked.shape} asked for: give maps of one size")
    return Agreement(_near(found, asked, tolerance), _near(asked, found, tolerance))


def _near(edges: Edges, others: Edges, tolerance: int) -> float:
    """The share of ``edges`` that have one of ``others`` near them."""
    if not edges.any():
        return 1.0
    return float(_widened(others, tolerance)[edges].mean())


def _widened(edges: Edges, tolerance: int) -> Edges:
    each = torch.from_numpy(edges)[None, None].float()
    wide = F.max_pool2d(each, 2 * tolerance + 1, stride=1, padding=tolerance)
    return wide[0, 0].numpy() > 0
