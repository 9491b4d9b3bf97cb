"""The sizes of a network, read from the shapes of its weights.

Input are our names and shapes, which ``KeyMap.shapes`` gets out of a file's header. What shapes
don't tell is as in all published checkpoints; each function says what that is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt

from mezzotint.checkpoints.keymap import Shape
from mezzotint.errors import InputError
from mezzotint.models.autoencoder import AutoencoderParams
from mezzotint.models.clip import CLIPTextParams, CLIPVisionParams, TowerParams
from mezzotint.models.flux import PATCH, FluxParams
from mezzotint.models.image_words import ImageWordsParams
from mezzotint.models.ip_adapter import IPAdapterParams, ResamplerParams
from mezzotint.models.mmdit import MMDiTParams
from mezzotint.models.t5 import T5Params
from mezzotint.models.tiny_autoencoder import TinyAutoencoderParams
from mezzotint.models.unet import UNetParams

GROUPS = 32  # of every group normalisation
HEAD = 64  # channels of a head, where nothing says otherwise


@dataclass(frozen=True)
class Shapes:
    """Our names and shapes of the tensors of one network, and what its file is called in errors."""

    table: Mapping[str, Shape]
    source: str

    def __contains__(self, name: str) -> bool:
        return name in self.table

    def at(self, name: str, *dims: int) -> tuple[int, ...]:
        """Some sizes of a tensor that must be there."""
        shape = self.table.get(name, ())
        if len(shape) <= max(dims) or min(shape) < 1:
            found = f"has the shape {shape}" if name in self.table else "is missing"
            raise InputError(f"{self.source}: {name}, which would tell its sizes, {found}")
        return tuple(shape[dim] for dim in dims)

    def size(self, name: str, dim: int) -> int:
        """One size of a tensor that must be there."""
        return self.at(name, dim)[0]

    def count(self, modules: str) -> int:
        """How many numbered modules there are in a list of them."""
        start = modules + "."
        return len({n[len(start) :].split(".")[0] for n in self.table if n.startswith(start)})


def unet(shapes: Shapes) -> UNetParams:
    """A U-Net's sizes.

    Stable Diffusion 1.x has 8 heads everywhere: the projections around its transformers are 1 × 1
    convolutions in its files, and its context is 768 wide. All others have 64 channels a head.
    """
    levels = [f"down.{i}.blocks" for i in range(shapes.count("down"))]
    channels = tuple(shapes.size(f"{level}.0.residual.conv_in.weight", 0) for level in levels)
    context = shapes.size("mid.0.attention.blocks.0.attend_cross.key.weight", 1)
    eight = context == 768 or len(shapes.table.get("mid.0.attention.project_in.weight", ())) == 4
    heads = tuple(8 if eight else max(1, c // HEAD) for c in channels)
    if any(c % GROUPS or c % h for c, h in zip(channels, heads, strict=True)):
        raise InputError(
            f"{shapes.source}: a U-Net with levels of {channels} channels: each must be a multiple "
            f"of {GROUPS} and have whole heads"
        )
    return UNetParams(
        channels_in=shapes.size("conv_in.weight", 1),
        channels_out=shapes.size("conv_out.weight", 0),
        channels=channels,
        blocks=shapes.count("down.0.blocks"),
        depths=tuple(shapes.count(f"{level}.0.attention.blocks") for level in levels),
        mid_depth=shapes.count("mid.0.attention.blocks"),
        heads=heads,
        context_width=context,
        y_width=shapes.size("vector.first.weight", 1) if "vector.first.weight" in shapes else 0,
        groups=GROUPS,
        guided="guidance.weight" in shapes,
    )


def controlnet(shapes: Shapes) -> UNetParams:
    """A ControlNet's sizes: the U-Net's that it copies, with as many channels out as in."""
    copied = {name.removeprefix("copy."): shape for name, shape in shapes.table.items()}
    copied["conv_out.weight"] = (shapes.size("copy.conv_in.weight", 1),)
    return unet(Shapes(copied, shapes.source))


def autoencoder(shapes: Shapes) -> AutoencoderParams:
    """An autoencoder's sizes; pictures are never cut into patches."""
    levels = range(shapes.count("encoder.levels"))
    channels = tuple(shapes.size(f"encoder.levels.{i}.0.conv_in.weight", 0) for i in levels)
    if any(c % GROUPS for c in channels):
        raise InputError(
            f"{shapes.source}: an autoencoder with levels of {channels} channels: each must be a "
            f"multiple of {GROUPS}"
        )
    return AutoencoderParams(
        image_channels=shapes.size("encoder.conv_in.weight", 1),
        latent_channels=shapes.size("decoder.conv_in.weight", 1),
        patch=1,
        channels=channels,
        blocks=shapes.count("encoder.levels.0"),
        mid_attention="encoder.mid.attention.norm.weight" in shapes,
        latent_convs="to_moments.weight" in shapes,
        groups=GROUPS,
    )


def tiny_autoencoder(shapes: Shapes) -> TinyAutoencoderParams:
    """A tiny autoencoder's sizes; its levels have 1, 3, 3 and 3 blocks."""
    width, image_channels = shapes.at("encoder.0.weight", 0, 1)
    return TinyAutoencoderParams(
        image_channels=image_channels,
        latent_channels=shapes.size("decoder.0.weight", 1),
        width=width,
        blocks=(1, 3, 3, 3),
    )


