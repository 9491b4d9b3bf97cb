"""The networks in one file, and where the original releases put them.

``parts`` reads from names and shapes alone which networks a file holds; ``places`` says where a
release puts them, to write such a file.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from torch import Tensor

from mezzotint.checkpoints.faults import refuse_any
from mezzotint.checkpoints.keymap import KeyMap, Shape
from mezzotint.errors import choose
from mezzotint.families.keys import (
    flux_keys,
    flux_original,
    sd3_keys,
    sd3_original,
    sd_keys,
    sd_original,
    t5_keys,
    taesd_keys,
    taesd_original,
)
from mezzotint.models.autoencoder import AutoencoderParams
from mezzotint.models.clip import CLIPTextParams
from mezzotint.models.flux import FluxParams
from mezzotint.models.mmdit import MMDiTParams
from mezzotint.models.t5 import T5Params
from mezzotint.models.unet import UNetParams

T = TypeVar("T")
Table = Mapping[str, Shape]
Kind = Literal["unet", "mmdit", "flux", "autoencoder", "tiny_autoencoder", "clip_text", "t5"]
Params = UNetParams | MMDiTParams | FluxParams | AutoencoderParams | CLIPTextParams | T5Params

_NETWORK = "model.diffusion_model."
_LDM = {"network": _NETWORK, "autoencoder": "first_stage_model."}
_CLIP_L, _CLIP_G, _T5 = (
    f"text_encoders.{name}.transformer." for name in ("clip_l", "clip_g", "t5xxl")
)
_OPEN_CLIP_2 = "cond_stage_model.model."

RELEASES: dict[str, dict[str, str]] = {  # what the names of each part begin with
    "sd1": {**_LDM, "text": "cond_stage_model.transformer."},
    "sd2": {**_LDM, "text": _OPEN_CLIP_2},
    "xl": {
        **_LDM,
        "text": "conditioner.embedders.0.transformer.",
        "text_2": "conditioner.embedders.1.model.",
    },
    "refiner": {**_LDM, "text": "conditioner.embedders.0.model."},
    "sd3": {**_LDM, "text": _CLIP_L, "text_2": _CLIP_G, "text_3": _T5},
    "flux": {"network": _NETWORK, "autoencoder": "vae.", "text": _CLIP_L, "text_2": _T5},
}

# beside the networks: the noise schedule, averages of the weights while they were trained, the
# temperatures of CLIPs, and notes that a network predicts v and a schedule ends in pure noise
_EXTRA = re.compile(
    r"(model_ema|denoiser)\..*|betas|logvar|lvlb_weights|(sqrt|log|alphas|posterior)_[a-z0-9_]*"
    r"|(cond_stage_model|conditioner\.embedders\.\d+|text_encoders\.\w+)\.logit_scale"
    r"|v_pred|ztsnr"
)


@dataclass(frozen=True)
class Place:
    """Where a file holds a network.

    Attributes:
        kind: of the network.
        prefix: what the names of its tensors begin with.
        keys: what they are called after the prefix.
    """

    kind: Kind
    prefix: str
    keys: KeyMap

    def of(self, file: Mapping[str, T]) -> dict[str, T]:
        """What a file holds of the network, by the names after the prefix."""
        start = len(self.prefix)
        names = (n for n in file if n.startswith(self.prefix) and not _EXTRA.fullmatch(n))
        return {name[start:]: file[name] for name in names}

    def file(self, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What a file holds of a network with this ``state_dict()``."""
        return {self.prefix + name: tensor for name, tensor in self.keys.to_theirs(ours).items()}


def parts(shapes: Table, source: str) -> dict[str, Place]:
    """The networks in a file of tensors with these names and shapes.

    They are called "network", "autoencoder", and "text", "text_2", "text_3" in the order in which
    their family reads them. A file of one network alone has no prefix, and its names may be
    diffusers' or transformers'. A file without any known network has no parts.

    Args:
        shapes: of all tensors in the file.
        source: what the file is called in an error.

    Raises:
        InputError: the file holds tensors beside the networks that nobody knows, or the blocks of
            its U-Net are numbered as in no other.
    """
    named, stray = survey(shapes, source)
    refuse_any(source, {"unexpected": stray})
    return named


def survey(shapes: Table, source: str) -> tuple[dict[str, Place], list[str]]:
    """The networks in a file as ``parts`` has them, and the tensors beside that nobody knows.

    Raises:
        InputError: the blocks of its U-Net are numbered as in no other.
    """
    prefixes = dict.fromkeys(prefix for names in RELEASES.values() for prefix in names.values())
    found = [place for prefix in prefixes if (place := _place(prefix, shapes, source))]
    found = found or [place for place in [_place("", shapes, source)] if place]
    known = (*(place.prefix for place in found),)
    stray = [n for n in shapes if not n.startswith(known) and not _EXTRA.fullmatch(n)]
    named: dict[str, Place] = {}
    for place in found:
        part = _part(place.kind, named)
        if part in named:
            stray += [n for n in shapes if n.startswith(place.prefix)]
        named.setdefault(part, place)
    return named, stray if found else []


