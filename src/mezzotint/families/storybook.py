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

from tokenizers import Tokenizer
from torch import Tensor, nn

from mezzotint.checkpoints.faults import refuse_any
from mezzotint.checkpoints.folder import load_complete, open_folder, write_manifest
from mezzotint.checkpoints.packed import save_packed
from mezzotint.diffusion import Process
from mezzotint.families.base import Family, Model
from mezzotint.files import whole_folder, write_whole
from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams
from mezzotint.models.clip import CLIPText, CLIPTextParams, CLIPVisionParams, TowerParams
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.nn.init import unfilled
from mezzotint.specs import replaced

NETWORK, AUTOENCODER, TEXT = "unet.safetensors", "autoencoder.safetensors", "text.safetensors"
TOKENIZER, SIZES = "tokenizer.json", "sizes.json"
LATENT_MEAN, LATENT_STD = "latent_mean", "latent_std"  # beside the autoencoder's own weights

WIDTH = 256  # of the text tower, and so of the context that the U-Net attends to

STORYBOOK = Family(
    name="storybook",
    process=Process.cosine(),
    prediction="v",
    time_scale=1000.0,
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
    text_skip=1,
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
    ),
    size=128,
    smallest=64,
    largest=256,
    steps=20,
    cfg=4.0,
    sampler="dpmpp_2m",
    spacing="linspace",
)

VISION = CLIPVisionParams(
    tower=TowerParams(width=WIDTH, layers=4, heads=4, hidden=4 * WIDTH, activation="gelu"),
    size=128,
    patch=16,
    projection=WIDTH,
)
"""The image tower of the family's CLIP."""


@dataclass(frozen=True)
class Sizes:
    """What may differ between two models of this family; they are told by ``sizes.json``."""

    size: int
    autoencoder: AutoencoderParams
    text: CLIPTextParams
    unet: UNetParams


def load(path: Path) -> Model:
    """The model in a folder that ``save`` wrote, float32 on the CPU.

    Raises:
        InputError: the folder is not one of these, or a file is damaged or does not fit.
    """
    folder = open_folder(path)
    sizes = replaced(_sizes(STORYBOOK), folder.table(SIZES), str(path / SIZES))
    family = replace(STORYBOOK, **vars(sizes))
    autoencoder = folder.weights(AUTOENCODER)
    scale = [name for name in (LATENT_MEAN, LATENT_STD) if name not in autoencoder]
    refuse_any(str(path / AUTOENCODER), {"missing": scale})
    mean, std = autoencoder.pop(LATENT_MEAN), autoencoder.pop(LATENT_STD)
    with unfilled():
        networks = UNet(family.unet), Autoencoder(family.autoencoder), CLIPText(family.text)
    states = folder.weights(NETWORK), autoencoder, folder.weights(TEXT)
    for network, state, name in zip(networks, states, (NETWORK, AUTOENCODER, TEXT), strict=True):
        load_complete(network, state, str(path / name))
        network.requires_grad_(False).eval()
    return Model(
        family=family,
        network=networks[0],
        autoencoder=networks[1],
        text=networks[2],
        tokenizer=Tokenizer.from_str(folder.read(TOKENIZER).decode()),
        latent_mean=mean.view(1, -1, 1, 1),
        latent_std=std.view(1, -1, 1, 1),
        digest=folder.digest,
    )


def save(model: Model, path: Path) -> None:
    """Write ``model`` to a new folder, its weights packed to 8 bits."""
    with whole_folder(path) as folder:
        _save(folder / NETWORK, model.network)
        _save(folder / TEXT, model.text)
        scale = {LATENT_MEAN: model.latent_mean.flatten(), LATENT_STD: model.latent_std.flatten()}
        _save(folder / AUTOENCODER, model.autoencoder, scale)
        write_whole(folder / TOKENIZER, model.tokenizer.to_str().encode())
        sizes = json.dumps(asdict(_sizes(model.family)), indent=2)
        write_whole(folder / SIZES, sizes.encode() + b"\n")
        write_manifest(folder, STORYBOOK.name)


def _sizes(family: Family) -> Sizes:
    return Sizes(family.size, family.autoencoder, family.text, family.unet)


def _save(file: Path, network: nn.Module, extra: dict[str, Tensor] | None = None) -> None:
    save_packed(file, network.state_dict() | (extra or {}), {"family": STORYBOOK.name})
