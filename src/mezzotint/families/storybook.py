"""The family of the embedded model: small networks for pictures of the storybook world.

The shape is Stable Diffusion's (Rombach et al. 2022): an autoencoder of factor 8 with four
channels, a CLIP text tower, and one or two denoisers that both attend to it, of which one is the
default. The U-Net has the cosine process and v-prediction (Nichol & Dhariwal 2021; Salimans & Ho
2022), the transformer rectified flow (Liu et al. 2022). In the U-Net normalisation has 16 channels
or more a group, because that is what a CPU is quick at.

A folder holds more than one model to draw with, its *variants*: each of its denoisers, and the
default with a LoRA that lets it draw in fewer steps, or without guidance. Another LoRA makes of the
U-Net one that does to a picture what the prompt says: it has the channels for that picture as well.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import cast

from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import pad

from mezzotint.checkpoints.faults import refuse_any
from mezzotint.checkpoints.folder import WeightsFolder, load_complete, open_folder, write_manifest
from mezzotint.checkpoints.packed import save_packed
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.diffusion import Process
from mezzotint.errors import InputError, choose
from mezzotint.families import editing
from mezzotint.families.base import Family, Model, first_pooled
from mezzotint.families.keys import sd_keys
from mezzotint.families.sizes.storybook_presets import SIZES, Denoiser, Sizes
from mezzotint.families.text import Frame, Reads, TextEncoder, bare
from mezzotint.files import whole_folder, write_whole
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText, CLIPVision
from mezzotint.models.dit import DiT, DiTParams
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.nn.init import unfilled
from mezzotint.specs import replaced

AUTOENCODER, TEXT = "autoencoder.safetensors", "text.safetensors"
VISION_FILE = "vision.safetensors"
TOKENIZER, SIZES_FILE = "tokenizer.json", "sizes.json"
NETWORKS: dict[Denoiser, str] = {"unet": "unet.safetensors", "flow": "flow.safetensors"}
INSTRUCT = "instruct"
LORAS = {
    "student": "student.safetensors",
    "folded": "folded.safetensors",
    INSTRUCT: "instruct.safetensors",
}
VARIANTS = (*NETWORKS, *LORAS)
FIRST = "conv_in.weight"  # of the U-Net
LATENT_MEAN, LATENT_STD = "latent_mean", "latent_std"  # beside the autoencoder's own weights

BEGIN = 0  # the token that begins a prompt

STORYBOOK = Family(
    name="storybook",
    release="",
    process=Process.cosine(),
    prediction="v",
    time_scale=1000.0,
    latent_mean=0.0,
    latent_std=1.0,  # a model's own are beside its weights
    reads=(Reads(length=46, repeats=False, skip=1, normed=True),),
    join=first_pooled,
    zero_blank=False,
    size=256,
    smallest=128,
    largest=512,
    multiple=8,
    steps=20,
    cfg=4.0,
    sampler="dpmpp_2m",
    spacing="karras",
    stops_short=False,
    shift=None,
    guidance=None,
)
"""The family with the U-Net; patches make its ``multiple`` larger."""

FLOW = replace(STORYBOOK, process=Process.flow(), prediction="flow", spacing="trailing")
"""The family with the transformer."""

_LORA_DEFAULTS = {  # where a LoRA's own metadata do not say otherwise
    "student": {"steps": "4", "cfg": "1", "sampler": "ddim", "spacing": "trailing"},
    "folded": {"cfg": "1"},
    INSTRUCT: {},
}


def _seen(model: Model, images: Tensor, masks: Tensor | None) -> Tensor:
    return model.encode_images(images)


INSTRUCTION = replace(editing.INSTRUCTION, channels=_seen, image_cfg=1.0, keeps=0.4)
"""Edits by instruction, told the picture by latents of zero mean and unit variance.

Published checkpoints have it as the autoencoder makes it. Ours has moments of its own: scaled by
them, a picture beside is as large as the one that is drawn, and none, zeros, is the mean of all.
"""

VISION = SIZES.vision
"""The image tower of the family's CLIP."""


def kind_of(params: UNetParams | DiTParams) -> Denoiser:
    """Which of the denoisers has sizes like these."""
    return "unet" if isinstance(params, UNetParams) else "flow"


def family_of(params: UNetParams | DiTParams) -> Family:
    """The family with a denoiser of these sizes."""
    family = FLOW if isinstance(params, DiTParams) else STORYBOOK
    return replace(family, multiple=family.multiple * params.patch)


