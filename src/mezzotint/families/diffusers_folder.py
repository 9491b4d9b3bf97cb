"""A model out of a folder as diffusers saves it: a network a folder, each with its config.json."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from torch import nn

from mezzotint.checkpoints.diffusers_folder import MODEL_INDEX, components, weights_file
from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.table import read_table
from mezzotint.checkpoints.tokenizers import TextTokenizer, clip_tokenizer, t5_tokenizer
from mezzotint.errors import InputError
from mezzotint.families import configs, sd_keys
from mezzotint.families.assemble import assemble, encoder, filled
from mezzotint.families.base import Family, Model, text_name
from mezzotint.families.flux_keys import FLUX
from mezzotint.families.original import places
from mezzotint.families.recognise import recognise
from mezzotint.families.schedulers import scheduled
from mezzotint.families.sd3_keys import MMDIT
from mezzotint.families.t5_keys import T5
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText
from mezzotint.models.flux import Flux
from mezzotint.models.mmdit import MMDiT
from mezzotint.models.t5 import T5Encoder
from mezzotint.models.unet import UNet

Config = Mapping[str, Any]

NETWORKS = ("unet", "transformer")
TEXTS = ("text_encoder", "text_encoder_2", "text_encoder_3")


@dataclass(frozen=True)
class Found:
    """A network of the folder, its sizes, and what its file calls its tensors."""

    module: nn.Module
    params: Any
    keys: KeyMap


def load(path: Path) -> Model:
    """The model in ``path``, in the dtype that it is stored in, its weights mapped.

    Raises:
        InputError: a part is missing, damaged, or of another architecture than we have.
    """
    have = components(path)
    name = next((name for name in NETWORKS if name in have), None)
    if name is None:
        raise InputError(f"{path} has neither a unet nor a transformer: it cannot draw")
    tokenizers = [_tokenizer(path, text) for text in TEXTS if text in have]
    texts = [
        _text(path / text, tokenizer)
        for text, tokenizer in zip((t for t in TEXTS if t in have), tokenizers, strict=True)
    ]
    network, autoencoder = _network(path / name), _autoencoder(path / "vae")
    family = recognise(network.params, [text.params for text in texts], str(path))
    family = as_told(family, path)
    encoders = [
        encoder(cast("CLIPText | T5Encoder", text.module), tokenizer, reads)
        for text, tokenizer, reads in zip(texts, tokenizers, family.reads, strict=True)
    ]
    found = {"network": network, "autoencoder": autoencoder}
    found |= {text_name(k): text for k, text in enumerate(texts)}
    originals = places(family.release, {name: part.params for name, part in found.items()})
    maps = {name: (part.keys, originals[name].keys) for name, part in found.items()}
    return assemble(family, network.module, cast("Autoencoder", autoencoder.module), encoders, maps)


def _network(folder: Path) -> Found:
    config = _config(folder)
    if "joint_attention_dim" not in config:
        pointwise = not config.get("use_linear_projection")
        keys = sd_keys.UNET_POINTWISE if pointwise else sd_keys.UNET
        return _filled(folder, UNet, configs.unet, keys)
    if "num_single_layers" in config:
        return _filled(folder, Flux, configs.flux, FLUX)
    return _filled(folder, MMDiT, configs.mmdit, MMDIT)


def _autoencoder(folder: Path) -> Found:
    return _filled(folder, Autoencoder, configs.autoencoder, sd_keys.AUTOENCODER)


def _text(folder: Path, tokenizer: TextTokenizer) -> Found:
    if "d_model" in _config(folder):
        return _filled(folder, T5Encoder, configs.t5, T5)
    projects = "text_projection.weight" in open_tensors(weights_file(folder))
    params = partial(configs.clip_text, end_token=tokenizer.end, projects=projects)
    return _filled(folder, CLIPText, params, sd_keys.CLIP_TEXT)


def _tokenizer(path: Path, text: str) -> TextTokenizer:
    folder = path / text.replace("text_encoder", "tokenizer")
    return (t5_tokenizer if "d_model" in _config(path / text) else clip_tokenizer)(folder)


def _filled(
    folder: Path,
    network: Callable[[Any], nn.Module],
    sizes: Callable[[Config], Any],
    keys: KeyMap,
) -> Found:
    """A network of the sizes that its config.json tells, with the weights beside it."""
    config, source = _config(folder), str(folder)
    try:
        params = sizes(config)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder}: its config.json lacks or garbles {error}") from error
    tensors = open_tensors(weights_file(folder))
    return Found(filled(lambda: network(params), keys, tensors, source), params, keys)


def as_told(family: Family, path: Path) -> Family:
    """The family with what a folder says of itself."""
    vae = _config(path / "vae")
    scheduler = path / "scheduler" / "scheduler_config.json"
    if scheduler.exists():
        family = scheduled(family, read_table(scheduler), str(scheduler))
    mean, scale = vae.get("shift_factor") or 0.0, vae.get("scaling_factor", 1 / family.latent_std)
    index: Config = read_table(path / MODEL_INDEX)
    zero_blank = index.get("force_zeros_for_empty_prompt", family.zero_blank)
    return replace(family, latent_mean=mean, latent_std=1 / scale, zero_blank=zero_blank)


def _config(folder: Path) -> Config:
    return read_table(folder / "config.json")
