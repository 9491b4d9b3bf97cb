"""Autoencoders in strips: the same functions of large pictures, in little more than one map.

Where `nn.rows` computes in strips, only attention is left that needs a whole map, and that is at
the coarsest resolution, where all maps are small. In memory is never more than the largest map that
lies between two residual blocks, and what a few strips take. Wherever the first half of a residual
block does not fit that as well, it is computed twice: once for the statistics that follow it.
"""

from collections.abc import Iterable
from functools import partial
from math import prod

import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams, check_size
from mezzotint.models.tiny_autoencoder import LIMIT, TinyAutoencoder, TinyBlock
from mezzotint.nn.residual import ResidualBlock
from mezzotint.nn.rows import Made, Map, Sum, activated, convolved, gathered, keep, whole


def encode(autoencoder: Autoencoder, images: Tensor) -> tuple[Tensor, Tensor]:
    """As ``Autoencoder.encode``, of one image (1, 3, H, W)."""
    p, encoder = autoencoder.params, autoencoder.encoder
    check_size(images, p.factor)
    cut = partial(F.pixel_unshuffle, downscale_factor=p.patch)
    x = keep(convolved(encoder.conv_in, Made(whole(images), cut, p.patch_channels, down=p.patch)))
    room = _room(p, prod(images.shape[2:]))
    for depth, level in enumerate(encoder.levels):
        if depth:
            x = keep(Made(x, encoder.downs[depth - 1], x.shape[0], down=2, reach=2))
        x = _level(level, x, room)
    return autoencoder.gaussian(encoder.finish(gathered(x)))


def decode(autoencoder: Autoencoder, z: Tensor) -> Tensor:
    """As ``Autoencoder.decode``, of one latent (1, c, h, w)."""
    p, decoder = autoencoder.params, autoencoder.decoder
    x: Map = whole(decoder.begin(autoencoder.from_latent(z)))
    room = _room(p, prod(z.shape[2:]) * p.factor**2)
    for depth, level in enumerate(decoder.levels):
        if depth:
            x = Made(x, partial(_enlarged, decoder.ups[depth - 1]), x.shape[0], up=2, reach=1)
            x = keep(x) if prod(x.shape) <= room else x
        x = _level(level, x, room)
    x = convolved(decoder.conv_out, activated(decoder.norm_out, x))
    joined = partial(F.pixel_shuffle, upscale_factor=p.patch)
    return gathered(Made(x, joined, p.image_channels, up=p.patch))


def encode_tiny(autoencoder: TinyAutoencoder, images: Tensor) -> Tensor:
    """As ``TinyAutoencoder.encode``, of one image (1, 3, H, W)."""
    check_size(images, autoencoder.params.factor)
    return _through(autoencoder.encoder, (images + 1) / 2)


def decode_tiny(autoencoder: TinyAutoencoder, z: Tensor) -> Tensor:
    """As ``TinyAutoencoder.decode``, of one latent (1, c, h, w)."""
    return 2 * _through(autoencoder.decoder, (z / LIMIT).tanh() * LIMIT) - 1


def widest(autoencoder: Autoencoder | TinyAutoencoder, pixels: int) -> int:
    """How many numbers the largest map has that a picture of so many pixels goes through."""
    p = autoencoder.params
    if not isinstance(p, AutoencoderParams):
        return p.width * pixels
    enlarged = (*p.channels[1:], 0)  # a map is as wide as its level's, or the next coarser one's
    levels = enumerate(map(max, p.channels, enlarged))
    return max(channels * pixels // p.patch**2 // 4**depth for depth, channels in levels)


def _room(p: AutoencoderParams, pixels: int) -> int:
    """How many numbers the largest map has that lies between two residual blocks."""
    return max(c * pixels // p.patch**2 // 4**depth for depth, c in enumerate(p.channels))


def _level(blocks: nn.Module, x: Map, room: int) -> Map:
    for block in blocks.children():
        assert isinstance(block, ResidualBlock)
        x = _block(block, x, room)
    return x


def _block(block: ResidualBlock, x: Map, room: int) -> Map:
    h: Map = convolved(block.conv_in, activated(block.norm_in, x))
    if x.held + prod(h.shape) <= room:
        h = keep(h, again=True)
    h = convolved(block.conv_out, activated(block.norm_out, h))
    return keep(Sum(Made(x, block.skip, h.channels), h, reach=4))


def _enlarged(up: nn.Module, x: Tensor) -> Tensor:
    return up(x, (2 * x.shape[2], 2 * x.shape[3]))


def _through(layers: Iterable[nn.Module], image: Tensor) -> Tensor:
    """What a tiny autoencoder's encoder or decoder makes of an image (1, c, h, w)."""
    x: Map = whole(image)
    for layer in layers:
        x = keep(_layer(layer, x))
    return gathered(x)


def _layer(layer: nn.Module, x: Map) -> Map:
    if isinstance(layer, nn.Conv2d):
        return convolved(layer, x)
    if isinstance(layer, nn.Upsample):
        return Made(x, layer, x.shape[0], up=2)
    return Made(x, layer, x.shape[0], reach=3 if isinstance(layer, TinyBlock) else 0)
