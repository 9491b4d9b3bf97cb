"""A rectified-flow transformer that reads the prompt by cross-attention.

A diffusion transformer (Peebles & Xie 2023) with what has come to pay since: rotary positions
along both axes (Su et al. 2021), normalised queries and keys (Dehghani et al. 2023), gated
feed-forwards (Shazeer 2020), and one modulation for all blocks (adaLN-single, Chen et al. 2023).
A prompt's keys and values know nothing of the time, so they are the same through all sampling
steps: see ``DiT.memory``.

What is written twice or in halves here is so because a CPU trains it quicker: two linear layers
of a gate rather than one that is cut, LayerNorm on queries and keys where others have RMSNorm, and
rotations in halves rather than in neighbouring pairs. Together that saves a quarter of a step.
"""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.nn.attention import Attending, to_map, to_tokens
from mezzotint.nn.embedding import Perceptron, sinusoidal
from mezzotint.nn.init import zeroed
from mezzotint.nn.joint import modulate
from mezzotint.nn.memory import KeysValues, Memory, flat, pairs
from mezzotint.nn.rotary import Rotation, rotation

TIME_WIDTH = 256  # of the sinusoidal embedding of time
EPS = 1e-6  # of every normalisation


@dataclass(frozen=True)
class DiTParams:
    """The sizes of a diffusion transformer.

    Attributes:
        channels: channels of a latent.
        patch: latents are cut into patch × patch pixels, a token each.
        width: of the tokens, a multiple of 4 for each head.
        blocks: their number.
        heads: attention heads of a block.
        hidden: width inside a block's feed-forward; with 8/3 of the width it has as many weights
            as one of four times the width without a gate (Shazeer 2020, section 3).
        context_width: width of the context's tokens.
        y_width: width of the vector that conditions beside the time.
    """

    channels: int
    patch: int
    width: int
    blocks: int
    heads: int
    hidden: int
    context_width: int
    y_width: int

    def __post_init__(self) -> None:
        """Raise InputError for heads that cannot be turned along two axes."""
        if self.heads < 1 or self.width % (4 * self.heads):
            raise InputError(
                f"DiT of width {self.width}, {self.heads} heads: "
                "the width must be a multiple of 4 for each head"
            )


class DiT(nn.Module):
    """Noisy latents, time, context and pooled prompt to a prediction."""

    def __init__(self, params: DiTParams) -> None:
        super().__init__()
        p = self.params = params
        self.patches = nn.Linear(p.patch**2 * p.channels, p.width)
        self.time = Perceptron(TIME_WIDTH, p.width)
        self.vector = nn.Linear(p.y_width, p.width)
        self.modulation = zeroed(nn.Linear(p.width, 6 * p.width))
        self.blocks = nn.ModuleList(Block(p) for _ in range(p.blocks))
        self.table = nn.Parameter(torch.zeros(2, p.width))
        self.out = zeroed(nn.Linear(p.width, p.patch**2 * p.channels))

    def forward(
        self, x: Tensor, t: Tensor, context: Tensor, y: Tensor, memory: Memory | None = None
    ) -> Tensor:
        """Predict (b, channels, h, w) of latents (b, channels, h, w) of any multiples of patch.

        Args:
            x: noisy latents (b, channels, h, w).
            t: network timesteps (b,), 0…1000.
            context: prompt tokens (b, n, context_width).
            y: the prompt as one vector (b, y_width).
            memory: what ``memory`` made of this context, which is then not read again.

        Raises:
            InputError: h or w is no multiple of the patch.
        """
        patch = self.params.patch
        if x.shape[2] % patch or x.shape[3] % patch:
            raise InputError(
                f"latent size {x.shape[3]}x{x.shape[2]}: both must be multiples of {patch}"
            )
        read = pairs(self.memory(context) if memory is None else memory)
        patches = F.pixel_unshuffle(x, patch)
        turn = _places(patches, self.params.width // self.params.heads)
        told = F.silu(self.time(sinusoidal(t, TIME_WIDTH).to(x.dtype)) + self.vector(y))
        shared = self.modulation(told).unflatten(1, (6, -1))
        tokens = self.patches(to_tokens(patches))
        for block, remembered in zip(self.blocks, read, strict=True):
            tokens = block(tokens, shared, turn, remembered)
        shift, scale = _parts(self.table + told.unsqueeze(1), tokens)
        return F.pixel_shuffle(to_map(self.out(modulate(tokens, shift, scale)), patches), patch)

    def memory(self, context: Tensor) -> Memory:
        """What the blocks remember of prompts (b, n, context_width), whatever the time.

        Given to ``forward``, it spares reading them again, and no bit of the prediction changes.
        """
        return flat(each.keys_values(context) for each in self.readers())

    def readers(self) -> "list[NormedAttention]":
        """What reads prompts, in the order in which it does: of their weights is the memory."""
        return [cast("Block", block).attend_cross for block in self.blocks]


class Block(nn.Module):
    """Self-attention, cross-attention and a gated feed-forward, each normalised and added.

    The time shifts, scales and gates the first and the last, by what all blocks share plus a table
    of the block's own (adaLN-single, Chen et al. 2023, section 2.3).
    """

    def __init__(self, p: DiTParams) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(6, p.width))
        self.attend_self = NormedAttention(p.width, p.width, p.heads)
        self.norm_cross = nn.LayerNorm(p.width, EPS)
        self.attend_cross = NormedAttention(p.width, p.context_width, p.heads)
        zeroed(self.attend_cross.out)  # it has no gate
        self.feed = SwiGLU(p.width, p.hidden)

    def forward(self, x: Tensor, shared: Tensor, turn: Rotation, memory: KeysValues) -> Tensor:
        """x (b, m, width) after the block.

        Args:
            x: the image's tokens (b, m, width).
            shared: the modulation of all blocks (b, 6, width).
            turn: rotation of the m places.
            memory: the prompt's keys and values.
        """
        shift, scale, gate, shift_feed, scale_feed, gate_feed = _parts(self.table + shared, x)
        normed = modulate(x, shift, scale)
        own = self.attend_self.keys_values(normed, turn)
        x = torch.addcmul(x, gate, self.attend_self(normed, own, turn))
        x = x + self.attend_cross(self.norm_cross(x), memory)
        return torch.addcmul(x, gate_feed, self.feed(modulate(x, shift_feed, scale_feed)))