def places(release: str, params: Mapping[str, Params]) -> dict[str, Place]:
    """Where a release puts parts of these sizes; ``params`` has them by the parts' names.

    Raises:
        InputError: there is no such release; they are the keys of ``RELEASES``.
    """
    prefixes = choose("release", release, RELEASES)
    return {part: _original(p, prefixes[part]) for part, p in params.items() if part in prefixes}


def _part(kind: Kind, named: Collection[str]) -> str:
    """What a network is called beside parts that are named already."""
    if kind not in ("clip_text", "t5"):
        return "autoencoder" if kind.endswith("autoencoder") else "network"
    texts = 1 + sum(name.startswith("text") for name in named)
    return "text" if texts == 1 else f"text_{texts}"


def _place(prefix: str, shapes: Table, source: str) -> Place | None:
    """The network below ``prefix``, by a tensor that only its kind has."""
    for mark, (kind, keys_in) in _MARKS.items():
        if prefix + mark in shapes:
            below = {n[len(prefix) :]: shapes[n] for n in shapes if n.startswith(prefix)}
            return Place(kind, prefix, _exact(prefix, keys_in(below, source)))
    return None


def _original(params: Params, prefix: str) -> Place:
    """The original names of a network of these sizes."""
    match params:
        case UNetParams():
            pointwise = set(params.heads) == {8}  # as in Stable Diffusion 1.x
            attends = [depth > 0 for depth in params.depths]
            return Place("unet", prefix, sd_original.unet(params.blocks, attends, pointwise))
        case AutoencoderParams():
            keys = sd_original.autoencoder(len(params.channels))
            return Place("autoencoder", prefix, keys)
        case MMDiTParams():
            return Place("mmdit", prefix, sd3_original.mmdit(params.blocks))
        case FluxParams():
            return Place("flux", prefix, flux_original.FLUX)
        case CLIPTextParams():
            keys = sd_original.OPEN_CLIP if prefix.endswith(".model.") else sd_keys.CLIP_TEXT
            return Place("clip_text", prefix, _exact(prefix, keys))
        case T5Params():
            return Place("t5", prefix, t5_keys.T5)


def _exact(prefix: str, keys: KeyMap) -> KeyMap:
    return sd_original.OPEN_CLIP_2 if prefix == _OPEN_CLIP_2 else keys


def _fixed(keys: KeyMap) -> Callable[[Table, str], KeyMap]:
    return lambda shapes, source: keys


def _diffusers_unet(shapes: Table, source: str) -> KeyMap:
    pointwise = len(shapes.get("mid_block.attentions.0.proj_in.weight", ())) == 4
    return sd_keys.UNET_POINTWISE if pointwise else sd_keys.UNET


# a tensor that only one kind of network has, by one kind of names
_MARKS: dict[str, tuple[Kind, Callable[[Table, str], KeyMap]]] = {
    "output_blocks.0.0.in_layers.0.weight": ("unet", sd_original.unet_in),
    "up_blocks.0.resnets.0.time_emb_proj.weight": ("unet", _diffusers_unet),
    "joint_blocks.0.x_block.attn.qkv.weight": ("mmdit", sd3_original.mmdit_in),
    "pos_embed.pos_embed": ("mmdit", _fixed(sd3_keys.MMDIT)),
    "double_blocks.0.img_attn.qkv.weight": ("flux", _fixed(flux_original.FLUX)),
    "single_transformer_blocks.0.proj_mlp.weight": ("flux", _fixed(flux_keys.FLUX)),
    "encoder.down.0.block.0.norm1.weight": ("autoencoder", sd_original.autoencoder_in),
    "encoder.down_blocks.0.resnets.0.norm1.weight": ("autoencoder", _fixed(sd_keys.AUTOENCODER)),
    "encoder.1.conv.0.weight": ("tiny_autoencoder", _fixed(taesd_original.TAESD)),
    "encoder.layers.1.conv.0.weight": ("tiny_autoencoder", _fixed(taesd_keys.TAESD)),
    "text_model.embeddings.token_embedding.weight": ("clip_text", _fixed(sd_keys.CLIP_TEXT)),
    "embeddings.token_embedding.weight": ("clip_text", _fixed(sd_keys.CLIP_TEXT)),
    "token_embedding.weight": ("clip_text", _fixed(sd_original.OPEN_CLIP)),
    "encoder.block.0.layer.0.SelfAttention.q.weight": ("t5", _fixed(t5_keys.T5)),
    "enc.blk.0.attn_q.weight": ("t5", _fixed(t5_keys.LLAMA)),
}
