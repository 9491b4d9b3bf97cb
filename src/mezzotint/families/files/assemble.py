"""A model out of networks that were found in files."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch

from mezzotint.checkpoints.tokenizers import TextTokenizer
from mezzotint.families.base import Family, Model, text_name
from mezzotint.families.files.found import Found
from mezzotint.families.keys.original import places
from mezzotint.families.keys.published import published
from mezzotint.families.text import Frame, Reads, TextEncoder
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText
from mezzotint.models.t5 import T5Encoder
from mezzotint.models.tiny_autoencoder import TinyAutoencoder


def built(family: Family, found: Mapping[str, Found], tokenizers: Sequence[TextTokenizer]) -> Model:
    """A model of networks that were found, its latents scaled as the family says.

    Args:
        family: theirs.
        found: "network", "autoencoder", and "text", "text_2" … in the family's order.
        tokenizers: of the text encoders.

    Raises:
        InputError: a network's tensors are missing, unexpected or mis-shaped.
    """
    modules = {name: each.filled() for name, each in found.items()}
    named = {n: each.params for n, each in found.items() if each.place.kind != "tiny_autoencoder"}
    texts = [cast("CLIPText | T5Encoder", modules[text_name(k)]) for k in range(len(tokenizers))]
    autoencoder = cast("Autoencoder | TinyAutoencoder", modules["autoencoder"])
    tiny = isinstance(autoencoder, TinyAutoencoder)  # its latents are the denoiser's own
    moments = (0.0, 1.0) if tiny else (family.latent_mean, family.latent_std)
    mean, std = (torch.full((1, autoencoder.params.latent_channels, 1, 1), m) for m in moments)
    originals = places(family.release, named)
    return Model(
        family=family,
        network=modules["network"],
        autoencoder=autoencoder,
        encoders=tuple(map(_encoder, texts, tokenizers, family.reads)),
        latent_mean=mean,
        latent_std=std,
        maps={name: (published(each), originals[name].keys) for name, each in named.items()},
        digest="",
    )


def _encoder(network: CLIPText | T5Encoder, tokenizer: TextTokenizer, reads: Reads) -> TextEncoder:
    """A text encoder as a family reads it; a window is never longer than the network takes."""
    length = reads.length
    if isinstance(network, CLIPText):
        length = min(length, network.params.length - 2)
    frame = Frame(
        tokenizer.begin, tokenizer.end, tokenizer.pad, tokenizer.comma, length, reads.repeats
    )
    return TextEncoder(network, tokenizer.tokenizer, frame, reads.skip, reads.normed)
