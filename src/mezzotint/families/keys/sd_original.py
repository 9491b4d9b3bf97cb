"""What the original releases call the tensors of Stable Diffusion 1.x, 2.x and XL.

The U-Net and the autoencoder have the names of CompVis' latent-diffusion, which Stability's
generative-models kept; the text towers of 2.x and XL have those of OpenCLIP.
"""

import re
from collections.abc import Mapping, Sequence

from mezzotint.checkpoints.keymap import Held, KeyMap, Pairs, Shape, under
from mezzotint.errors import InputError
from mezzotint.families.keys.sd_keys import TRANSFORMER

_RESIDUAL = (
    ("in_layers.0", "norm_in"),
    ("in_layers.2", "conv_in"),
    ("emb_layers.1", "time"),
    ("out_layers.0", "norm_out"),
    ("out_layers.3", "conv_out"),
    ("skip_connection", "skip"),
)


def unet(blocks: int, attends: Sequence[bool], pointwise: bool) -> KeyMap:
    """The names of a U-Net, which count through all its levels.

    Args:
        blocks: residual blocks of a level on the way down.
        attends: of each level, whether it has attention; the finest first.
        pointwise: whether the projections around its transformers are convolutions, as in 1.x.
    """
    step, coarsest = blocks + 1, len(attends) - 1
    pairs: list[Pairs] = []
    for level, attention in enumerate(attends):
        for j in range(blocks):
            pairs.append(_block(f"input_blocks.{1 + level * step + j}", f"down.{level}.blocks.{j}"))
        up = coarsest - level
        for j in range(step):
            pairs.append(_block(f"output_blocks.{up * step + j}", f"up.{up}.blocks.{j}"))
        if level < coarsest:
            pairs.append(((f"input_blocks.{(level + 1) * step}.0.op", f"down.{level}.step.conv"),))
        if level:
            last = f"output_blocks.{up * step + blocks}.{2 if attention else 1}"
            pairs.append(((f"{last}.conv", f"up.{up}.step.conv"),))
    return KeyMap(
        pairs=(
            ("time_embed.0", "time.first"),
            ("time_embed.2", "time.last"),
            ("time_embed.cond_proj", "guidance"),
            ("label_emb.0.0", "vector.first"),
            ("label_emb.0.2", "vector.last"),
            ("input_blocks.0.0", "conv_in"),
            *(pair for some in pairs for pair in some),
            *under("middle_block.0", "mid.0.residual", _RESIDUAL),
            *under("middle_block.1", "mid.0.attention", TRANSFORMER),
            *under("middle_block.2", "mid.1.residual", _RESIDUAL),
            ("out.0", "norm_out"),
            ("out.2", "conv_out"),
        ),
        pointwise=("project_in", "project_out") if pointwise else (),
    )


def unet_in(shapes: Mapping[str, Shape], source: str) -> KeyMap:
    """The names of the U-Net that a file holds.

    Raises:
        InputError: its blocks are not numbered as a U-Net's with equal levels are.
    """
    numbers = _numbers(r"input_blocks\.(\d{1,4})\.", shapes)
    steps = _numbers(r"input_blocks\.(\d{1,4})\.0\.op\.weight", shapes)
    step = min(steps, default=len(numbers))
    levels = len(steps) + 1
    known = set(range(levels * step))
    if not step or numbers != known or steps != set(range(step, levels * step, step)):
        raise InputError(f"{source}: the input_blocks are not numbered as a U-Net's levels are")
    projections = [f"input_blocks.{1 + level * step}.1.proj_in.weight" for level in range(levels)]
    return unet(
        blocks=step - 1,
        attends=[name in shapes for name in projections],
        pointwise=any(len(shapes[name]) == 4 for name in projections if name in shapes),
    )


def _block(theirs: str, ours: str) -> Pairs:
    residual = under(f"{theirs}.0", f"{ours}.residual", _RESIDUAL)
    return residual + under(f"{theirs}.1", f"{ours}.attention", TRANSFORMER)


