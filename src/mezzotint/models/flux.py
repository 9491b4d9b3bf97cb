"""FLUX.1: joint blocks, then blocks over one sequence, with rotary positions (BFL 2024)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.nn.attention import Attending, to_tokens
from mezzotint.nn.embedding import Perceptron, sinusoidal
from mezzotint.nn.joint import JointBlock, Modulation, Output, ToHeads, mix, modulate
from mezzotint.nn.rotary import Rotation, rotation

TIME_WIDTH = 256  # of the sinusoidal embeddings of time and of guidance
PATCH = 2  # latents are packed in 2 × 2 pixels, a token each


@dataclass(frozen=True)
class FluxParams:
    """The sizes of a FLUX.1.

    Attributes:
        channels_in: channels of its input, those of a latent and of what is joined to it.
        channels_out: channels of its output.
        width: of the tokens.
        heads: attention heads of a block.
        joint_blocks: blocks in which prompt and image have weights of their own.
        single_blocks: blocks after them, which prompt and image go through as one sequence.
        axes: channels of a head that tell the token's number, its row and its column.
        context_width: width of the context's tokens.
        y_width: width of the vector that conditions beside the time.
        guided: whether it is told the guidance scale that it was distilled for.
    """

    channels_in: int
    channels_out: int
    width: int
    heads: int
    joint_blocks: int
    single_blocks: int
    axes: tuple[int, int, int]
    context_width: int
    y_width: int
    guided: bool

    def __post_init__(self) -> None:
        """Raise InputError for heads that the axes don't fill."""
        if self.heads * sum(self.axes) != self.width:
            raise InputError(
                f"FLUX of width {self.width}, {self.heads} heads, axes {self.axes}: "
                "the axes of all heads must add up to the width"
            )


class Flux(nn.Module):
    """Noisy latents, time, context, pooled prompt and guidance to a prediction."""

    def __init__(self, params: FluxParams) -> None:
        super().__init__()
        p = self.params = params
        self.patches = nn.Linear(PATCH**2 * p.channels_in, p.width)
        self.context_in = nn.Linear(p.context_width, p.width)
        self.time = Perceptron(TIME_WIDTH, p.width)
        self.guidance = Perceptron(TIME_WIDTH, p.width) if p.guided else None
        self.vector = Perceptron(p.y_width, p.width)
        self.joint = nn.ModuleList(
            JointBlock(p.width, p.heads, normed=True) for _ in range(p.joint_blocks)
        )
        self.single = nn.ModuleList(SingleBlock(p.width, p.heads) for _ in range(p.single_blocks))
        self.out = Output(p.width, PATCH**2 * p.channels_out)

    def forward(
        self, x: Tensor, t: Tensor, context: Tensor, y: Tensor, guidance: Tensor | None = None
    ) -> Tensor:
        """Predict (b, channels_out, h, w) of latents (b, channels_in, h, w) of even h and w.

        Args:
            x: noisy latents (b, channels_in, h, w).
            t: network timesteps (b,), 0…1000 in published checkpoints.
            context: prompt tokens (b, n, context_width).
            y: the prompt as one vector (b, y_width).
            guidance: guidance scales (b,), exactly where the parameters have it.

        Raises:
            InputError: h or w is odd; ``guidance`` is missing where it is needed, or given where
                it has no use.
        """
        height, width = x.shape[2:]
        if height % PATCH or width % PATCH:
            raise InputError(f"latent size {width}x{height}: both must be multiples of {PATCH}")
        vector = F.silu(self._embed(t, guidance, x.dtype) + self.vector(y))
        n = context.shape[1]
        turn = rotation(_places(n, height // PATCH, width // PATCH, x.device), self.params.axes)

        tokens = self.patches(to_tokens(F.pixel_unshuffle(x, PATCH)))
        context = self.context_in(context)
        for block in self.joint:
            context, tokens = block(context, tokens, vector, turn)
        both = torch.cat([context, tokens], dim=1)
        for block in self.single:
            both = block(both, vector, turn)

        packed = self.out(both[:, n:], vector).transpose(1, 2)
        return F.pixel_shuffle(packed.unflatten(2, (height // PATCH, -1)), PATCH)

    def _embed(self, t: Tensor, guidance: Tensor | None, dtype: torch.dtype) -> Tensor:
        time = self.time(sinusoidal(t, TIME_WIDTH).to(dtype))
        if self.guidance is None and guidance is None:
            return time
        if self.guidance is None or guidance is None:
            given = "is missing" if guidance is None else "was given"
            raise InputError(f"FLUX with guided {self.params.guided}: the guidance scale {given}")
        return time + self.guidance(sinusoidal(1000 * guidance, TIME_WIDTH).to(dtype))


class SingleBlock(nn.Module):
    """Attention and feed-forward side by side over one sequence (Dehghani et al. 2023, 2)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.modulation = Modulation(width, 3)
        self.to_heads = ToHeads(width, heads, normed=True)
        self.attending = Attending()
        self.widen = nn.Linear(width, 4 * width)
        self.out = nn.Linear(5 * width, width)

    def forward(self, x: Tensor, vector: Tensor, turn: Rotation) -> Tensor:
        """x (b, n, width) after the block."""
        shift, scale, gate = self.modulation(vector)
        normed = modulate(x, shift, scale)
        mixed = mix(self.attending, self.to_heads(normed), turn)
        wide = F.gelu(self.widen(normed), approximate="tanh")
        return x + gate * self.out(torch.cat([mixed, wide], dim=2))


def _places(n: int, h: int, w: int, device: torch.device) -> Tensor:
    """(number, row, column) of each token, (n + h·w, 3): a prompt's have no place at all."""
    rows, columns = torch.meshgrid(
        torch.arange(h, device=device), torch.arange(w, device=device), indexing="ij"
    )
    image = torch.stack([torch.zeros_like(rows), rows, columns], dim=2).flatten(0, 1)
    return torch.cat([image.new_zeros(n, 3), image])
