"""Where a picture shows a word of its prompt."""

from dataclasses import dataclass

from torch import Tensor

from mezzotint.families.base import Canvas, Conditioning, Model


@dataclass(frozen=True)
class Reading:
    """A prompt as a network reads it.

    Attributes:
        told: what the network is told.
        text: the prompt without its syntax.
        spans: for each token of the context, from where to where it stands in ``text``; None for
            what a window is framed with.
    """

    told: Conditioning
    text: str
    spans: tuple[tuple[int, int] | None, ...]


def read(model: Model, prompt: str, canvas: Canvas) -> list[Reading]:
    """The wordings of a prompt, one each for its parts and for each that takes turns in a part."""
    raise NotImplementedError


def word_mask(model: Model, latents: Tensor, prompt: str, word: str) -> Tensor:
    """Where a picture shows ``word`` of its ``prompt``, (1, 1, H, W) in [0, 1], soft-edged.

    Args:
        model: whose network looks.
        latents: of the picture, clean, (1, c, h, w); H and W are its sides in pixels.
        prompt: what the picture shows, in the "mezzotint" dialect.
        word: a word of it, or several that follow one another.

    Raises:
        InputError: the word is not in the prompt, or in no part of it that is read.
    """
    raise NotImplementedError
