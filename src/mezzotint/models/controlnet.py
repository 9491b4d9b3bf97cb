"""ControlNet: a copy of a U-Net's first half that reads a picture (Zhang et al. 2302.05543)."""

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor, nn

from mezzotint.models.unet import UNet, UNetParams
from mezzotint.nn.init import zeroed

FACTOR = 8  # pixels of the picture along one of the latent
HINT_WIDTHS = (16, 32, 96, 256)  # one a resolution, the finest first


class ControlNet(nn.Module):
    """Noisy latents, time, context and a picture to residuals for a U-Net of the same sizes.

    ``hint`` brings images (b, 3, 8·h, 8·w) in [0, 1] to what is added to the latents' features,
    (b, channels[0], h, w). It does not depend on the time.
    """

    def __init__(self, params: UNetParams) -> None:
        super().__init__()
        self.params = params
        self.copy = UNet(params)
        del self.copy.up, self.copy.norm_out, self.copy.conv_out
        self.hint = nn.Sequential(*_hint(params.channels[0]))
        self.zeros = nn.ModuleList(_zero(width) for width in params.skips)
        self.zero_mid = _zero(params.channels[-1])

    def forward(
        self, x: Tensor, t: Tensor, context: Tensor, hint: Tensor, y: Tensor | None = None
    ) -> list[Tensor]:
        """What to add to the features of ``UNet.contract``, in their order.

        Args:
            x, t, context, y: what the U-Net is given.
            hint: what ``hint`` made of the picture, (b, channels[0], h, w) or one for all.

        Raises:
            InputError: ``y`` is missing where it is needed, or given where it has no use.
        """
        time = self.copy.embed(t, y, None, x.dtype)
        features = self.copy.contract(self.copy.enter(x) + hint, time, context)
        zeros = [*self.zeros, self.zero_mid]
        return [zero(feature) for zero, feature in zip(zeros, features, strict=True)]


def _hint(width: int) -> Iterator[nn.Module]:
    yield nn.Conv2d(3, HINT_WIDTHS[0], 3, padding=1)
    for fine, coarse in pairwise(HINT_WIDTHS):
        yield nn.SiLU()
        yield nn.Conv2d(fine, fine, 3, padding=1)
        yield nn.SiLU()
        yield nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
    yield nn.SiLU()
    yield zeroed(nn.Conv2d(HINT_WIDTHS[-1], width, 3, padding=1))


def _zero(width: int) -> nn.Conv2d:
    return zeroed(nn.Conv2d(width, width, 1))
