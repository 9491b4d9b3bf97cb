"""First-block caching: a transformer's first block tells whether the others would say anew.

After TeaCache (Liu et al. 2411.19108), which guesses from its input how much a network's output has
changed and computes it when that is enough. Here the guess is what the first block adds to the
image's tokens, as ParaAttention has it; while it has changed by less than a threshold since all
blocks were computed, what the others add is what they added then.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mezzotint.adapters.base import Injected
from mezzotint.adapters.savings.recall import Call, Recall
from mezzotint.engines.around import around
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.models.dit import DiT
from mezzotint.models.flux import Flux
from mezzotint.models.mmdit import MMDiT
from mezzotint.nn.joint import JointBlock

Streams = Tensor | tuple[Tensor, Tensor]
"""What goes from block to block: tokens, or the prompt's and the image's."""


@dataclass(frozen=True)
class FirstBlock:
    """An ``Adapter`` that leaves out all blocks but a transformer's first; see ``first_block``."""

    threshold: float

    def inject(self, parts: Mapping[str, Part]) -> Injected:
        """Begin to compare; see ``Adapter``."""
        network = parts["network"].module
        blocks = _blocks(network)
        shortcut = _Shortcut(self.threshold)
        answers = [shortcut.first, *[shortcut.between] * (len(blocks) - 2), shortcut.last]
        ends = [around(network, shortcut.network)]
        for block, answer in zip(blocks, answers, strict=True):
            ends.append(around(block, partial(answer, isinstance(block, JointBlock))))

        def eject() -> None:
            for end in ends:
                end()

        recall, told = shortcut.recall, ("saving", f"first_block:{self.threshold}")
        return Injected(eject, recall.at, run=recall.run, told=told)


def first_block(threshold: float = 0.1) -> FirstBlock:
    """Leave out all blocks but the first of a transformer while that one says much the same.

    Args:
        threshold: of the mean change of what it adds, as a share of that; 0 saves nothing and is
            exact. In a guided batch each row has to be below it.

    Raises:
        InputError: it is negative or no number.
    """
    if not threshold >= 0:
        raise InputError(f"first_block threshold {threshold}: give a number from 0, such as 0.1")
    return FirstBlock(float(threshold))


@dataclass(frozen=True)
class _Kept:
    """What blocks added to the image's tokens (b, m, width): the first, and all others together."""

    first: Tensor
    others: Tensor


class _Shortcut:
    """Answers in the place of a network and its blocks, and what they know of the call they are in.

    Blocks are ``joint`` where the prompt's tokens are a stream of their own.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.recall = Recall[_Kept]()
        self.call: Call[_Kept] | None = None
        self.kept: _Kept | None = None  # what is taken instead of all blocks but the first

    def network(self, forward: Callable[..., Tensor], *inputs: Any, **named: Any) -> Tensor:
        """Hear of which call the blocks are asked."""
        self.call, self.kept = self.recall.call(*inputs[:4]), None
        return forward(*inputs, **named)

    def first(self, joint: bool, forward: Callable[..., Streams], *inputs: Any) -> Streams:
        """Compare what the first block adds."""
        made = forward(*inputs)
        self.begun = _image(made)
        self.added = self.begun - _image(_given(joint, inputs))
        known = None if self.call is None else self.call.kept
        if known is not None and _change(known.first, self.added) < self.threshold:
            self.kept = known
        return made

    def between(self, joint: bool, forward: Callable[..., Streams], *inputs: Any) -> Streams:
        """Let tokens through unchanged where others are kept."""
        return forward(*inputs) if self.kept is None else _given(joint, inputs)

    def last(self, joint: bool, forward: Callable[..., Streams], *inputs: Any) -> Streams:
        """Add what is kept, or keep what was added."""
        if self.kept is not None:
            return _plus(_given(joint, inputs), self.kept.others)
        made = forward(*inputs)
        if self.call is not None and self.threshold:
            image = _image(made)[:, -self.begun.shape[1] :]
            self.call.kept = _Kept(self.added, image - self.begun)
        return made


def _blocks(network: nn.Module) -> list[nn.Module]:
    match network:
        case DiT() | MMDiT():
            blocks = list(network.blocks)
        case Flux():
            blocks = [*network.joint, *network.single]
        case _:
            kind = type(network).__name__
            raise InputError(f"first_block is for transformers, and this model is a {kind}")
    if len(blocks) < 2:
        raise InputError("first_block needs a second block, and this transformer has only one")
    return blocks


def _given(joint: bool, inputs: tuple[Any, ...]) -> Streams:
    """What a block is given of the streams."""
    return inputs[:2] if joint else inputs[0]


def _image(streams: Streams) -> Tensor:
    """The stream that the image's tokens are in, after the prompt's if those are in it as well."""
    return streams[1] if isinstance(streams, tuple) else streams


def _plus(streams: Streams, more: Tensor) -> Streams:
    """The streams with ``more`` (b, m, width) added to the image's m tokens."""
    image, m = _image(streams), more.shape[1]
    image = torch.cat([image[:, :-m], image[:, -m:] + more], dim=1)
    return (streams[0], image) if isinstance(streams, tuple) else image


def _change(before: Tensor, now: Tensor) -> float:
    """How much the rows of (b, m, width) have changed, as a share: the largest; NaN of nothing."""
    moved, size = (each.float().abs().mean((1, 2)) for each in (now - before, before))
    return (moved / size).max().item()
