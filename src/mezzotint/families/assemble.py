"""Networks out of files, and a model out of networks."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.checkpoints.tokenizers import TextTokenizer
from mezzotint.families.base import Family, Model
from mezzotint.families.text import Frame, Reads, TextEncoder
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText
from mezzotint.models.t5 import T5Encoder
from mezzotint.nn.init import unfilled

Net = TypeVar("Net", bound=nn.Module)


def filled(
    make: Callable[[], Net], keys: KeyMap, tensors: Mapping[str, Tensor], source: str
) -> Net:
    """A network with the weights of a file, which become its parameters and are not copied.

    Args:
        make: the network, without values.
        keys: what the file calls its tensors.
        tensors: the file's.
        source: what it is called in an error.

    Raises:
        InputError: a tensor is missing, unexpected or mis-shaped.
    """
    with unfilled():
        network = make()
    ours = keys.to_ours(tensors, network.state_dict(), source)
    network.load_state_dict(ours, assign=True)
    return network.requires_grad_(False).eval()


def encoder(network: CLIPText | T5Encoder, tokenizer: TextTokenizer, reads: Reads) -> TextEncoder:
    """A text encoder as a family reads it; a window is never longer than the network takes."""
    length = reads.length
    if isinstance(network, CLIPText):
        length = min(length, network.params.length - 2)
    frame = Frame(
        tokenizer.begin, tokenizer.end, tokenizer.pad, tokenizer.comma, length, reads.repeats
    )
    return TextEncoder(network, tokenizer.tokenizer, frame, reads.skip, reads.normed)


def assemble(
    family: Family,
    network: nn.Module,
    autoencoder: Autoencoder,
    encoders: Sequence[TextEncoder],
    maps: Mapping[str, tuple[KeyMap, ...]],
) -> Model:
    """A model of these networks, its latents scaled as the family says."""
    channels = autoencoder.params.latent_channels
    return Model(
        family=family,
        network=network,
        autoencoder=autoencoder,
        encoders=tuple(encoders),
        latent_mean=torch.full((1, channels, 1, 1), family.latent_mean),
        latent_std=torch.full((1, channels, 1, 1), family.latent_std),
        maps=maps,
        digest="",
    )
