"""IP-Adapters in use: pictures as prompts (Ye et al. 2308.06721).

Each cross-attention attends to image tokens besides the prompt's, with keys and values of their
own, and adds what it finds: softmax(QKᵀ/√d)·V + λ·softmax(QK′ᵀ/√d)·V′ (eq. 5).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from mezzotint import weights
from mezzotint.adapters.base import Injected
from mezzotint.adapters.contents import digest
from mezzotint.adapters.fit import made_for, unet_for
from mezzotint.adapters.image_encoder import Eye, open_eye
from mezzotint.adapters.negatives import are_negative
from mezzotint.adapters.pictures import Picture, opened
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.families.base import Part
from mezzotint.families.files.filled import filled
from mezzotint.families.keys.ip_adapter_keys import keys_in
from mezzotint.families.sizes import sizes_by_shape
from mezzotint.models.clip import CLIPVision
from mezzotint.models.ip_adapter import IPAdapter, cross_attentions
from mezzotint.nn.attention import Attention, attend
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
    network: IPAdapter
    eye: Eye
    image: Image.Image
    scale: float

    def inject(self, parts: Mapping[str, Part]) -> Injected:
        """Let the cross-attentions see the picture; see ``Adapter``."""
        params = self.network.params
        unet = unet_for(parts, self.name, params.context_width)
        attentions = cross_attentions(unet)
        if tuple(attention.query.out_features for attention in attentions) != params.widths:
            raise InputError(
                f"{self.name} is made for {made_for(params.context_width)} with "
                f"{len(params.widths)} cross-attentions, and this U-Net has {len(attentions)} or "
                "others"
            )
        told = "IP-Adapter", f"{self.name} with a picture (scale {self.scale})"
        if not self.scale:
            return Injected(lambda: None, told=told)
        pairs = self.network.keys_values(self.tokens(next(unet.parameters())))
        eject = decouple(attentions, pairs, self.scale, lambda b: _rows(unet, b))
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
        if self.network.params.resampler is None:
            _, seen = tower(pixels)
            unseen = torch.zeros_like(seen)
        else:
            seen, _ = tower(pixels, skip=1)
            unseen, _ = tower(torch.zeros_like(pixels), skip=1)
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
    params, tower = network.params, eye.tower.params
    width = tower.projection if params.resampler is None else tower.tower.width
    if width != params.image_width:
        raise InputError(
            f"{path} sees with an image encoder of width {params.image_width}, and the one given "
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


def read(path: Path) -> IPAdapter:
    """The IP-Adapter in a file, in the dtype that it is stored in, mapped.

    Raises:
        InputError: it cannot be read, or is no IP-Adapter that is known here.
    """
    tensors, source = open_tensors(path), str(path)
    keys = keys_in(tensors, source)
    shapes = sizes_by_shape.Shapes(keys.shapes(tensors.shapes), source)
    params = sizes_by_shape.ip_adapter(shapes)
    return filled(lambda: IPAdapter(params), keys, tensors, source)


def decouple(
    attentions: Sequence[Attention],
    pairs: Sequence[tuple[Tensor, Tensor]],
    scale: float,
    rows: Callable[[int], list[int] | slice],
) -> Callable[[], None]:
    """Let cross-attentions attend to image tokens besides (eq. 5); what is returned ends it.

    Args:
        attentions: which.
        pairs: keys and values (r, n, width) for each.
        scale: λ.
        rows: for a batch of so many, which of the r rows each of it sees.
    """
    handles = [
        handle
        for attention, (keys, values) in zip(attentions, pairs, strict=True)
        for handle in _hooked(attention, keys, values, scale, rows)
    ]

    def eject() -> None:
        for handle in handles:
            handle.remove()

    return eject


def _hooked(
    attention: Attention,
    keys: Tensor,
    values: Tensor,
    scale: float,
    rows: Callable[[int], list[int] | slice],
) -> list[Any]:
    """The handles of the hooks that do it.

    The queries are computed again, so that whatever else changes them, now or later, is in them.
    """
    keys, values = _heads(keys, attention), _heads(values, attention)
    found: list[Tensor] = []

    def look(_: nn.Module, args: tuple[Any, ...]) -> None:
        query = _heads(attention.query(args[0]), attention)
        chosen = rows(len(query))
        seen = attend(query, keys[chosen], values[chosen], causal=False)
        found.append(seen.transpose(1, 2).flatten(2))

    def add(_: nn.Module, args: tuple[Any, ...]) -> tuple[Tensor]:
        return (args[0] + scale * found.pop(),)

    return [
        attention.register_forward_pre_hook(look),
        attention.out.register_forward_pre_hook(add),
    ]


def _rows(network: nn.Module, number: int) -> list[int]:
    """For each row of a batch, 0 if it sees no picture and 1 if it does."""
    return [int(not each) for each in are_negative(network, number)]


def _heads(x: Tensor, attention: Attention) -> Tensor:
    return x.unflatten(2, (attention.heads, -1)).transpose(1, 2)
