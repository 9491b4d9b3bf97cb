"""Textual inversion: new words for a text encoder (Gal et al. 2022, arXiv 2208.01618).

A word's vectors are further rows of the encoder's table of tokens: their ids go on where the
vocabulary ends, and the rest of the encoder knows nothing of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from mezzotint.adapters.base import Injected
from mezzotint.adapters.contents import digest
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.families.keys.strangers import READERS
from mezzotint.models.clip import CLIPText
from mezzotint.models.t5 import T5Encoder

_A1111 = "string_to_param."


@dataclass(frozen=True)
class TextualInversion:
    """A word for one or several text encoders; an ``Adapter``.

    Attributes:
        name: the word.
        vectors: (n, d) for each text encoder, by its width d.
    """

    name: str
    vectors: Mapping[int, Tensor]

    def inject(self, parts: Mapping[str, Part]) -> Injected:
        """Let the text encoders know the word, whose tokens ``ids`` tells; see ``Adapter``.

        Raises:
            InputError: a width is that of no text encoder, a CLIP gets no vectors, or the word is
                known already. A T5 may get none: it reads the word as any other.
        """
        modules = [part.module for part in parts.values()]
        encoders = {
            module.tokens.embedding_dim: module
            for module in modules
            if isinstance(module, CLIPText | T5Encoder)
        }
        clips = {width for width, module in encoders.items() if isinstance(module, CLIPText)}
        if not clips <= self.vectors.keys() <= encoders.keys():
            raise InputError(
                f"embedding {self.name!r} is for {_named(self.vectors)}; "
                f"this model reads with {_named(encoders)}"
            )
        chosen = [encoders[width] for width in self.vectors]
        if any(self.name in ids(encoder) for encoder in chosen):
            raise InputError(f"embedding {self.name!r} is there already: give it another name")
        for encoder, vectors in zip(chosen, self.vectors.values(), strict=True):
            table = encoder.tokens
            if not isinstance(table, ExtendedEmbedding):
                table = encoder.tokens = ExtendedEmbedding(table)
            table.add(self.name, vectors)

        def eject() -> None:
            for encoder in chosen:
                table = encoder.tokens
                if isinstance(table, ExtendedEmbedding):
                    table.words.pop(self.name, None)
                    if not table.words:
                        encoder.tokens = table.base[0]

        def contents() -> str:
            return digest({str(width): vectors for width, vectors in self.vectors.items()})

        return Injected(eject, told=("embedding", self.name), contents=contents)


class ExtendedEmbedding(nn.Embedding):
    """A table of tokens with more rows, which are not among its weights."""

    def __init__(self, base: nn.Embedding) -> None:
        super().__init__(base.num_embeddings, base.embedding_dim, _weight=base.weight)
        self.weight = base.weight
        self.base = (base,)  # in a tuple, so that it is no submodule with weights of its own
        self.words: dict[str, tuple[range, Tensor]] = {}

    def add(self, name: str, vectors: Tensor) -> None:
        """Give the vectors (n, d) of a word the ids after the last."""
        first = max((places.stop for places, _ in self.words.values()), default=self.num_embeddings)
        self.words[name] = range(first, first + len(vectors)), vectors

    def forward(self, input: Tensor) -> Tensor:
        """Vectors (…, d) of token ids (…).

        Raises:
            IndexError: an id is that of no token and no word.
        """
        known = input < self.num_embeddings
        vectors = super().forward(input.where(known, 0))
        for places, own in self.words.values():
            here = (input >= places.start) & (input < places.stop)
            rows = (input - places.start).clamp(0, len(own) - 1)
            vectors = vectors.where(~here[..., None], own.to(vectors)[rows.to(vectors.device)])
            known = known | here
        if not known.all():
            raise IndexError(f"no vectors for the tokens {input[~known].tolist()}")
        return vectors


def ids(encoder: nn.Module) -> dict[str, range]:
    """The token ids of each word that a text encoder has been given, one a vector."""
    table = getattr(encoder, "tokens", None)
    words = table.words if isinstance(table, ExtendedEmbedding) else {}
    return {name: places for name, (places, _) in words.items()}


def embedding(file: str | Path, name: str | None = None) -> TextualInversion:
    """Read a word from a safetensors, `.pt` or `.bin` file.

    Args:
        file: A1111's (`string_to_param` or `emb_params`), diffusers' (the word and its vectors), or
            one with vectors for several encoders (`clip_l`, `clip_g`).
        name: the word; the file's name without its ending, if not given.

    Raises:
        InputError: it cannot be read, would run code, or holds something else.
    """
    path = Path(file)
    tensors = open_tensors(path)
    own = [key for key in tensors if key.startswith(_A1111)] or list(tensors)
    shapes = [tensors.shapes[key] for key in own]
    widths = {shape[-1] for shape in shapes if len(shape) in (1, 2) and 0 not in shape}
    if not own or len(own) > len(READERS) or len(widths) < len(own):
        raise InputError(
            f"{path} is no textual inversion: of those, each text encoder has one tensor of "
            f"vectors, and this has {len(tensors)} tensors"
        )
    vectors = {tensors.shapes[key][-1]: torch.atleast_2d(tensors[key]) for key in own}
    return TextualInversion(name or path.stem, vectors)


def _named(widths: Iterable[int]) -> str:
    return " and ".join(READERS.get(width, f"an encoder of width {width}") for width in widths)
