"""How well things stand in the boxes that were asked for."""

from collections.abc import Sequence
from itertools import permutations

import torch
from torch import Tensor

from mezzotint.evals.asking import SURE
from mezzotint.evals.judge import Seen
from mezzotint.models.detector import iou
from mezzotint.world.layout import Box

Asked = Sequence[tuple[str, Box]]
"""Names of things and their boxes, as ``mezzotint.world.boxes.boxes`` tells them."""

MOST = 6  # sightings of a kind, the surest, among which its boxes are looked for


def box_overlaps(asked: Asked, seen: Seen) -> list[float]:
    """For each asked box its intersection over union with the sighting that it is assigned to.

    A sighting of another kind counts as none, and no sighting counts for two boxes: of all
    assignments it is the one with the greatest sum. 0 for a box that is left without any.
    """
    overlaps = [0.0] * len(asked)
    for name in {name for name, _ in asked}:
        places = [k for k, (other, _) in enumerate(asked) if other == name]
        found = sorted(
            (one for one in seen.objects if one.kind == name and one.score > SURE),
            key=lambda one: -one.score,
        )[: max(MOST, len(places))]
        if not found:
            continue
        each = iou(_boxes([asked[k][1] for k in places]), _boxes([one.box for one in found]))[0]
        for place, overlap in zip(places, _assigned(each), strict=True):
            overlaps[place] = overlap
    return overlaps


def mean_overlap(asked: Asked, seen: Seen) -> float:
    """The mean of ``box_overlaps``; 1 where nothing is asked for."""
    overlaps = box_overlaps(asked, seen)
    return sum(overlaps) / len(overlaps) if overlaps else 1.0


def _assigned(each: Tensor) -> list[float]:
    """What each row of (n, m) gets in the assignment with the greatest sum."""
    rows, columns = each.shape
    padded = torch.zeros(rows, max(rows, columns))
    padded[:, :columns] = each
    table = padded.tolist()

    def overlaps(order: tuple[int, ...]) -> list[float]:
        return [row[k] for row, k in zip(table, order, strict=True)]

    # four drawings of a kind at most: all orders are few
    return max(map(overlaps, permutations(range(padded.shape[1]), rows)), key=sum)


def _boxes(boxes: Sequence[Box]) -> Tensor:
    return torch.tensor(boxes)[None]
