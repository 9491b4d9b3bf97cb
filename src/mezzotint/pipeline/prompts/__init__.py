"""The prompt language of A1111 and of ComfyUI, read into plain data; nothing is encoded here.

tags (LoRAs) → AND → schedule → emphasis and BREAK → embeddings
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from mezzotint.errors import InputError
from mezzotint.pipeline.prompts.emphasis import Chunk, Span, a1111, comfyui, number
from mezzotint.pipeline.prompts.schedule import schedule
from mezzotint.pipeline.prompts.tags import LoRARequest, split_embeddings, split_loras

__all__ = ["DIALECTS", "Chunk", "Dialect", "Held", "LoRARequest", "Part", "Prompt", "Span", "parse"]

_AND = re.compile(r"\bAND\b")
_PART_WEIGHT = re.compile(r"\s*([-+]?(?:\d*\.\d+|\d+\.?))\s*")


@dataclass(frozen=True)
class Dialect:
    """How a prompt is read and encoded, as one tool does it.

    Attributes:
        grammar: whose syntax. ComfyUI has emphasis in round brackets and `embedding:name`; the
            rest of the language is A1111's; "plain" has none.
        weighting: what a weight does to the encoding. "renormalise" multiplies it and restores its
            mean; "interpolate" moves it from the empty prompt's encoding.
        chunking: where a prompt that is too long goes on in a further window. "commas" looks back
            for one; "segments" keeps short spans whole; "cut" drops the rest.
        zero_blank: whether an empty negative prompt is zeros where the family was trained so, as
            diffusers has it; the other tools encode it.
    """

    grammar: Literal["a1111", "comfyui", "plain"]
    weighting: Literal["renormalise", "interpolate"]
    chunking: Literal["commas", "segments", "cut"]
    zero_blank: bool


DIALECTS: dict[str, Dialect] = {
    "mezzotint": Dialect("a1111", "renormalise", "commas", zero_blank=True),
    "diffusers": Dialect("plain", "renormalise", "cut", zero_blank=True),
    "a1111": Dialect("a1111", "renormalise", "commas", zero_blank=False),
    "comfyui": Dialect("comfyui", "interpolate", "segments", zero_blank=False),
}
"""What is read as diffusers reads it where a prompt has no syntax is "mezzotint"."""


@dataclass(frozen=True)
class Held:
    """What a part says until step ``until`` (counted from 1, inclusive)."""

    until: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True)
class Part:
    """One of the prompts that `AND` joins, and how much its guidance counts.

    Liu et al. 2022, "Compositional Visual Generation with Composable Diffusion Models":
    ε̂ = ε(x) + Σᵢ wᵢ·(ε(x|cᵢ) − ε(x)), times the guidance scale.
    """

    weight: float
    schedule: tuple[Held, ...]

    def at(self, step: int) -> tuple[Chunk, ...]:
        """The chunks of step ``step``, counted from 1."""
        return next(
            (held for held in self.schedule if step <= held.until), self.schedule[-1]
        ).chunks


@dataclass(frozen=True)
class Prompt:
    """A prompt, read: at least one part, and the LoRAs that it asks for."""

    parts: tuple[Part, ...]
    loras: tuple[LoRARequest, ...]


def parse(
    text: str,
    steps: int,
    dialect: Dialect = DIALECTS["a1111"],
    embeddings: Collection[str] = (),
    negative: bool = False,
) -> Prompt:
    """Read a prompt for a run of ``steps`` ≥ 1 steps.

    Syntax that is out of place is text, as in the tool whose grammar it is; what could only be a
    mistake is an error.

    Args:
        text: what was typed.
        steps: how many denoising steps there will be.
        dialect: whose language it is.
        embeddings: the names of the textual inversions there are.
        negative: whether it is a negative prompt, in which `AND` is a word.

    Raises:
        InputError: if a weight is no finite number, a LoRA tag is not understood or stands in a
            negative prompt, an embedding is not there, or brackets nest more than 100 deep.
    """
    if dialect.grammar == "plain":
        return Prompt((Part(1.0, (Held(steps, ((Span(text),),)),)),), ())
    own = dialect.grammar == "a1111"
    words, loras = split_loras(text, strict=own)
    if negative and loras:
        raise InputError(
            f"LoRA {loras[0].name!r} stands in the negative prompt; write it in the prompt"
        )
    pairs = (
        [_weighted(part) for part in _AND.split(words)] if own and not negative else [(words, 1.0)]
    )
    read = a1111 if own else comfyui

    def chunks(text: str) -> tuple[Chunk, ...]:
        return tuple(
            tuple(piece for span in chunk for piece in split_embeddings(span, embeddings, bare=own))
            for chunk in read(text)
        )

    parts: list[Part] = []
    for part, weight in pairs:
        held = schedule(part, steps) if own else ((steps, part),)
        once = {text: chunks(text) for text in {text for _, text in held}}
        parts.append(Part(weight, tuple(Held(until, once[text]) for until, text in held)))
    return Prompt(tuple(parts), loras)


def _weighted(part: str) -> tuple[str, float]:
    """Split the weight off ``a cat :1.2``; a part without one is left as it is."""
    text, colon, tail = part.rpartition(":")
    weight = _PART_WEIGHT.fullmatch(tail) if colon else None
    if weight is None:
        return part, 1.0
    return text.rstrip(), number(weight[1], f"the weight in {part.strip()[-40:]!r}")
