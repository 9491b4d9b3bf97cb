"""A model out of a folder as diffusers saves it: a network a folder, each with its config.json."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from mezzotint.checkpoints.diffusers_folder import MODEL_INDEX, components
from mezzotint.checkpoints.table import read_table
from mezzotint.checkpoints.tokenizers import TextTokenizer, clip_tokenizer, t5_tokenizer
from mezzotint.families.base import Family, Model
from mezzotint.families.files.assemble import built
from mezzotint.families.files.found import COMPONENTS, Found, in_folder
from mezzotint.families.files.schedulers import scheduled
from mezzotint.families.recognise import recognise
from mezzotint.models.clip import CLIPTextParams


def load(path: Path) -> Model:
    """The model in ``path``, in the dtype that it is stored in, its weights mapped.

    Raises:
        InputError: a part is missing, damaged, or of another architecture than we have.
    """
    found = in_folder(path)
    texts = [name for name in found if name.startswith("text")]
    folders = [name for name in COMPONENTS["text"] if name in components(path)]
    tokenizers = [
        _tokenizer(path / folder.replace("text_encoder", "tokenizer"), found[text])
        for folder, text in zip(folders, texts, strict=True)
    ]
    for text, tokenizer in zip(texts, tokenizers, strict=True):
        found[text] = _ending(found[text], tokenizer)
    params = [found[text].params for text in texts]
    family = as_told(recognise(found["network"].params, params, str(path)), path)
    return built(family, found, tokenizers)


def as_told(family: Family, path: Path) -> Family:
    """The family with what a folder says of itself."""
    vae, index = (
        cast("Mapping[str, Any]", read_table(path / name))
        for name in (Path("vae", "config.json"), MODEL_INDEX)
    )
    scheduler = path / "scheduler" / "scheduler_config.json"
    if scheduler.exists():
        family = scheduled(family, read_table(scheduler), str(scheduler))
    mean, scale = vae.get("shift_factor") or 0.0, vae.get("scaling_factor", 1 / family.latent_std)
    zero_blank = index.get("force_zeros_for_empty_prompt", family.zero_blank)
    return replace(family, latent_mean=mean, latent_std=1 / scale, zero_blank=zero_blank)


def _tokenizer(folder: Path, text: Found) -> TextTokenizer:
    is_clip = isinstance(text.params, CLIPTextParams)
    return (clip_tokenizer if is_clip else t5_tokenizer)(folder)


def _ending(text: Found, tokenizer: TextTokenizer) -> Found:
    """A CLIP's end token is the tokenizer's: words that were added have ids after it."""
    if not isinstance(text.params, CLIPTextParams):
        return text
    return replace(text, params=replace(text.params, end_token=tokenizer.end))
