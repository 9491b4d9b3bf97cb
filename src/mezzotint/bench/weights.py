"""A model at random weights as diffusers saves it, and what a step of it has to compute.

Runs in a process of its own, `python -m mezzotint.bench.weights SHAPE whole|reduced [FOLDER]`, and
prints the FLOPs of a step and of decoding; with a folder it writes the model there as well. The
weights are scaled so that every layer keeps the width of what it is given, and what comes out is
about as wide as the noise that a denoiser predicts, and as a picture.
"""

import json
import math
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mezzotint import weights
from mezzotint.bench.shapes import SHAPES, Shape
from mezzotint.checkpoints.tensors import Stored, Tensors
from mezzotint.checkpoints.tokenizers import BEGIN, CLIP_SIZE, END
from mezzotint.checkpoints.write_tokenizers import write_json
from mezzotint.diffusion.noise import source
from mezzotint.families import storybook
from mezzotint.families.base import Family, text_name
from mezzotint.families.files.found import NETWORKS, Found
from mezzotint.families.files.write_folder import write_folder
from mezzotint.families.flux import FLUX_DEV
from mezzotint.families.keys.original import Kind, Place
from mezzotint.families.keys.published import Params, published
from mezzotint.families.sizes import flux_presets, sd3_presets, sd_presets
from mezzotint.families.stable_diffusion import SD1, SDXL
from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams
from mezzotint.models.clip import CLIPText, CLIPTextParams
from mezzotint.models.dit import DiT, DiTParams
from mezzotint.models.flux import FluxParams
from mezzotint.models.t5 import T5Params
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.nn.init import unfilled

SEED = 1
WORDS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Parts:
    """The sizes of a model's networks, and the family that they are of."""

    family: Family
    network: UNetParams | FluxParams | DiTParams
    autoencoder: AutoencoderParams
    texts: tuple[CLIPTextParams | T5Params, ...]

    @property
    def tokens(self) -> int:
        """Tokens of the prompt that the network is told."""
        return self.family.reads[-1].length + (1 if isinstance(self.texts[-1], T5Params) else 2)


@dataclass(frozen=True)
class Work:
    """FLOPs of one evaluation of a network: of its convolutions, and of everything else."""

    convolutions: float
    products: float


def parts(name: str, whole: bool) -> Parts:
    """The sizes of a shape, with all of its blocks or with few."""
    euler = replace(SD1, sampler="euler")  # one evaluation a step, which PNDM's first one is not
    match name:
        case "storybook":
            return _embedded()
        case "sd15":
            texts = (sd_presets.VIT_L_TEXT,)
            return Parts(euler, sd_presets.SD15_UNET, sd_presets.AUTOENCODER, texts)
        case "sdxl":
            unet, second = sd_presets.SDXL_UNET, sd_presets.VIT_BIGG_TEXT
            if not whole:
                unet = replace(unet, depths=(0, 1, 2), mid_depth=2)
                second = replace(second, tower=replace(second.tower, layers=4))
            return Parts(SDXL, unet, sd_presets.AUTOENCODER, (sd_presets.VIT_L_TEXT, second))
        case "flux":
            network, t5 = flux_presets.FLUX_DEV, sd3_presets.T5_XXL
            if not whole:
                network = replace(network, joint_blocks=2, single_blocks=4)
                t5 = replace(t5, layers=2)
            texts = (sd_presets.VIT_L_TEXT, t5)
            return Parts(FLUX_DEV, network, sd3_presets.AUTOENCODER, texts)
        case _:
            return Parts(euler, *_tiny())


def _embedded() -> Parts:
    """What the weights that come with this package are of."""
    model = storybook.load(Path(weights.__path__[0]))
    text, *_ = model.encoders
    network, read = cast("UNet | DiT", model.network), cast("CLIPText", text.network)
    decoder = cast("Autoencoder", model.autoencoder)
    return Parts(model.family, network.params, decoder.params, (read.params,))


def _tiny() -> tuple[UNetParams, AutoencoderParams, tuple[CLIPTextParams]]:
    text = sd_presets.VIT_L_TEXT
    unet = replace(
        sd_presets.SD15_UNET,
        channels=(256, 256),  # heads of less than 32 channels are too narrow for some kernels
        blocks=1,
        depths=(1, 0),
        heads=(8, 8),
        context_width=64,
    )
    autoencoder = replace(sd_presets.AUTOENCODER, channels=(32, 32, 32, 32), blocks=1)
    return (
        unet,
        autoencoder,
        (replace(text, tower=replace(text.tower, width=64, layers=1, heads=1, hidden=64)),),
    )


def step_work(shape: Shape, of: Parts) -> Work:
    """What a step computes: the network under both prompts where it is guided by them."""
    rows, side = 1 + shape.guided, shape.size // of.autoencoder.factor
    p = of.network

    def step() -> Callable[[], object]:
        network = _denoiser(p)
        latents = torch.empty(rows, of.autoencoder.latent_channels, side, side)
        context = torch.empty(rows, of.tokens, p.context_width)
        vector = torch.empty(rows, p.y_width) if p.y_width else None
        told = (torch.empty(rows),) if getattr(p, "guided", False) else ()
        return lambda: network(latents, torch.empty(rows), context, vector, *told)

    return counted(step)


