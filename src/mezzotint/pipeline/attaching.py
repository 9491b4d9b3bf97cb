"""What a prompt asks for beside words, LoRAs and embeddings, found and read."""

from collections.abc import Collection, Sequence

from mezzotint.adapters.base import Adapter
from mezzotint.adapters.embedding import embedding, ids
from mezzotint.adapters.lora import lora
from mezzotint.checkpoints.find import find, offered
from mezzotint.families.base import Model
from mezzotint.pipeline.prompts import LoRARequest, Prompt


def known_words(model: Model) -> set[str]:
    """The embeddings that a prompt can name: those attached, and those in the user's folders."""
    return attached_words(model) | offered("embedding").keys()


def attached_words(model: Model) -> set[str]:
    """The embeddings that some text encoder has been given."""
    return {name for encoder in model.encoders for name in ids(encoder.network)}


def asked_for(model: Model, prompts: Sequence[Prompt]) -> list[Adapter]:
    """The adapters that prompts name and that are not attached.

    Raises:
        InputError: one is not there or cannot be read.
    """
    loras = [_lora(model, request) for prompt in prompts for request in prompt.loras]
    words = {word for prompt in prompts for word in _embeddings(prompt)} - attached_words(model)
    places = offered("embedding") if words else {}
    return [*loras, *(embedding(places[word], word) for word in sorted(words))]


def _lora(model: Model, request: LoRARequest) -> Adapter:
    factors = {name: request.text for name in model.modules if name.startswith("text")}
    return lora(find(request.name, "lora"), blocks={**factors, "network": request.network})


def _embeddings(prompt: Prompt) -> Collection[str]:
    return {
        span.text
        for part in prompt.parts
        for held in part.schedule
        for chunk in held.chunks
        for span in chunk
        if span.embedding
    }
