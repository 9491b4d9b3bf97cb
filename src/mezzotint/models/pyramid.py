"""Three scales of a picture: what networks that say what it shows have in common.

Down by halves, then up again with the finer level added (FPN, Lin et al. 1612.03144).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.nn.norm import NormSiLU
from mezzotint.nn.residual import ResidualBlock

SIDE, STRIDE = 128, 4
CELLS = SIDE // STRIDE
GROUP = 16  # channels that are normalised together: nn/norm.py says why


class Pyramid(nn.Module):
    """The three levels down, and what brings a level to the channels of the finer one.

    Args:
        channels: channels at strides 4, 8 and 16, multiples of 16.
        blocks: residual blocks at each.
    """

    def __init__(self, channels: tuple[int, int, int], blocks: tuple[int, int, int]) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.stem = nn.Sequential(_halve(3, 32), norm(32), _halve(32, fine))
        self.fine = residual(fine, blocks[0])
        self.middle = nn.Sequential(_halve(fine, middle), residual(middle, blocks[1]))
        self.coarse = nn.Sequential(_halve(middle, coarse), residual(coarse, blocks[2]))
        self.to_middle = nn.Conv2d(coarse, middle, 1)
        self.to_fine = nn.Conv2d(middle, fine, 1)

    def levels(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Fine (b, c, 32, 32), middle and coarse, of images (b, 3, 128, 128) in [−1, 1]."""
        fine = self.fine(self.stem(images))
        middle = self.middle(fine)
        return fine, middle, self.coarse(middle)


def added(fine: Tensor, coarse: Tensor) -> Tensor:
    """A level (b, c, h, w) and, over it, a coarser one (b, c, h / 2, w / 2)."""
    return fine + F.interpolate(coarse, scale_factor=2.0)


def shrunk(images: Tensor) -> Tensor:
    """Square images (b, 3, h, h) brought to 128 × 128 by the mean over each pixel's area."""
    return images if images.shape[-1] == SIDE else F.adaptive_avg_pool2d(images, SIDE)


def norm(channels: int) -> NormSiLU:
    """Group normalisation and SiLU."""
    return NormSiLU(channels // GROUP, channels, 1e-5)


def residual(channels: int, count: int) -> nn.Sequential:
    """So many residual blocks, one after the other."""
    return nn.Sequential(
        *(ResidualBlock(channels, channels, channels // GROUP, eps=1e-5) for _ in range(count))
    )


def _halve(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1)
