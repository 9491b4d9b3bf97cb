"""Write a model as diffusers saves it: a folder a component, each with its config.json."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mezzotint.checkpoints.diffusers_folder import MODEL_INDEX
from mezzotint.checkpoints.table import read_table
from mezzotint.checkpoints.tensors import Tensors
from mezzotint.checkpoints.write_tokenizers import (
    write_clip_tokenizer,
    write_json,
    write_t5_tokenizer,
)
from mezzotint.checkpoints.writer import write_tensors
from mezzotint.errors import writing
from mezzotint.families.base import Family
from mezzotint.families.files.found import Found
from mezzotint.families.files.schedulers import scheduler_config
from mezzotint.families.files.single_file import tokenizer, vocabulary
from mezzotint.families.recognise import NetworkParams
from mezzotint.families.sizes.write_configs import VERSION, component
from mezzotint.models.clip import CLIPTextParams
from mezzotint.models.mmdit import MMDiTParams

SHARD = 10_000_000_000  # bytes of a file at most, as diffusers splits them
UNET_WEIGHTS = "diffusion_pytorch_model.safetensors"

_TEXT_2, _T5_LENGTH = "text_encoder_2", 512
_TEXTS = {"text": "text_encoder", "text_2": _TEXT_2, "text_3": "text_encoder_3"}

_SD = {
    4: "StableDiffusionPipeline",
    8: "StableDiffusionInstructPix2PixPipeline",
    9: "StableDiffusionInpaintPipeline",
}
_PIPELINES: dict[str, dict[int, str]] = {  # diffusers', by release and channels of the input
    "sd1": _SD,
    "sd2": _SD,
    "xl": {
        4: "StableDiffusionXLPipeline",
        8: "StableDiffusionXLInstructPix2PixPipeline",
        9: "StableDiffusionXLInpaintPipeline",
    },
    "refiner": {4: "StableDiffusionXLImg2ImgPipeline"},
    "sd3": {16: "StableDiffusion3Pipeline"},
    "flux": {16: "FluxPipeline", 96: "FluxFillPipeline"},
}


def write_folder(
    folder: Path, family: Family, found: Mapping[str, Found], tensors: Mapping[str, Tensors]
) -> None:
    """Write the model into an empty folder.

    Args:
        folder: the folder.
        family: of the model.
        found: all of its networks, and the files that their vocabularies are looked for around.
        tensors: theirs by diffusers' and transformers' names.

    Raises:
        InputError: a network cannot be said in diffusers' words, no vocabulary is found, or the
            folder is not writable.
    """
    index = _index(family, found["network"].params)
    for part, each in found.items():
        made, name = component(each.params, family), component_name(part, each, family)
        (folder / name).mkdir()
        write_json(folder / name / "config.json", made.config)
        write_tensors(folder / name / made.weights, tensors[part], shard_bytes=SHARD)
        index[name] = [made.library, made.kind]
        if part.startswith("text"):
            beside = name.replace("text_encoder", "tokenizer")
            index[beside] = ["transformers", _write_tokenizer(folder / beside, each)]
    scheduler = scheduler_config(family)
    (folder / "scheduler").mkdir()
    write_json(folder / "scheduler" / "scheduler_config.json", scheduler)
    index["scheduler"] = ["diffusers", scheduler["_class_name"]]
    write_json(folder / MODEL_INDEX, index)


def write_widened(
    base: Path, folder: Path, family: Family, channels: int, tensors: Mapping[str, Tensor]
) -> None:
    """Write a model that diffusers saved into an empty folder, with a U-Net that takes more.

    Args:
        base: the folder of the model.
        folder: the folder.
        family: of the model.
        channels: that the U-Net takes.
        tensors: its, by diffusers' names.

    Raises:
        InputError: ``base`` is not such a folder, or ``folder`` is not writable.
    """
    index, config = (read_table(base / name) for name in (MODEL_INDEX, "unet/config.json"))

    def others(where: str, names: list[str]) -> set[str]:
        return {"unet", MODEL_INDEX} & set(names) if Path(where) == base else set()

    with writing(folder):
        shutil.copytree(base, folder, ignore=others, dirs_exist_ok=True)
        (folder / "unet").mkdir()
    write_json(folder / "unet" / "config.json", config | {"in_channels": channels})
    write_tensors(folder / "unet" / UNET_WEIGHTS, tensors, shard_bytes=SHARD)
    write_json(folder / MODEL_INDEX, index | {"_class_name": _PIPELINES[family.release][channels]})


def component_name(part: str, found: Found, family: Family) -> str:
    """The folder of a part; the refiner's only text encoder is XL's second."""
    if part == "autoencoder":
        return "vae"
    if part == "network":
        return "unet" if found.place.kind == "unet" else "transformer"
    return _TEXT_2 if family.release == "refiner" else _TEXTS[part]


def _index(family: Family, network: NetworkParams) -> dict[str, Any]:
    """What model_index.json says beside the components."""
    release = family.release
    channels = network.channels if isinstance(network, MMDiTParams) else network.channels_in
    kinds = _PIPELINES[release]
    index: dict[str, Any] = {
        "_class_name": kinds.get(channels, next(iter(kinds.values()))),
        "_diffusers_version": VERSION,
    }
    nothing = [None, None]
    if kinds is _SD and family.sampler == "lcm":
        index["_class_name"] = "LatentConsistencyModelPipeline"
    if kinds is _SD:
        index |= {"safety_checker": nothing, "feature_extractor": nothing}
        index |= {"requires_safety_checker": False}
    if release in ("xl", "refiner"):
        index["force_zeros_for_empty_prompt"] = family.zero_blank
    if release == "refiner":
        index |= {"text_encoder": nothing, "tokenizer": nothing, "requires_aesthetics_score": True}
    return index


def _write_tokenizer(folder: Path, text: Found) -> str:
    """Write a text encoder's tokenizer, and return transformers' class of it."""
    places = [text.file.parent]
    if isinstance(text.params, CLIPTextParams):
        write_clip_tokenizer(folder, tokenizer(text, places), text.params.length)
        return "CLIPTokenizer"
    write_t5_tokenizer(folder, vocabulary(text, places), _T5_LENGTH)
    return "T5TokenizerFast"
