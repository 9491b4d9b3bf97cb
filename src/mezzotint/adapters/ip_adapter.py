"""IP-Adapters in use: pictures as prompts (Ye et al. 2308.06721).

Each cross-attention reads image tokens besides the prompt's: as published apart from them, or in
the embedded model's among them. ``image_attention`` has the equations.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from mezzotint import weights
from mezzotint.adapters.base import Injected
from mezzotint.adapters.contents import digest
from mezzotint.adapters.fit import made_for, unet_for
from mezzotint.adapters.image_attention import decouple, join
from mezzotint.adapters.image_encoder import Eye, open_eye
from mezzotint.adapters.negatives import are_negative
from mezzotint.adapters.pictures import Picture, opened
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.families.base import Part
from mezzotint.families.files.filled import filled
from mezzotint.families.keys import ip_adapter_keys
from mezzotint.families.sizes import sizes_by_shape
from mezzotint.models.clip import CLIPVision
from mezzotint.models.image_words import ImageWords, ImageWordsParams
from mezzotint.models.ip_adapter import IPAdapter, cross_attentions
from mezzotint.models.unet import UNet
from mezzotint.nn.attention import Attention
from mezzotint.nn.precision import widen

ENCODER = "image_encoder"  # the folder beside an adapter's file, as they are published
EMBEDDED = Path(weights.__path__[0])
OWN = {"content": "ip-content.safetensors", "style": "ip-style.safetensors"}
"""The embedded model's, by what of a picture they show."""


@dataclass(frozen=True)
class ImagePrompt:
    """An IP-Adapter and the picture that it shows the U-Net; an ``Adapter``.

    Several add up. Rows of the batch that ``negative_rows`` has told of see no picture, all others
    see it.

    Attributes:
        name: what it is called in errors.
        network: the IP-Adapter; it is brought to the U-Net's device and dtype, as the encoder is.
        eye: the image tower that it was trained with.
        image: the picture.
        scale: λ; 0 leaves the model as it is, 1 is as trained.
    """

    name: str
    network: IPAdapter | ImageWords
    eye: Eye
    image: Image.Image
    scale: float

    def inject(self, parts: Mapping[str, Part]) -> Injected:
        """Let the cross-attentions see the picture; see ``Adapter``."""
        network = self.network
        unet = unet_for(parts, self.name, network.params.context_width)
        attentions = _read(unet, self.name, network)
        told = "IP-Adapter", f"{self.name} with a picture (scale {self.scale})"
        if not self.scale:
            return Injected(lambda: None, told=told)
        tokens = self.tokens(next(unet.parameters()))
        if isinstance(network, ImageWords):
            shares = self.scale * network.open().detach()
            eject = join(attentions, tokens[1:], shares, lambda number: _sees(unet, number))
        else:
            pairs = network.keys_values(tokens)
            # of two rows of tokens, those of no picture come first
            eject = decouple(
                attentions, pairs, self.scale, lambda number: list(map(int, _sees(unet, number)))
            )
        return Injected(eject, told=told, contents=self._contents)

    def _contents(self) -> str:
        return digest(self.network.state_dict()) + digest(self.eye.tower.state_dict(), self.image)

    @torch.no_grad()
    def tokens(self, like: Tensor) -> Tensor:
        """Image tokens (2, n, context_width) as ``like`` is: without the picture, and of it."""
        tower = self.eye.tower
        for network in (self.network, tower):
            network.to(device=like.device, dtype=like.dtype)
            widen(network)
        pixels = self.eye.pixels(self.image).to(like)
        if _of_patches(self.network):
            seen, _ = tower(pixels, skip=1)
            unseen, _ = tower(torch.zeros_like(pixels), skip=1)
        else:
            _, seen = tower(pixels)
            unseen = torch.zeros_like(seen)
        return self.network.tokens(torch.cat([unseen, seen]))


