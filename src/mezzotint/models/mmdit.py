"""MM-DiT, the transformer of Stable Diffusion 3 and 3.5 (Esser et al. 2024)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.nn.attention import to_tokens
from mezzotint.nn.embedding import Perceptron, sinusoidal
from mezzotint.nn.joint import JointBlock, Output

TIME_WIDTH = 256  # of the sinusoidal embedding of time


@dataclass(frozen=True)
class MMDiTParams:
    """The sizes of an MM-DiT.

    Attributes:
        channels: channels of a latent.
        patch: latents are cut into patch × patch pixels, a token each.
        width: of the tokens, a multiple of 4.
        heads: attention heads of a block.
        blocks: joint blocks.
        dual_blocks: how many, from the first, let the image attend to itself alone besides.
        normed: whether queries and keys are normalised.
        context_width: width of the context's tokens.
        y_width: width of the vector that conditions beside the time.
        side: patches along each side of the table of positions, the largest image it can place.
        span: patches along each side of the image that the whole table stands for.
    """

    channels: int
    patch: int
    width: int
    heads: int
    blocks: int
    dual_blocks: int
    normed: bool
    context_width: int
    y_width: int
    side: int
    span: int


class MMDiT(nn.Module):
    """Noisy latents, time, context and pooled prompt to a prediction."""

    positions: Tensor  # a buffer (1, side², width)

    def __init__(self, params: MMDiTParams) -> None:
        super().__init__()
        p = self.params = params
        self.patches = nn.Conv2d(p.channels, p.width, p.patch, stride=p.patch)
        self.register_buffer("positions", position_table(p.side, p.span, p.width))
        self.time = Perceptron(TIME_WIDTH, p.width)
        self.vector = Perceptron(p.y_width, p.width)
        self.context_in = nn.Linear(p.context_width, p.width)
        self.blocks = nn.ModuleList(
            JointBlock(p.width, p.heads, p.normed, dual=i < p.dual_blocks, last=i == p.blocks - 1)
            for i in range(p.blocks)
        )
        self.out = Output(p.width, p.patch**2 * p.channels)

    def forward(self, x: Tensor, t: Tensor, context: Tensor, y: Tensor) -> Tensor:
        """Predict (b, channels, h, w) of latents (b, channels, h, w).

        Args:
            x: noisy latents (b, channels, h, w).
            t: network timesteps (b,), 0…1000 in published checkpoints.
            context: prompt tokens (b, n, context_width).
            y: the prompt as one vector (b, y_width).

        Raises:
            InputError: h or w is no multiple of the patch, or more than the table has places for.
        """
        h, w = self._grid(x)
        vector = F.silu(self.time(sinusoidal(t, TIME_WIDTH).to(x.dtype)) + self.vector(y))
        tokens = to_tokens(self.patches(x)) + self._positions(h, w)
        context = self.context_in(context)
        for block in self.blocks:
            context, tokens = block(context, tokens, vector)
        return self._to_latents(self.out(tokens, vector), h, w)

    def _grid(self, x: Tensor) -> tuple[int, int]:
        """Patches along the height and the width of x."""
        height, width = x.shape[2:]
        patch, largest = self.params.patch, self.params.patch * self.params.side
        if height % patch or width % patch or max(height, width) > largest:
            raise InputError(
                f"latent size {width}x{height}: both must be multiples of {patch} up to {largest}"
            )
        return height // patch, width // patch

    def _positions(self, h: int, w: int) -> Tensor:
        """The middle h × w places of the table, (1, h·w, width)."""
        side = self.params.side
        top, left = (side - h) // 2, (side - w) // 2
        table = self.positions.unflatten(1, (side, side))
        return table[:, top : top + h, left : left + w].flatten(1, 2)

    def _to_latents(self, tokens: Tensor, h: int, w: int) -> Tensor:
        """Tokens (b, h·w, patch²·channels), channels innermost, put side by side as latents."""
        p = self.params.patch
        pixels = tokens.unflatten(2, (p, p, -1)).unflatten(1, (h, w))
        return pixels.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def position_table(side: int, span: int, width: int) -> Tensor:
    """Sinusoidal embeddings of a square's places, row by row, (1, side², width) float32.

    The first half of the width tells the column, the other the row; both run over [0, span). A
    published checkpoint has such a table among its weights.
    """
    places = torch.arange(side) * (span / side)
    sines_first = sinusoidal(places, width // 2).roll(width // 4, dims=1)
    columns = sines_first.expand(side, side, -1)
    return torch.cat([columns, columns.transpose(0, 1)], dim=2).flatten(0, 1).unsqueeze(0)
