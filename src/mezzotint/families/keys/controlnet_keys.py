"""What files call the tensors of a ControlNet: diffusers' names, and those of the original."""

from collections.abc import Mapping

from mezzotint.checkpoints.keymap import KeyMap, Pairs, Shape
from mezzotint.errors import InputError
from mezzotint.families.keys import sd_keys, sd_original
from mezzotint.models.controlnet import ONE

PREFIX = "control_model."  # of the original's names; some files have none
_HINT = f"hints.{ONE}"

_DIFFUSERS = (
    ("controlnet_cond_embedding.conv_in", f"{_HINT}.0"),
    *((f"controlnet_cond_embedding.blocks.{k}", f"{_HINT}.{2 * k + 2}") for k in range(6)),
    ("controlnet_cond_embedding.conv_out", f"{_HINT}.14"),
    ("controlnet_down_blocks.{}", "zeros.{}"),
    ("controlnet_mid_block", "zero_mid"),
)

_ORIGINAL = (
    ("input_hint_block.{}", _HINT + ".{}"),
    ("zero_convs.{}.0", "zeros.{}"),
    ("middle_block_out.0", "zero_mid"),
)


def diffusers(unet: KeyMap) -> KeyMap:
    """diffusers' names, by those of the U-Net that it is a copy of."""
    return _with_copy(_DIFFUSERS, unet)


def original(unet: KeyMap) -> KeyMap:
    """The original's names after the prefix, by those of the U-Net that it is a copy of."""
    return _with_copy(_ORIGINAL, unet)


def keys_in(shapes: Mapping[str, Shape], source: str) -> KeyMap:
    """The names of the ControlNet in a file of tensors with these names, without a prefix.

    Raises:
        InputError: there is none, or its blocks are numbered as no U-Net's are.
    """
    if "controlnet_cond_embedding.conv_in.weight" in shapes:
        pointwise = len(shapes.get("mid_block.attentions.0.proj_in.weight", ())) == 4
        return diffusers(sd_keys.UNET_POINTWISE if pointwise else sd_keys.UNET)
    if "input_hint_block.0.weight" in shapes:
        return original(sd_original.unet_in(shapes, source))
    raise InputError(f"{source} is no ControlNet of Stable Diffusion: no tensor of it reads a hint")


def _with_copy(own: Pairs, unet: KeyMap) -> KeyMap:
    half = tuple(
        (theirs, f"copy.{ours}")
        for theirs, ours in unet.pairs
        if isinstance(ours, str) and not ours.startswith(("up.", "norm_out", "conv_out"))
    )
    return KeyMap(half + own, pointwise=unet.pointwise)
