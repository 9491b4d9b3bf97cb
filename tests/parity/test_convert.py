"""Conversions of what diffusers saved: every tensor comes back, and diffusers draws from ours."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import references
import torch
from diffusers import DiffusionPipeline, EulerDiscreteScheduler, StableDiffusionXLImg2ImgPipeline

from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.writer import write_tensors
from mezzotint.families.files import convert as converter
from mezzotint.families.files import single_file
from mezzotint.families.files.convert import convert
from mezzotint.families.files.describe import describe
from mezzotint.families.files.found import in_folder
from mezzotint.families.keys.sd_keys import UNET_POINTWISE
from mezzotint.models.unet import UNetParams

FAMILIES = [*references.FAMILIES, "refiner"]
T5_FOLDERS = {"sd3": "tokenizer_3", "sd35": "tokenizer_3"}


def refiner(folder: Path) -> DiffusionPipeline:
    """XL's refiner: one text encoder, and five numbers beside the prompt."""
    unet = references._unet(
        **references._XL,
        cross_attention_dim=references.OPENCLIP,
        projection_class_embeddings_input_dim=references.POOLED + 5 * 256,
    )
    pipeline = StableDiffusionXLImg2ImgPipeline(
        vae=references.vae(scaling_factor=0.13025),
        text_encoder=None,
        text_encoder_2=references.clip(references.OPENCLIP, projects=True),
        tokenizer=None,
        tokenizer_2=references.clip_tokenizer(folder, "!"),
        unet=unet,
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear"),
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
    )
    for name in ("unet", "vae", "text_encoder_2"):
        references.randomised(getattr(pipeline, name))
    return pipeline


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Callable[[str], Path]:
    """The folder that diffusers saves a family's pipeline in."""
    made: dict[str, Path] = {}

    def get(family: str) -> Path:
        if family not in made:
            folder = tmp_path_factory.mktemp(family)
            known = family in references.FAMILIES
            make = references.pipeline if known else lambda _, words: refiner(words)
            make(family, folder / "words").save_pretrained(folder / "model")
            made[family] = folder / "model"
        return made[family]

    return get


@pytest.fixture
def around(monkeypatch) -> Callable[[str, Path], None]:
    """Let single files find the vocabularies in a folder of a family."""

    def use(family: str, folder: Path) -> None:
        clip = folder / ("tokenizer_2" if family == "refiner" else "tokenizer")
        words = {"CLIP": clip, "T5": folder / T5_FOLDERS.get(family, "tokenizer_2")}
        monkeypatch.setattr(single_file, "find_vocabulary", lambda kind, _: words[kind])

    return use


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def in_parts(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder by our names; transformers 5 has two names for a CLIP's."""
    found = in_folder(folder).items()
    return {f"{part}.{name}": t for part, each in found for name, t in each.ours().items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_tensor_comes_back(saved, around, tmp_path: Path, family: str):
    folder = saved(family)
    around(family, folder)
    convert([folder], tmp_path / "one.safetensors")
    convert([tmp_path / "one.safetensors"], tmp_path / "again")
    convert([tmp_path / "again"], tmp_path / "two.safetensors")
    assert same(in_parts(tmp_path / "again"), in_parts(folder))
    one = dict(open_tensors(tmp_path / "one.safetensors"))
    assert same(dict(open_tensors(tmp_path / "two.safetensors")), one)
    assert ("v_pred" in one) == (family == "sd2")
    pipeline = DiffusionPipeline.from_pretrained(tmp_path / "again")
    assert type(pipeline).__name__ == DiffusionPipeline.load_config(folder)["_class_name"]


def test_exchanged_names_show(saved, around, tmp_path: Path, monkeypatch):
    """What the way there and back is held against is not the map that wrote it."""
    folder = saved("sd1")
    around("sd1", folder)
    wrong = replace(
        UNET_POINTWISE, pairs=tuple((other(theirs), ours) for theirs, ours in UNET_POINTWISE.pairs)
    )
    right = converter.published
    monkeypatch.setattr(
        converter, "published", lambda p: wrong if isinstance(p, UNetParams) else right(p)
    )
    convert([folder], tmp_path / "one.safetensors")
    convert([tmp_path / "one.safetensors"], tmp_path / "again")
    before, after = in_parts(folder), in_parts(tmp_path / "again")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("network") and "attend_self" in name for name in changed)


def other(name: str) -> str:
    """The name of the values for that of the queries of self-attention, and the other way."""
    return (
        name.replace("attn1.to_q", "?")
        .replace("attn1.to_v", "attn1.to_q")
        .replace("?", "attn1.to_v")
    )


TITLES = {
    "sd1": "Stable Diffusion 1.x",
    "sd2": "Stable Diffusion 2.x",
    "sdxl": "Stable Diffusion XL",
    "refiner": "Stable Diffusion XL's refiner",
    "sd3": "Stable Diffusion 3",
    "sd35": "Stable Diffusion 3.5",
    "flux-dev": "FLUX.1 dev",
    "flux-schnell": "FLUX.1 schnell",
}


@pytest.mark.parametrize("family", TITLES)
def test_what_a_folder_and_its_file_are_called(saved, tmp_path: Path, family: str):
    convert([saved(family)], tmp_path / "one.safetensors")
    for path in (saved(family), tmp_path / "one.safetensors"):
        told = describe(path)
        assert told.what == TITLES[family]
        assert not any(part.fault for part in told.parts.values())
        assert "lacks" not in told.notes
    assert told.notes["predicts"] == ("v" if family == "sd2" else told.notes["predicts"])


def test_a_folder_in_half_precision_is_otherwise_the_same(saved, tmp_path: Path):
    folder = saved("sd1")
    convert([folder], tmp_path / "half", "fp16")
    names = {path.relative_to(folder) for path in folder.rglob("*")}
    assert {path.relative_to(tmp_path / "half") for path in (tmp_path / "half").rglob("*")} == names
    before, after = in_parts(folder), in_parts(tmp_path / "half")
    assert same(after, {name: tensor.half() for name, tensor in before.items()})


def drawn(folder: Path) -> np.ndarray:
    pipeline = DiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(7)
    return pipeline(
        "the fox in snow",
        num_inference_steps=2,
        height=64,
        width=64,
        generator=generator,
        output_type="np",
    ).images[0]


@pytest.mark.parametrize("family", ["sd2", "sdxl", "flux-dev"])
def test_diffusers_draws_the_same_from_what_we_write(saved, around, tmp_path, family: str):
    folder = saved(family)
    around(family, folder)
    convert([folder], tmp_path / "one.safetensors")
    convert([tmp_path / "one.safetensors"], tmp_path / "again")
    before = drawn(folder)
    assert np.array_equal(drawn(tmp_path / "again"), before)
    file = next(tmp_path.glob("again/text_encoder/*.safetensors"))
    tensors = {name: tensor.clone() for name, tensor in open_tensors(file).items()}
    query = next(name for name in tensors if name.endswith("layers.0.self_attn.q_proj.weight"))
    tensors[query] *= 1.01
    write_tensors(file, tensors)
    assert not np.array_equal(drawn(tmp_path / "again"), before)
