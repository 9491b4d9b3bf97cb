"""Attention watched, and lent from one picture to another, while a network is in use.

Both look at softmax(QKᵀ/√d) of every attention of a network, by hooks on its `Attending` parts: a
picture's places attend to the prompt (cross-attention), to one another (self-attention), or to both
at once (joint attention, in which the prompt's tokens come first).
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.adapters.negatives import told_negative
from mezzotint.errors import InputError
from mezzotint.models import dit
from mezzotint.models.flux import SingleBlock
from mezzotint.nn.attention import Attending
from mezzotint.nn.joint import JointBlock, SelfAttention
from mezzotint.nn.transformer import CrossBlock, TransformerBlock

MOST_PLACES = 32**2  # whose attention to one another is lent, as Hertz et al.'s code has it


@dataclass
class Watch:
    """What was seen of a network's attention to its prompt; made by ``watched``.

    Attributes:
        sums: maps (b, tokens, h, w) of the layers, added up by their shape.
        layers: how many were added.
    """

    sums: dict[torch.Size, Tensor] = field(default_factory=dict[torch.Size, Tensor])
    layers: int = 0

    def take(self) -> Tensor:
        """Maps (b, tokens, h, w): how much each place attends to each token of the prompt.

        They are means over heads, layers and all calls of the network since the last ``take``, so
        that asking after each step gives that step's, and asking once at the end all steps'. Layers
        are brought to the finest's resolution. b counts the rows of a batch that are of no negative
        prompt (see ``negative_rows``). Where attention is to the prompt alone they sum to 1 over
        the tokens; in joint attention the image takes the rest.

        Raises:
            ValueError: there was no call, or there were batches or prompts of several lengths.
        """
        if not self.sums:
            raise ValueError("the network was not called since attention was last taken")
        if len({shape[:2] for shape in self.sums}) > 1:
            raise ValueError("batches or prompts of several lengths: take attention between them")
        finest = max(shape[2:] for shape in self.sums)
        brought = [
            F.interpolate(total, finest, mode="bilinear", align_corners=False)
            for total in self.sums.values()
        ]
        maps = torch.stack(brought).sum(0) / self.layers
        self.sums, self.layers = {}, 0
        return maps


@contextmanager
def watched(network: nn.Module) -> Generator[Watch]:
    """Record how the places of a picture attend to the prompt, within the block.

    No bit of what the network predicts changes.

    Raises:
        InputError: the network does not attend to a prompt.
    """
    watch = Watch()

    def look(seen: _Seen, _: Tensor) -> None:
        if not seen.tokens:
            return
        told = told_negative(network)
        rows = range(len(seen.query))
        if len(told) == len(rows):
            rows = [row for row in rows if not told[row]]
        if not rows:
            return
        query, key = seen.query[rows, :, seen.text :], seen.key[rows]
        heads = (
            probabilities(query[:, k], key[:, k])[..., : seen.tokens] for k in range(query.shape[1])
        )
        sides = _sides(query.shape[2], *seen.size)
        mean = sum(heads, start=query.new_zeros(())) / query.shape[1]
        maps = mean.transpose(1, 2).unflatten(2, sides)
        watch.sums[maps.shape] = watch.sums.get(maps.shape, 0) + maps
        watch.layers += 1

    with _hooked(network, look):
        yield watch


@dataclass
class Lending:
    """Which attention of the first row of a batch the others have instead of their own.

    Attributes:
        moved: (b − 1, n, n), for each other row how much of the attention to each token of the
            first's prompt goes to each of its own.
        own: (b − 1, n), how much it attends to each token by itself.
        prompt: whether attention to the prompt is lent now.
        places: whether the places' to one another is, where they are no more than 32².
    """

    moved: Tensor
    own: Tensor
    prompt: bool = True
    places: bool = True

    def lent(self, seen: "_Seen", mixed: Tensor) -> Tensor | None:
        """What one attention gives, ``mixed`` as it is without this; None for that."""
        prompt = self.prompt and seen.tokens > 0
        among = seen.key.shape[2] - seen.tokens
        places = self.places and 0 < among <= MOST_PLACES
        if not prompt and not places:
            return None
        weights = probabilities(seen.query, seen.key)
        picture, n = weights[:, :, seen.text :], seen.tokens  # a view: the prompt's stay
        if prompt:
            moved, own = self.moved[:, None].to(weights), self.own[:, None, None].to(weights)
            picture[1:, ..., :n] = picture[:1, ..., :n] @ moved + picture[1:, ..., :n] * own
        if places:
            picture[1:, ..., n:] = picture[:1, ..., n:]
        weights /= weights.sum(3, keepdim=True)
        return torch.cat([mixed[:1], weights[1:].to(seen.value) @ seen.value[1:]])


@contextmanager
def lending(network: nn.Module, moved: Tensor, own: Tensor) -> Generator[Lending]:
    """Let all rows of a batch attend as the first does (prompt-to-prompt, Hertz et al. 2208.01626).

    In place of a row's own attention to its prompt comes the first's, moved to its own tokens, with
    its own to those which the first does not have (their 3.2), and in place of its self-attention
    the first's. The sum over what is attended to stays 1. What the first row gets stays as it is,
    to the bit; `Lending` can be turned on and off between calls.

    Args:
        network: of batches of b rows within the block.
        moved: as in ``Lending``.
        own: as in ``Lending``.

    Raises:
        InputError: the network does not attend to a prompt.
    """
    lent = Lending(moved, own)
    with _hooked(network, lent.lent):
        yield lent


def probabilities(query: Tensor, key: Tensor) -> Tensor:
    """softmax(QKᵀ/√d) of queries (…, m, d) and keys (…, n, d): (…, m, n) in float32 or wider."""
    wide = torch.promote_types(query.dtype, torch.float32)
    scores = query.to(wide) @ key.to(wide).transpose(-2, -1)
    return (scores * query.shape[-1] ** -0.5).softmax(-1)


@dataclass(frozen=True)
class _Seen:
    """One attention at work.

    Attributes:
        query, key, value: (b, heads, n, d).
        text: of its queries, how many are the prompt's; they come first.
        tokens: of its keys, how many are the prompt's; they come first.
        size: height and width of the latents.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    text: int
    tokens: int
    size: tuple[int, int]


