"""Weights of a folder that diffusers saved: mapped as they are, or one network at a time."""

from itertools import chain
from pathlib import Path

import pytest
import references
import torch
from torch import Tensor

import mezzotint as mz
from mezzotint.files.pages import is_mapped
from mezzotint.pipeline.pipeline import Pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sd1")
    references.pipeline("sd1", path / "words").save_pretrained(path / "model")
    return path / "model"


def weights(pipe: Pipeline, *but: str) -> list[Tensor]:
    modules = (module for name, module in pipe.model.modules.items() if name not in but)
    return list(chain.from_iterable(list(module.parameters())[1:] for module in modules))


def test_the_files_own_dtype_is_copied_nowhere(folder: Path) -> None:
    kept, cast = (mz.load(folder, dtype=dtype, device="cpu") for dtype in ("fp32", "bf16"))
    kept.generate("the fox", steps=1, width=64, height=64)
    assert all(is_mapped(weight) for weight in weights(kept))
    assert not any(is_mapped(weight) for weight in weights(cast))


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_little_memory_draws_the_same(folder: Path, dtype: str) -> None:
    plain, spared = (
        mz.load(folder, dtype=dtype, device="cpu", low_memory=low) for low in (False, True)
    )
    for _ in range(2):  # the second takes back what the first put away
        theirs, ours = (
            pipe.generate("the fox", steps=2, seed=1, width=64, height=64)
            for pipe in (plain, spared)
        )
        assert torch.equal(theirs.latents, ours.latents)
    assert all(is_mapped(weight) for weight in weights(spared, "autoencoder"))