def clip_text(shapes: Shapes) -> CLIPTextParams:
    """A CLIP text tower's sizes.

    Heads have 64 channels; OpenAI's tower, which is 768 wide, has the quick GELU and OpenCLIP's
    have not; the last token of the vocabulary ends a prompt.
    """
    vocabulary, width = shapes.at("tokens.weight", 0, 1)
    project = "project.weight"
    return CLIPTextParams(
        tower=TowerParams(
            width=width,
            layers=shapes.count("layers"),
            heads=_heads(shapes, width),
            hidden=shapes.size("layers.0.widen.weight", 0),
            activation="quick_gelu" if width == 768 else "gelu",
        ),
        vocabulary=vocabulary,
        length=shapes.size("positions.weight", 0),
        end_token=vocabulary - 1,
        projection=shapes.size(project, 0) if project in shapes else 0,
    )


def clip_vision(shapes: Shapes) -> CLIPVisionParams:
    """A CLIP image tower's sizes.

    There are 16 heads, but 12 where it is 768 wide (ViT-B); ViT-L, whose projection is 768 wide,
    and ViT-B are taken for OpenAI's, which have the quick GELU.
    """
    width, patch = shapes.at("patches.weight", 0, 3)
    projection = shapes.size("project.weight", 0)
    heads = 12 if width == 768 else 16
    if width % heads:
        raise InputError(f"{shapes.source}: a width of {width} has no {heads} equal heads")
    return CLIPVisionParams(
        tower=TowerParams(
            width=width,
            layers=shapes.count("layers"),
            heads=heads,
            hidden=shapes.size("layers.0.widen.weight", 0),
            activation="quick_gelu" if projection <= 768 else "gelu",
        ),
        size=isqrt(shapes.size("positions.weight", 0) - 1) * patch,
        patch=patch,
        projection=projection,
    )


def ip_adapter(shapes: Shapes) -> IPAdapterParams:
    """An IP-Adapter's sizes; heads of a resampler have 64 channels."""
    context_width = shapes.size("keys.0.weight", 1)
    widths = tuple(shapes.size(f"keys.{k}.weight", 0) for k in range(shapes.count("keys")))
    if "tokens.queries" not in shapes:
        packed, image_width = shapes.at("tokens.project.weight", 0, 1)
        return IPAdapterParams(image_width, packed // context_width, context_width, widths, None)
    tokens, width = shapes.at("tokens.queries", 1, 2)
    return IPAdapterParams(
        image_width=shapes.size("tokens.project_in.weight", 1),
        tokens=tokens,
        context_width=context_width,
        widths=widths,
        resampler=ResamplerParams(
            width=width,
            layers=shapes.count("tokens.layers"),
            heads=_heads(shapes, width),
            hidden=shapes.size("tokens.layers.0.widen.weight", 0),
        ),
    )


def image_words(shapes: Shapes) -> ImageWordsParams:
    """The sizes of what makes words of a picture."""
    hidden, image_width = shapes.at("widen.weight", 0, 1)
    context_width = shapes.size("norm.weight", 0)
    return ImageWordsParams(
        image_width=image_width,
        hidden=hidden,
        tokens=shapes.size("narrow.weight", 0) // context_width,
        context_width=context_width,
        layers=shapes.size("gates", 0),
    )


def t5(shapes: Shapes) -> T5Params:
    """A T5 encoder's sizes; distances from 128 on are of one kind."""
    vocabulary, width = shapes.at("tokens.weight", 0, 1)
    buckets, heads = shapes.at("distances.weight", 0, 1)
    return T5Params(
        vocabulary=vocabulary,
        width=width,
        layers=shapes.count("layers"),
        heads=heads,
        head_width=shapes.size("layers.0.query.weight", 0) // heads,
        hidden=shapes.size("layers.0.widen.weight", 0),
        buckets=buckets,
        distance=128,
    )


def mmdit(shapes: Shapes) -> MMDiTParams:
    """An MM-DiT's sizes; heads have 64 channels, and the table of positions stands for 64²."""
    width, channels, patch = shapes.at("patches.weight", 0, 1, 2)
    blocks = shapes.count("blocks")
    return MMDiTParams(
        channels=channels,
        patch=patch,
        width=width,
        heads=_heads(shapes, width),
        blocks=blocks,
        dual_blocks=sum(f"blocks.{i}.dual.out.weight" in shapes for i in range(blocks)),
        normed="blocks.0.image.to_heads.norm_query.weight" in shapes,
        context_width=shapes.size("context_in.weight", 1),
        y_width=shapes.size("vector.first.weight", 1),
        side=isqrt(shapes.size("positions", 1)),
        span=64,
    )


def flux(shapes: Shapes) -> FluxParams:
    """A FLUX.1's sizes; of a head's channels, 1/8 tell the token's number, 7/16 each place."""
    width, packed = shapes.at("patches.weight", 0, 1)
    head = shapes.size("joint.0.image.to_heads.norm_query.weight", 0)
    return FluxParams(
        channels_in=packed // PATCH**2,
        channels_out=shapes.size("out.linear.weight", 0) // PATCH**2,
        width=width,
        heads=width // head,
        joint_blocks=shapes.count("joint"),
        single_blocks=shapes.count("single"),
        axes=(head // 8, head * 7 // 16, head * 7 // 16),
        context_width=shapes.size("context_in.weight", 1),
        y_width=shapes.size("vector.first.weight", 1),
        guided="guidance.first.weight" in shapes,
    )


def _heads(shapes: Shapes, width: int) -> int:
    if width % HEAD:
        raise InputError(f"{shapes.source}: a width of {width} has no whole heads of {HEAD}")
    return width // HEAD