def ip_adapter(
    file: str | Path,
    image: Picture,
    scale: float = 1.0,
    encoder: CLIPVision | str | Path | None = None,
) -> ImagePrompt:
    """An IP-Adapter, plain or "plus", out of a file, and the picture that it shows.

    Args:
        file: safetensors, or a `.bin` with its two tables; "content" and "style" are the embedded
            model's.
        image: the picture, or its file.
        scale: how much it counts; see ``ImagePrompt``.
        encoder: the image tower, or its file or folder, or a model's folder of ours; if not given,
            the folder ``image_encoder`` beside the adapter's file, or the tower of the model whose
            folder the file is in.

    Raises:
        InputError: the file is no IP-Adapter that is known here, the encoder is another than it
            was trained with, the picture cannot be read, or the scale is no number.
    """
    if not math.isfinite(scale):
        raise InputError(f"{file}: scale {scale} is no number; 1 is as trained")
    path = _own(str(file)) if str(file) in OWN else Path(file)
    network = read(path)
    eye = Eye(encoder) if isinstance(encoder, CLIPVision) else open_eye(_place(path, encoder))
    needed, tower = network.params.image_width, eye.tower.params
    width = tower.tower.width if _of_patches(network) else tower.projection
    if width != needed:
        raise InputError(
            f"{path} sees with an image encoder of width {needed}, and the one given "
            f"has {width}: ViT-H has 1024, before its projection 1280; ViT-bigG 1280 and 1664"
        )
    return ImagePrompt(path.name, network, eye, opened(image), scale)


def _own(name: str) -> Path:
    path = EMBEDDED / OWN[name]
    if not path.is_file():
        raise InputError(
            f"the embedded model has no IP-Adapter for {name} yet: name the file of one that "
            "mezzotint train ip-adapter made"
        )
    return path


def _place(path: Path, encoder: str | Path | None) -> Path:
    """Where the image tower of the adapter in ``path`` is."""
    if encoder is None and (path.parent / storybook.VISION_FILE).is_file():
        return path.parent
    place = Path(encoder or path.parent / ENCODER)
    if not place.exists():
        raise InputError(f"{path} needs an image encoder: there is none at {place}, name one")
    return place


def read(path: Path) -> IPAdapter | ImageWords:
    """The IP-Adapter in a file, in the dtype that it is stored in, mapped.

    Raises:
        InputError: it cannot be read, or is no IP-Adapter that is known here.
    """
    tensors, source = open_tensors(path), str(path)
    keys = ip_adapter_keys.keys_in(tensors, source)
    shapes = sizes_by_shape.Shapes(keys.shapes(tensors.shapes), source)
    if keys is ip_adapter_keys.IMAGE_WORDS:
        words = sizes_by_shape.image_words(shapes)
        return filled(lambda: ImageWords(words), keys, tensors, source)
    params = sizes_by_shape.ip_adapter(shapes)
    return filled(lambda: IPAdapter(params), keys, tensors, source)


def _read(unet: UNet, name: str, network: IPAdapter | ImageWords) -> list[Attention]:
    """The cross-attentions that an adapter is for.

    Raises:
        InputError: it is for others than the U-Net has.
    """
    attentions, params = cross_attentions(unet), network.params
    if isinstance(params, ImageWordsParams):
        layers, fits = params.layers, params.layers == len(attentions)
    else:
        layers = len(params.widths)
        fits = tuple(attention.query.out_features for attention in attentions) == params.widths
    if not fits:
        raise InputError(
            f"{name} is made for {made_for(params.context_width)} with {layers} "
            f"cross-attentions, and this U-Net has {len(attentions)} or others"
        )
    return attentions


def _of_patches(network: IPAdapter | ImageWords) -> bool:
    """Whether it reads features of patches, and not the picture as one vector."""
    return isinstance(network, IPAdapter) and network.params.resampler is not None


def _sees(network: nn.Module, number: int) -> list[bool]:
    """For each row of a batch, whether it sees the picture: those of a negative prompt do not."""
    return [not negative for negative in are_negative(network, number)]