def denoiser_of(params: UNetParams | DiTParams) -> UNet | DiT:
    """A denoiser of these sizes."""
    return UNet(params) if isinstance(params, UNetParams) else DiT(params)


def variants(path: Path) -> list[str]:
    """The names of what the folder ``path`` has to draw with, the default's first.

    Raises:
        InputError: the folder is not one of these.
    """
    folder = open_folder(path)
    return _variants(folder, _sizes(folder))


def load(path: Path, variant: str = "") -> Model:
    """The model in a folder that ``save`` wrote, float32 on the CPU.

    Args:
        path: of the folder.
        variant: one of ``variants``; the default if empty. The LoRA of one that has any is
            ``path / LORAS[variant]``, and is still to be injected.

    Raises:
        InputError: the folder is not one of these, it has no such variant, or a file is damaged or
            does not fit.
    """
    folder = open_folder(path)
    sizes = _sizes(folder)
    name = variant or sizes.default
    if variant:
        choose(f"variant of {path}", variant, dict.fromkeys(_variants(folder, sizes)))
    kind = "unet" if name == INSTRUCT else sizes.default if name in LORAS else name
    kind = cast("Denoiser", kind)
    file = NETWORKS[kind]
    autoencoder = folder.weights(AUTOENCODER)
    scale = [name for name in (LATENT_MEAN, LATENT_STD) if name not in autoencoder]
    refuse_any(str(path / AUTOENCODER), {"missing": scale})
    moments = autoencoder.pop(LATENT_MEAN), autoencoder.pop(LATENT_STD)
    weights, unet = folder.weights(file), sizes.unet
    if name == INSTRUCT:
        weights[FIRST], unet = widened(weights[FIRST]), instructed(unet)
    with unfilled():
        network = denoiser_of(unet if kind == "unet" else sizes.flow)
        decoder, text = Autoencoder(sizes.autoencoder), CLIPText(sizes.text)
    load_complete(network, weights, str(path / file))
    load_complete(decoder, autoencoder, str(path / AUTOENCODER))
    load_complete(text, folder.weights(TEXT), str(path / TEXT))
    tokenizer = Tokenizer.from_str(folder.read(TOKENIZER).decode())
    model = together(network, decoder, text, tokenizer, moments, sizes.size)
    for module in model.modules.values():
        module.requires_grad_(False).eval()
    used = [file, AUTOENCODER, TEXT, TOKENIZER, SIZES_FILE]
    if name in LORAS:
        used.append(LORAS[name])
        family = obeying(model.family) if name == INSTRUCT else model.family
        model = replace(model, family=_with_lora(family, folder, name))
    return replace(model, digest=_digest(folder, used))


def obeying(family: Family) -> Family:
    """The family with a U-Net that does to a picture what the prompt says."""
    told = editing.instructed(family)
    return replace(told, cfg=1.5, sampler="euler_ancestral", beside=INSTRUCTION)


def instructed(unet: UNetParams) -> UNetParams:
    """The sizes of a U-Net with the channels of a picture besides."""
    return replace(unet, channels_in=2 * unet.channels_in)


def widened(weight: Tensor) -> Tensor:
    """The kernels (c, n, h, w) of a first layer for as many channels more, zero: (c, 2·n, h, w)."""
    return pad(weight, (0, 0, 0, 0, 0, weight.shape[1]))


def read_vision(path: Path) -> CLIPVision:
    """The image tower in a folder that ``save`` wrote, float32 on the CPU.

    Raises:
        InputError: the folder is not one of these, it has no image tower, or a file is damaged.
    """
    folder = open_folder(path)
    sizes = folder.table(SIZES_FILE).get("vision")
    if VISION_FILE not in folder.hashes or not isinstance(sizes, dict):
        raise InputError(
            f"{path} has no image tower: give the folder of a model with {VISION_FILE}"
        )
    params = replaced(VISION, cast("dict[str, object]", sizes), str(path / SIZES_FILE))
    with unfilled():
        tower = CLIPVision(params)
    load_complete(tower, folder.weights(VISION_FILE), str(path / VISION_FILE))
    return tower.requires_grad_(False).eval()


