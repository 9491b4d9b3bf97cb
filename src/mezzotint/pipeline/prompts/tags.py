"""What a prompt names beside words: `<lora:name:0.8>`, `embedding:name`, an embedding's bare name.

Names are looked up, never guessed: one that is not there is an error, not a word of the prompt.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from mezzotint.errors import InputError, unknown
from mezzotint.pipeline.prompts.emphasis import Span, number

LORA_TAGS = ("lora", "lyco")  # one thing, since A1111 1.5
EMBEDDING_FILES = (".safetensors", ".pt", ".bin")

_TAG = re.compile(r"<(\w+):([^<>]+)>")
_EMBEDDING = re.compile(r"(?:(?<=[\s,])|^)embedding:(\S+?)(?=,embedding:|\s|$)")


@dataclass(frozen=True)
class LoRARequest:
    """`<lora:name:text:network>`: which LoRA, and how strongly in which networks."""

    name: str
    text: float
    network: float


def split_loras(text: str, strict: bool) -> tuple[str, tuple[LoRARequest, ...]]:
    """Take the LoRA tags out of ``text``.

    ``<lora:name>`` is weight 1, ``<lora:name:0.8>`` 0.8 everywhere, ``<lora:name:0.5:0.8>`` 0.5 in
    the text encoders and 0.8 in the denoiser; ``te=0.5`` and ``unet=0.8`` say the same by name.

    Args:
        text: a prompt.
        strict: whether a tag of another kind is an error, rather than text.

    Raises:
        InputError: if a tag is of another kind, lacks its name, asks for more than weights, or has
            a weight that is no number.
    """
    requests: list[LoRARequest] = []

    def take(tag: re.Match[str]) -> str:
        if tag[1] in LORA_TAGS:
            requests.append(_request(tag))
            return ""
        if strict:
            raise unknown("prompt tag", f"<{tag[1]}:…>", [f"<{name}:…>" for name in LORA_TAGS])
        return tag[0]

    return _TAG.sub(take, text), tuple(requests)


def _request(tag: re.Match[str]) -> LoRARequest:
    name, *arguments = (argument.strip() for argument in tag[2].split(":"))
    if not name:
        raise InputError(f"{tag[0]!r} names no LoRA; write <lora:name:0.8>")
    weights: dict[str, float] = {}
    for place, argument in enumerate(arguments):
        key, equals, value = argument.partition("=")
        if not equals:
            key, value = ("te", "unet")[place] if place < 2 else "", argument
        if key not in ("te", "unet"):
            raise InputError(
                f"{argument!r} in {tag[0]!r} is not supported; a LoRA takes a weight in the text "
                "encoders and one in the denoiser: <lora:name:0.5:0.8>"
            )
        weights[key] = number(value, f"a weight in {tag[0]!r}")
    text = weights.get("te", 1.0)
    return LoRARequest(name, text, weights.get("unet", text))


def split_embeddings(span: Span, names: Collection[str], bare: bool) -> Iterator[Span]:
    """Cut ``span`` at the embeddings that it names.

    ``embedding:name`` stands at the beginning of a word, with or without the file's ending; commas
    after it are text. Bare names are found as CLIP cuts words, whatever their case: "bad" is in
    "bad-hands", not in "badly"; of several, the longest.

    Args:
        span: words of one weight.
        names: the embeddings there are.
        bare: whether a name alone is enough.

    Raises:
        InputError: if ``embedding:name`` is not among ``names``.
    """
    there = (name for name in names if bare and name.strip())
    alone = tuple(sorted(there, key=lambda name: (-len(name), name)))
    end = 0
    for found in _EMBEDDING.finditer(span.text):
        name, length = _resolved(found[1], names)
        yield from _split_bare(replace(span, text=span.text[end : found.start()]), alone)
        yield Span(name, span.weight, embedding=True)
        end = found.start(1) + length
    yield from _split_bare(replace(span, text=span.text[end:]), alone)


def _resolved(written: str, names: Collection[str]) -> tuple[str, int]:
    """The name that ``written`` begins with, and how many characters of it are the name."""
    for name in (written, written.rstrip(","), written.partition(",")[0]):
        for ending in ("", *EMBEDDING_FILES):
            if name.endswith(ending) and name.removesuffix(ending) in names:
                return name.removesuffix(ending), len(name)
    if not names:
        raise InputError(f"embedding:{written} is not there: no embeddings are loaded")
    raise unknown("embedding", written.rstrip(","), names)


def _split_bare(span: Span, names: tuple[str, ...]) -> Iterator[Span]:
    end = 0
    for found in _expression(names).finditer(span.text) if names else ():
        if found.start() > end:
            yield replace(span, text=span.text[end : found.start()])
        yield Span(names[(found.lastindex or 1) - 1], span.weight, embedding=True)
        end = found.end()
    if end < len(span.text):
        yield replace(span, text=span.text[end:])


@lru_cache(maxsize=8)
def _expression(names: tuple[str, ...]) -> re.Pattern[str]:
    """One group a name, in their order."""
    words = [r"\s+".join(map(re.escape, name.split())) for name in names]
    edges = [(_edge(name.strip()[0], "<!"), _edge(name.strip()[-1], "!")) for name in names]
    groups = (f"{left}({word}){right}" for word, (left, right) in zip(words, edges, strict=True))
    return re.compile("|".join(groups), re.IGNORECASE)


def _edge(character: str, look: str) -> str:
    """CLIP's words are letters, or one digit, or what is neither: what must not stand beside."""
    if character.isalpha():
        return rf"(?{look}[^\W\d_])"
    return "" if character.isdigit() else rf"(?{look}[^\w\s]|_)"