def decode_work(shape: Shape, of: Parts) -> Work:
    """What decoding a picture computes."""
    side, channels = shape.size // of.autoencoder.factor, of.autoencoder.latent_channels

    def decode() -> Callable[[], object]:
        network, latents = Autoencoder(of.autoencoder), torch.empty(1, channels, side, side)
        return lambda: network.decode(latents)

    return counted(decode)


def counted(made: Callable[[], Callable[[], object]]) -> Work:
    """Count what is computed, over tensors without data; norms and sums are not counted.

    Args:
        made: makes the networks and their inputs, and gives what runs them.
    """
    plain = sdpa_kernel(SDPBackend.MATH)  # the counter does not know the CPU's fused attention
    with FakeTensorMode(), torch.no_grad(), plain:
        run = made()
        with FlopCounterMode(display=False) as counter:
            run()
    by_kind = {str(kind): n for kind, n in counter.get_flop_counts()["Global"].items()}
    convolutions = sum(n for kind, n in by_kind.items() if "convolution" in kind)
    return Work(convolutions, sum(by_kind.values()) - convolutions)


def write_model(folder: Path, shape: Shape, of: Parts) -> None:
    """Write the model into ``folder/model``, and the noise that it begins with as `noise.npy`."""
    words = folder / "words"
    _write_clip_words(words / "tokenizer")
    _write_t5_words(words / "tokenizer_2")
    sizes: dict[str, Params] = {"autoencoder": of.autoencoder}
    if not isinstance(of.network, DiTParams):
        sizes["network"] = of.network
    sizes |= {text_name(k): text for k, text in enumerate(of.texts)}
    found = {name: _found(params, words / "file") for name, params in sizes.items()}
    model = folder / "model"
    model.mkdir()
    write_folder(model, of.family, found, {name: each.tensors for name, each in found.items()})
    side, channels = shape.size // of.autoencoder.factor, of.autoencoder.latent_channels
    noise = source("diffusers", SEED)(torch.empty(1, channels, side, side))
    np.save(folder / "noise.npy", noise.numpy())


def _denoiser(params: UNetParams | FluxParams | DiTParams) -> nn.Module:
    if isinstance(params, DiTParams):
        return DiT(params)
    return NETWORKS[_kind(params)](params)


def _found(params: Params, file: Path) -> Found:
    kind, keys = _kind(params), published(params)
    with unfilled():
        ours = NETWORKS[kind](params).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in keys.to_theirs(ours).items()}
    stored = {n: Stored("BF16", s, partial(_random, n, s)) for n, s in shapes.items()}
    return Found(file, Tensors(stored, {}, "random"), Place(kind, "", keys), params)


def _kind(params: Params) -> Kind:
    kinds: Mapping[type, Kind] = {
        UNetParams: "unet",
        FluxParams: "flux",
        AutoencoderParams: "autoencoder",
        CLIPTextParams: "clip_text",
        T5Params: "t5",
    }
    return kinds[type(params)]


def _random(name: str, shape: tuple[int, ...]) -> Tensor:
    """Matrices and kernels that keep the width of their input; scales of 1, offsets of 0."""
    if len(shape) < 2:
        return torch.full(shape, float(not name.endswith("bias")), dtype=torch.bfloat16)
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    spread = 1 / math.sqrt(math.prod(shape[1:]))
    return torch.empty(shape, dtype=torch.bfloat16).normal_(0, spread, generator=generator)


def _write_clip_words(folder: Path) -> None:
    """A vocabulary of CLIP's size, in which every prompt falls into letters."""
    letters = pre_tokenizers.ByteLevel.alphabet()
    known = [*sorted(letters), *(f"{letter}</w>" for letter in sorted(letters))]
    rest = [f"#{n}</w>" for n in range(CLIP_SIZE - len(known) - 2)]
    folder.mkdir(parents=True)
    write_json(folder / "vocab.json", {t: i for i, t in enumerate([*known, *rest, BEGIN, END])})
    (folder / "merges.txt").write_text("#version: 0.2\n")


def _write_t5_words(folder: Path) -> None:
    """A vocabulary of T5's size, in which every prompt falls into letters."""
    known = ["<pad>", "</s>", "<unk>", "▁", *WORDS]
    rest = [f"▁#{n}" for n in range(32_000 - len(known))]
    scores = [(piece, -float(i > 2) * (2 + i / 1e5)) for i, piece in enumerate([*known, *rest])]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=2, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def main() -> None:
    """Write what the command line asks for, and print the work."""
    name, size, *folders = sys.argv[1:]
    shape, of = SHAPES[name], parts(name, size == "whole")
    for folder in folders:
        if not shape.embedded:
            write_model(Path(folder), shape, of)
    works = {"step": step_work(shape, of), "decode": decode_work(shape, of)}
    print(json.dumps({name: asdict(work) for name, work in works.items()}))


if __name__ == "__main__":
    main()