def _numbers(pattern: str, names: Mapping[str, Shape]) -> set[int]:
    return {int(match[1]) for name in names if (match := re.match(pattern, name))}


_PLAIN_RESIDUAL = (  # without time
    ("norm1", "norm_in"),
    ("conv1", "conv_in"),
    ("norm2", "norm_out"),
    ("conv2", "conv_out"),
    ("nin_shortcut", "skip"),
)

_HALF = (  # an encoder or a decoder, but for its levels
    ("conv_in", "conv_in"),
    *under("mid.block_1", "mid.first", _PLAIN_RESIDUAL),
    ("mid.attn_1.norm", "mid.attention.norm"),
    ("mid.attn_1.q", "mid.attention.attention.query"),
    ("mid.attn_1.k", "mid.attention.attention.key"),
    ("mid.attn_1.v", "mid.attention.attention.value"),
    ("mid.attn_1.proj_out", "mid.attention.attention.out"),
    *under("mid.block_2", "mid.last", _PLAIN_RESIDUAL),
    ("norm_out", "norm_out"),
    ("conv_out", "conv_out"),
)


def autoencoder(levels: int) -> KeyMap:
    """The names of an autoencoder, SD 3's and FLUX.1's too; its decoder counts from the finest."""
    pairs: list[Pairs] = []
    for ours in range(levels):
        theirs = levels - 1 - ours
        blocks = f"decoder.up.{theirs}.block.{{}}", f"decoder.levels.{ours}.{{}}"
        pairs.append(under(*blocks, _PLAIN_RESIDUAL))
        pairs.append(((f"decoder.up.{theirs}.upsample.conv", f"decoder.ups.{ours}.conv"),))
    return KeyMap(
        pairs=(
            *under("encoder", "encoder", _HALF),
            *under("encoder.down.{}.block.{}", "encoder.levels.{}.{}", _PLAIN_RESIDUAL),
            ("encoder.down.{}.downsample.conv", "encoder.downs.{}.conv"),
            ("quant_conv", "to_moments"),
            ("post_quant_conv", "from_latent"),
            *under("decoder", "decoder", _HALF),
            *(pair for some in pairs for pair in some),
        ),
        ignored=("loss", "model_ema"),
        pointwise=("query", "key", "value", "out"),
    )


def autoencoder_in(shapes: Mapping[str, Shape], source: str) -> KeyMap:
    """The names of the autoencoder that a file holds."""
    return autoencoder(len(_numbers(r"encoder\.down\.(\d{1,4})\.", shapes)))


_QUERY_KEY_VALUE = ("attend.query", "attend.key", "attend.value")

_OPEN_CLIP = (
    ("token_embedding", "tokens"),
    ("positional_embedding", "positions.weight"),
    *under(
        "transformer.resblocks.{}",
        "layers.{}",
        (
            ("ln_1", "norm_attend"),
            *(
                (f"attn.in_proj_{kind}", Held(tuple(f"{name}.{kind}" for name in _QUERY_KEY_VALUE)))
                for kind in ("weight", "bias")
            ),
            ("attn.out_proj", "attend.out"),
            ("ln_2", "norm_feed"),
            ("mlp.c_fc", "widen"),
            ("mlp.c_proj", "narrow"),
        ),
    ),
    ("ln_final", "norm_out"),
)

OPEN_CLIP = KeyMap(  # XL's second tower
    pairs=(*_OPEN_CLIP, ("text_projection", Held(("project.weight",), "transposed"))),
    also=(("text_projection.weight", "project.weight"),),
    ignored=("logit_scale", "attn_mask"),
)

OPEN_CLIP_2 = KeyMap(  # 2.x's tower, whose context is that of the layer before the last
    pairs=_OPEN_CLIP,
    ignored=("transformer.resblocks.23", "text_projection", "logit_scale", "attn_mask"),
)
