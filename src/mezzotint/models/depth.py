"""A small network that says how near everything in a picture is.

As in monocular depth estimation (Eigen et al. 1406.2283), from one picture alone: three levels
down, two up again with the finer level added, and one number for each of 32 × 32 places.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mezzotint.models.pyramid import Pyramid, added, norm, residual


@dataclass(frozen=True)
class DepthParams:
    """Sizes of a depth network.

    Attributes:
        channels: channels at strides 4, 8 and 16, multiples of 16.
        blocks: residual blocks at each.
    """

    channels: tuple[int, int, int]
    blocks: tuple[int, int, int]


class DepthNet(Pyramid):
    """From pictures to depth, as far as it can be seen."""

    def __init__(self, params: DepthParams) -> None:
        super().__init__(params.channels, params.blocks)
        self.params = params
        fine, middle, coarse = params.channels
        self.overall = nn.Linear(coarse, coarse)
        self.join_middle = residual(middle, 1)
        self.join_fine = residual(fine, 1)
        self.head = nn.Sequential(norm(fine), nn.Conv2d(fine, 1, 3, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        """The depth (b, 1, 32, 32) in (0, 1) of images (b, 3, 128, 128) in [−1, 1].

        Its ends are those of the maps that it was trained on: ``mezzotint.world.depth``'s.
        """
        fine, middle, coarse = self.levels(images)
        # where the ground ends depends on what place it is
        coarse = coarse + self.overall(coarse.mean((2, 3)))[:, :, None, None]
        up = self.join_middle(added(middle, self.to_middle(coarse)))
        up = self.join_fine(added(fine, self.to_fine(up)))
        with torch.autocast(images.device.type, enabled=False):
            return self.head(up.float()).sigmoid()


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation (b,) of maps (b, h, w), from −1 to 1; 0 where one of the two is flat.

    It asks neither for the unit nor for the zero of what is compared.
    """
    a, b = (x.double().flatten(1) for x in (a, b))
    a, b = (x - x.mean(1, keepdim=True) for x in (a, b))
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)).clamp_min(1e-9)


def ranks(maps: Tensor) -> Tensor:
    """Each number of maps (b, h, w) as its rank within its map, the mean rank where several tie.

    The correlation of ranks is Spearman's.
    """
    flat = maps.flatten(1).double()
    ordered = flat.sort(dim=1).values
    first = torch.searchsorted(ordered, flat)
    last = torch.searchsorted(ordered, flat, right=True)
    return ((first + last - 1) / 2).view(maps.shape)