class NormedAttention(nn.Module):
    """Attention whose queries and keys are normalised, so that its logits cannot run away.

    LayerNorm without bias (Dehghani et al. 2023, section 2).
    """

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(context_width, width, bias=False)
        self.value = nn.Linear(context_width, width, bias=False)
        self.norm_query = nn.LayerNorm(width // heads, EPS, bias=False)
        self.norm_key = nn.LayerNorm(width // heads, EPS, bias=False)
        self.attending = Attending()
        self.out = nn.Linear(width, width)

    def keys_values(self, context: Tensor, turn: Rotation | None = None) -> KeysValues:
        """Keys, turned by their places if given, and values (b, heads, n, d) of a context."""
        key = self.norm_key(self._split(self.key(context))).transpose(1, 2)
        value = self._split(self.value(context)).transpose(1, 2)
        return key if turn is None else turned(key, turn), value

    def forward(self, x: Tensor, keys_values: KeysValues, turn: Rotation | None = None) -> Tensor:
        """Attend from x (b, m, width), turned by its places if given; (b, m, width)."""
        query = self.norm_query(self._split(self.query(x))).transpose(1, 2)
        query = query if turn is None else turned(query, turn)
        return self.out(self.attending(query, *keys_values).transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1))


class SwiGLU(nn.Module):
    """(x·A)·SiLU(x·B)·C (Shazeer 2020, eq. 6): (…, width) → (…, width)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.value = nn.Linear(width, hidden)
        self.gate = nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the gated layer."""
        return self.out(self.value(x) * F.silu(self.gate(x)))


def turned(x: Tensor, turn: Rotation) -> Tensor:
    """Turn channel i and channel i + d/2 of x (b, heads, n, d) by an angle (Su et al. 2021, 34).

    The same as ``nn.rotary.rotate`` but for the order of the channels.
    """
    cos, sin = (part.to(x.dtype) for part in turn)
    a, b = x.chunk(2, dim=3)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=3)


def _places(patches: Tensor, width: int) -> Rotation:
    """The rotation of the places of patches (b, c, h, w), row by row."""
    h, w = patches.shape[2:]
    rows, columns = torch.arange(h), torch.arange(w)
    places = torch.cartesian_prod(rows, columns).view(-1, 2)
    return rotation(places.to(patches.device), (width // 2, width // 2))


def _parts(modulation: Tensor, x: Tensor) -> tuple[Tensor, ...]:
    """Shifts, scales and gates (b, 1, width) out of (b, parts, width), in the dtype of x."""
    return modulation.to(x.dtype).split(1, dim=1)