def together(
    network: UNet | DiT,
    autoencoder: Autoencoder,
    text: CLIPText,
    tokenizer: Tokenizer,
    moments: tuple[Tensor, Tensor],
    size: int,
) -> Model:
    """A model of these parts.

    Args:
        network: its context and its vector are as wide as the text tower's.
        autoencoder: any.
        text: the tower.
        tokenizer: the vocabulary is the tower's.
        moments: mean and standard deviation of the latents, c numbers each.
        size: side of the pictures that it was trained on.
    """
    end, length = text.params.end_token, text.params.length - 2
    reads = STORYBOOK.reads[0]
    frame = Frame(BEGIN, end, pad=end, comma=None, length=length, repeats=reads.repeats)
    encoder = TextEncoder(text, bare(tokenizer), frame, reads.skip, reads.normed)
    mean, std = (moment.view(1, -1, 1, 1) for moment in moments)
    family = family_of(network.params)
    names = {"network": (sd_keys.UNET,)} if isinstance(network, UNet) else {}
    return Model(
        family=replace(family, size=size, smallest=size // 2, largest=2 * size),
        network=network,
        autoencoder=autoencoder,
        encoders=(encoder,),
        latent_mean=mean,
        latent_std=std,
        maps={**names, "text": (sd_keys.CLIP_TEXT,)},
        digest="",
    )


def save(
    model: Model,
    path: Path,
    other: UNet | DiT | None = None,
    vision: CLIPVision | None = None,
    loras: Mapping[str, Path] | None = None,
) -> None:
    """Write a model to a new folder, its weights packed to 8 bits.

    Args:
        model: its network is the default.
        path: of the folder.
        other: the denoiser of the other kind, of the same latents and the same text tower.
        vision: the image tower that scores pictures.
        loras: files for variants of the default, by the names in ``LORAS``.
    """
    network, encoder = cast("UNet | DiT", model.network), model.encoders[0]
    text, autoencoder = cast("CLIPText", encoder.network), cast("Autoencoder", model.autoencoder)
    both = (network,) if other is None else (network, other)
    denoisers = {kind_of(each.params): each for each in both}
    parts = {"autoencoder": autoencoder, "text": text, **denoisers}
    parts |= {} if vision is None else {"vision": vision}
    sizes = {name: asdict(part.params) for name, part in parts.items()}
    scale = {LATENT_MEAN: model.latent_mean.flatten(), LATENT_STD: model.latent_std.flatten()}
    head = {"size": model.family.size, "default": kind_of(network.params)}
    with whole_folder(path) as folder:
        for name, part in parts.items():
            weights = part.state_dict() | (scale if part is autoencoder else {})
            save_packed(folder / f"{name}.safetensors", weights, {"family": STORYBOOK.name})
        for name, file in (loras or {}).items():
            tensors = open_tensors(file)
            save_packed(folder / LORAS[name], dict(tensors), dict(tensors.metadata))
        write_whole(folder / TOKENIZER, encoder.tokenizer.to_str().encode())
        write_whole(folder / SIZES_FILE, json.dumps(head | sizes, indent=2).encode() + b"\n")
        write_manifest(folder, STORYBOOK.name)


def _sizes(folder: WeightsFolder) -> Sizes:
    """What a folder says; a field that it was written before is as it was then, its default."""
    new = {field.name: field.default for field in fields(UNetParams) if field.default != MISSING}
    like = replace(SIZES, unet=replace(SIZES.unet, **new))
    return replaced(like, folder.table(SIZES_FILE), str(folder.path / SIZES_FILE))


def _variants(folder: WeightsFolder, sizes: Sizes) -> list[str]:
    files = {**NETWORKS, **LORAS}
    names = sorted(VARIANTS, key=lambda name: name != sizes.default)
    return [name for name in names if files[name] in folder.hashes]


def _with_lora(family: Family, folder: WeightsFolder, variant: str) -> Family:
    """The family, to be drawn with as a LoRA's metadata say it was made for."""
    folder.read(LORAS[variant])  # whether it is whole
    told = _LORA_DEFAULTS[variant] | dict(open_tensors(folder.path / LORAS[variant]).metadata)
    return replace(
        family,
        steps=int(told.get("steps", family.steps)),
        cfg=float(told.get("cfg", family.cfg)),
        sampler=told.get("sampler", family.sampler),
        spacing=told.get("spacing", family.spacing),
    )


def _digest(folder: WeightsFolder, names: Sequence[str]) -> str:
    """What stands for these files together."""
    return replace(folder, hashes={name: folder.hashes[name] for name in names}).digest
