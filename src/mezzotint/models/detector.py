"""A small detector: what stands where in a picture, and what kind of picture it is.

Objects are points (CenterNet, Zhou et al. 2019): a heat map whose peaks are the centres of objects,
and at every cell the kind, the colour and the box of the object that is centred there. Questions
about the whole picture are answered from the means of the same features.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.models.pyramid import CELLS, GROUP, Pyramid, added, norm
from mezzotint.nn.residual import ResidualBlock

RARE = -4.0  # first logit of a peak, for there are few (Lin et al. 2017, section 4.1)


@dataclass(frozen=True)
class DetectorParams:
    """The words that a detector knows, and its sizes.

    Attributes:
        kinds: names of objects.
        colours: colours that an object can be given; besides these it can have its own.
        places, hours, seasons, weathers, styles: the answers to one question each.
        channels: channels at strides 4, 8 and 16, multiples of 16.
        blocks: residual blocks at each.
        hidden: channels in front of the heads.
    """

    kinds: tuple[str, ...]
    colours: tuple[str, ...]
    places: tuple[str, ...]
    hours: tuple[str, ...]
    seasons: tuple[str, ...]
    weathers: tuple[str, ...]
    styles: tuple[str, ...]
    channels: tuple[int, int, int]
    blocks: tuple[int, int, int]
    hidden: int

    @property
    def questions(self) -> tuple[tuple[str, ...], ...]:
        """The answers to each question: place, hour, season, weather, style."""
        return self.places, self.hours, self.seasons, self.weathers, self.styles


class Maps(NamedTuple):
    """What the detector says of each of (h, w) cells, and of each picture.

    Attributes:
        heat: (b, h, w), logits of an object's centre being in the cell.
        kinds: (b, kinds, h, w), logits.
        colours: (b, colours + 1, h, w), logits, the last of the object's own colours.
        boxes: (b, 4, h, w): from the cell's middle to the box's, right and down, in cells; the
            logarithm of the box's width and height in cells.
        answers: (b, answers) logits for each question.
    """

    heat: Tensor
    kinds: Tensor
    colours: Tensor
    boxes: Tensor
    answers: tuple[Tensor, ...]


class Objects(NamedTuple):
    """The n most likely objects of each picture, likeliest first; scores of 0 fill up.

    Attributes:
        scores: (b, n) from 0 to 1, the chance of a centre times the chance of the kind.
        kinds: (b, n), numbers of kinds.
        colours: (b, n), numbers of colours; as many as there are stands for the object's own.
        boxes: (b, n, 4): left, top, right, bottom as fractions of the side.
    """

    scores: Tensor
    kinds: Tensor
    colours: Tensor
    boxes: Tensor


class Detector(Pyramid):
    """Three levels down, two up again, and heads."""

    def __init__(self, params: DetectorParams) -> None:
        super().__init__(params.channels, params.blocks)
        self.params = params
        fine, middle, _ = params.channels
        self.join_middle = ResidualBlock(middle, middle, middle // GROUP, eps=1e-5)
        self.neck = nn.Sequential(
            norm(fine), nn.Conv2d(fine, params.hidden, 3, padding=1), norm(params.hidden)
        )
        self.sizes = [1, len(params.kinds), len(params.colours) + 1, 4]
        self.head = nn.Conv2d(params.hidden, sum(self.sizes), 1)
        self.answers = nn.Linear(sum(params.channels), sum(map(len, params.questions)))
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias[:1], RARE)

    def forward(self, images: Tensor) -> Maps:
        """The maps of images (b, 3, 128, 128) in [−1, 1], as ``shrunk`` makes them of others."""
        fine, middle, coarse = self.levels(images)
        means = torch.cat([level.float().mean((2, 3)) for level in (fine, middle, coarse)], 1)
        up = self.join_middle(added(middle, self.to_middle(coarse)))
        neck = self.neck(added(fine, self.to_fine(up)))
        # bfloat16 has so few steps that two neighbouring cells would often be one peak
        with torch.autocast(images.device.type, enabled=False):
            heat, kinds, colours, boxes = self.head(neck.float()).split(self.sizes, 1)
            answers = self.answers(means).split([len(q) for q in self.params.questions], 1)
        return Maps(heat[:, 0], kinds, colours, boxes, answers)


def objects(maps: Maps, most: int = 12, overlap: float = 0.5) -> Objects:
    """The peaks of the heat map: cells with no likelier one among their eight neighbours.

    Of two objects of one kind whose boxes share more than ``overlap`` of their union the less
    likely one is dropped, as a second peak of the same object.
    """
    heat = maps.heat.float().sigmoid()
    peaks = heat * (heat == F.max_pool2d(heat[:, None], 3, stride=1, padding=1)[:, 0])
    heights, cells = peaks.flatten(1).topk(most)
    chances, kinds = _at(maps.kinds, cells).softmax(2).max(2)
    scores, order = (heights * chances).sort(descending=True, stable=True)
    cells, kinds = cells.gather(1, order), kinds.gather(1, order)
    boxes = _boxes(_at(maps.boxes, cells), cells)
    again = (iou(boxes, boxes) > overlap) & (kinds[:, :, None] == kinds[:, None])
    scores = scores * ~again.triu(1).any(1)
    return Objects(scores, kinds, _at(maps.colours, cells).argmax(2), boxes)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of every box of ``a`` (b, n, 4) with each of ``b`` (b, m, 4)."""
    low = torch.maximum(a[:, :, None, :2], b[:, None, :, :2])
    high = torch.minimum(a[:, :, None, 2:], b[:, None, :, 2:])
    both = (high - low).clamp_min(0).prod(3)
    areas = [(box[..., 2:] - box[..., :2]).prod(2) for box in (a, b)]
    return both / (areas[0][:, :, None] + areas[1][:, None] - both).clamp_min(1e-9)


def _at(maps: Tensor, cells: Tensor) -> Tensor:
    """What the maps (b, c, h, w) say at the cells (b, n): (b, n, c), float32."""
    flat = maps.flatten(2).float()
    return flat.gather(2, cells[:, None].expand(-1, flat.shape[1], -1)).transpose(1, 2)


def _boxes(told: Tensor, cells: Tensor) -> Tensor:
    """Boxes (b, n, 4) as fractions of the side, of what the maps told at the cells."""
    middles = torch.stack([cells % CELLS, cells // CELLS], 2) + 0.5 + told[..., :2]
    halves = told[..., 2:].clamp(max=4).exp() / 2
    return torch.cat([middles - halves, middles + halves], 2) / CELLS
