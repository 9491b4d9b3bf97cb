"""Text encoders: what a model reads a prompt with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from tokenizers import Tokenizer
from torch import Tensor

from mezzotint.models.clip import CLIPText
from mezzotint.models.t5 import T5Encoder

T = TypeVar("T")


@dataclass(frozen=True)
class Frame:
    """What a text encoder's windows are made of: the beginning, the prompt, the end, padding.

    Attributes:
        begin, end, pad: token ids; Stable Diffusion 1.x pads with the end token, 2.x with 0, and
            T5 has no beginning.
        comma: the id of a comma that ends a word, where a long prompt is best cut.
        length: tokens of the prompt in a window.
        repeats: whether a longer prompt goes on in further windows, rather than being cut.
    """

    begin: int | None
    end: int
    pad: int
    comma: int | None
    length: int = 75
    repeats: bool = True

    @property
    def whole(self) -> int:
        """Tokens of a window."""
        return self.length + (self.begin is not None) + 1

    def around(self, tokens: Sequence[T], made: Callable[[int], T]) -> list[T]:
        """One window of tokens, what is added ``made`` of its id; what is too long is cut."""
        begin = [] if self.begin is None else [made(self.begin)]
        window = [*begin, *tokens[: self.length], made(self.end)]
        return window + [made(self.pad)] * (self.whole - len(window))

    def ids(self, tokens: Sequence[int]) -> list[int]:
        """One window of token ids."""
        return self.around(tokens, int)


@dataclass(frozen=True)
class Reads:
    """How a family reads a text encoder; ``skip`` and ``normed`` mean nothing to a T5.

    Attributes:
        length: tokens of the prompt in a window.
        repeats: as in ``Frame``.
        skip, normed: as in ``TextEncoder``.
    """

    length: int
    repeats: bool
    skip: int
    normed: bool


@dataclass(frozen=True)
class Encoded:
    """What a text encoder made: ``context`` (b, n, d); ``pooled`` (b, d), None of a T5."""

    context: Tensor
    pooled: Tensor | None


@dataclass(frozen=True)
class TextEncoder:
    """A tokenizer, a network, and how the network is read.

    Attributes:
        network: the text tower of a CLIP, or the encoder of a T5.
        tokenizer: it neither adds tokens nor cuts; see ``bare``.
        frame: what its windows are made of.
        skip: layers of a CLIP left out at the end of the context.
        normed: whether a CLIP's context passes the final normalisation.
    """

    network: CLIPText | T5Encoder
    tokenizer: Tokenizer
    frame: Frame
    skip: int = 0
    normed: bool = True

    def ids(self, text: str) -> list[int]:
        """The tokens of ``text`` alone; white space around it is none of it."""
        return self.tokenizer.encode(text.strip(), add_special_tokens=False).ids

    def __call__(self, tokens: Tensor) -> Encoded:
        """Encode windows of token ids (b, n)."""
        tokens = tokens.to(next(self.network.parameters()).device)
        if isinstance(self.network, T5Encoder):
            return Encoded(self.network(tokens), None)
        return Encoded(*self.network(tokens, self.skip, self.normed))

    def windows(self, prompts: Sequence[str]) -> Tensor:
        """Token ids (b, n) of ``prompts`` as they stand, a window each; the rest is cut off."""
        return torch.tensor([self.frame.ids(self.ids(prompt)) for prompt in prompts])


def bare(tokenizer: Tokenizer) -> Tokenizer:
    """A copy of ``tokenizer`` that neither pads nor cuts."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_padding()
    copy.no_truncation()
    return copy