@contextmanager
def _hooked(network: nn.Module, look: Callable[[_Seen, Tensor], Tensor | None]) -> Generator[None]:
    """Show ``look`` every attention and what it gave, which is replaced by what ``look`` gives."""
    attentions = list(_attentions(network))
    if not any(keys for _, _, keys in attentions):
        raise InputError(f"a {type(network).__name__} has no attention to a prompt to look at")
    size, tokens = (0, 0), 0

    def begin(_: nn.Module, args: tuple[Any, ...]) -> None:
        nonlocal size, tokens
        size, tokens = args[0].shape[2:], args[2].shape[1]

    def hook(queries: bool, keys: bool) -> Callable[..., Tensor | None]:
        def shown(_: nn.Module, args: tuple[Any, ...], mixed: Tensor) -> Tensor | None:
            query, key, value = args[:3]
            seen = _Seen(query, key, value, queries * tokens, keys * tokens, size)
            return look(seen, mixed)

        return shown

    handles = [network.register_forward_pre_hook(begin)]
    handles += [each.register_forward_hook(hook(*joint)) for each, *joint in attentions]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _attentions(network: nn.Module) -> Iterator[tuple[Attending, bool, bool]]:
    """Each attention, and whether the prompt is among its queries and among its keys."""
    for block in network.modules():
        match block:
            case CrossBlock():
                yield block.attend_cross.attending, False, True
            case TransformerBlock() | dit.Block():
                yield block.attend_self.attending, False, False
                yield block.attend_cross.attending, False, True
            case JointBlock() | SingleBlock():
                yield block.attending, True, True
            case SelfAttention():
                yield block.attending, False, False
            case _:
                pass


def _sides(places: int, height: int, width: int) -> tuple[int, int]:
    """Height and width of so many places, halved from those of the latents."""
    while height * width > places:
        height, width = -(-height // 2), -(-width // 2)
    if height * width != places:
        raise ValueError(f"{places} places are no halving of the latents")
    return height, width
