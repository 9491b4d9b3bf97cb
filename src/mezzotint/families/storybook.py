"""The family of the embedded model: small networks for pictures of the storybook world.

The shape is Stable Diffusion's (Rombach et al. 2022): an autoencoder of factor 8 with four
channels, a CLIP text tower, a U-Net with cross-attention. The cosine process and v-prediction
(Nichol & Dhariwal 2021; Salimans & Ho 2022) give every noise level a fair share of the training
even with times drawn uniformly. Normalisation has 16 channels or more a group, and attention only
where the latent is 8 × 8, because that is what a CPU is quick at.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from tokenizers import Tokenizer
from torch import Tensor, nn

from mezzotint.checkpoints.faults import refuse_any
from mezzotint.checkpoints.folder import load_complete, open_folder, write_manifest
from mezzotint.checkpoints.packed import save_packed
from mezzotint.diffusion import Process
from mezzotint.families.base import Family, Model, first_pooled
from mezzotint.families.keys import sd_keys
from mezzotint.families.text import Frame, Reads, TextEncoder, bare
from mezzotint.files import whole_folder, write_whole
from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams
from mezzotint.models.clip import CLIPText, CLIPTextParams, CLIPVisionParams, TowerParams
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.nn.init import unfilled
from mezzotint.specs import replaced

NETWORK, AUTOENCODER, TEXT = "unet.safetensors", "autoencoder.safetensors", "text.safetensors"
TOKENIZER, SIZES_FILE = "tokenizer.json", "sizes.json"
LATENT_MEAN, LATENT_STD = "latent_mean", "latent_std"  # beside the autoencoder's own weights

WIDTH = 256  # of the text tower, and so of the context that the U-Net attends to

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
    size=128,
    smallest=64,
    largest=256,
    multiple=8,
    steps=20,
    cfg=4.0,
    sampler="dpmpp_2m",
    spacing="karras",
    stops_short=False,
    shift=None,
    guidance=None,
)


@dataclass(frozen=True)
class Sizes:
    """What may differ between two models of this family; they are told by ``sizes.json``.

    Attributes:
        size: side of the pictures, in pixels.
    """

    size: int
    autoencoder: AutoencoderParams
    text: CLIPTextParams
    unet: UNetParams


SIZES = Sizes(
    size=128,
    autoencoder=AutoencoderParams(
        image_channels=3,
        latent_channels=4,
        patch=4,
        channels=(64, 128),
        blocks=2,
        mid_attention=False,
        latent_convs=False,
        groups=4,
    ),
    text=CLIPTextParams(
        tower=TowerParams(width=WIDTH, layers=4, heads=4, hidden=4 * WIDTH, activation="gelu"),
        vocabulary=1024,
        length=48,
        end_token=1,
        projection=WIDTH,
    ),
    unet=UNetParams(
        channels_in=4,
        channels_out=4,
        channels=(128, 192),
        blocks=2,
        depths=(0, 1),
        mid_depth=1,
        heads=(2, 3),
        context_width=WIDTH,
        y_width=WIDTH,
        groups=8,
        guided=False,
    ),
)

VISION = CLIPVisionParams(
    tower=TowerParams(width=WIDTH, layers=4, heads=4, hidden=4 * WIDTH, activation="gelu"),
    size=128,
    patch=16,
    projection=WIDTH,
)
"""The image tower of the family's CLIP."""


BEGIN = 0  # the token that begins a prompt


def load(path: Path) -> Model:
    """The model in a folder that ``save`` wrote, float32 on the CPU.

    Raises:
        InputError: the folder is not one of these, or a file is damaged or does not fit.
    """
    folder = open_folder(path)
    sizes = replaced(SIZES, folder.table(SIZES_FILE), str(path / SIZES_FILE))
    autoencoder = folder.weights(AUTOENCODER)
    scale = [name for name in (LATENT_MEAN, LATENT_STD) if name not in autoencoder]
    refuse_any(str(path / AUTOENCODER), {"missing": scale})
    moments = autoencoder.pop(LATENT_MEAN), autoencoder.pop(LATENT_STD)
    with unfilled():
        network, text = UNet(sizes.unet), CLIPText(sizes.text)
        decoder = Autoencoder(sizes.autoencoder)
    load_complete(network, folder.weights(NETWORK), str(path / NETWORK))
    load_complete(decoder, autoencoder, str(path / AUTOENCODER))
    load_complete(text, folder.weights(TEXT), str(path / TEXT))
    tokenizer = Tokenizer.from_str(folder.read(TOKENIZER).decode())
    model = together(network, decoder, text, tokenizer, moments, sizes.size)
    for module in model.modules.values():
        module.requires_grad_(False).eval()
    return replace(model, digest=folder.digest)


def together(
    network: UNet,
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
    return Model(
        family=replace(STORYBOOK, size=size),
        network=network,
        autoencoder=autoencoder,
        encoders=(encoder,),
        latent_mean=mean,
        latent_std=std,
        maps={"network": (sd_keys.UNET,), "text": (sd_keys.CLIP_TEXT,)},
        digest="",
    )


def save(model: Model, path: Path) -> None:
    """Write ``model`` to a new folder, its weights packed to 8 bits."""
    network, encoder = cast("UNet", model.network), model.encoders[0]
    text = cast("CLIPText", encoder.network)
    autoencoder = cast("Autoencoder", model.autoencoder)
    sizes = Sizes(model.family.size, autoencoder.params, text.params, network.params)
    with whole_folder(path) as folder:
        _save(folder / NETWORK, network)
        _save(folder / TEXT, text)
        scale = {LATENT_MEAN: model.latent_mean.flatten(), LATENT_STD: model.latent_std.flatten()}
        _save(folder / AUTOENCODER, autoencoder, scale)
        write_whole(folder / TOKENIZER, encoder.tokenizer.to_str().encode())
        write_whole(folder / SIZES_FILE, json.dumps(asdict(sizes), indent=2).encode() + b"\n")
        write_manifest(folder, STORYBOOK.name)


def _save(file: Path, network: nn.Module, extra: dict[str, Tensor] | None = None) -> None:
    save_packed(file, network.state_dict() | (extra or {}), {"family": STORYBOOK.name})
