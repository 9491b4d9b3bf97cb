"""A model folder is loaded whole, or refused in one line that names what is wrong."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import mezzotint as mz
from mezzotint.checkpoints.folder import write_manifest
from mezzotint.errors import InputError
from mezzotint.evals.steering.measure import FILES as STEERS
from mezzotint.families import storybook
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText
from mezzotint.models.unet import UNet
from mezzotint.pipeline.load import EMBEDDED
from mezzotint.training.tokenizer import train_tokenizer

FOX = "a fox in the snow at night"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The storybook model with random weights, on disk."""
    sizes = storybook.SIZES
    torch.manual_seed(0)
    network = UNet(sizes.unet)
    torch.nn.init.normal_(network.conv_out.weight, std=0.02)
    model = storybook.together(
        network,
        Autoencoder(sizes.autoencoder),
        CLIPText(sizes.text),
        train_tokenizer([FOX], sizes.text.vocabulary, sizes.text.length),
        (torch.zeros(4), torch.ones(4)),
        sizes.size,
    )
    path = tmp_path_factory.mktemp("weights") / "random"
    storybook.save(model, path)
    return path


def test_what_was_saved_draws(folder: Path):
    pipe = mz.load(folder)
    one, two = (pipe.generate(FOX, seed=1, steps=2) for pipe in (pipe, mz.load(str(folder))))
    assert np.array_equal(np.asarray(one.images[0]), np.asarray(two.images[0]))
    assert one.images[0].size == (storybook.SIZES.size,) * 2
    recipe = one.images[0].info["parameters"]
    assert f"Model: {folder}" in recipe.replace('"', "")
    assert f"Model hash: {pipe.model.digest}" in recipe


def test_how_networks_are_executed_is_known(folder: Path, monkeypatch):
    assert mz.load(folder, engine="openvino").executed == "openvino"
    assert mz.load(folder, engine="eager").executed == "eager"
    assert mz.load(folder, low_memory=True).executed == "eager, low memory"
    monkeypatch.setattr("mezzotint.engines.auto.find_spec", lambda _: None)
    assert mz.load(folder).executed == "eager"  # as there is no other engine


def test_bfloat16_draws_nearly_the_same(folder: Path):
    exact, near = (
        mz.load(folder, dtype=d).generate(FOX, seed=1, steps=2) for d in ("fp32", "bf16")
    )
    assert near.latents.dtype == torch.float32
    error = (near.latents - exact.latents).std() / exact.latents.std()
    assert 0 < error < 0.05


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dtype": "bf17"}, "unknown dtype 'bf17': did you mean 'bf16'"),
        ({"device": "gpu"}, "device 'gpu' cannot be used here"),
        ({"engine": "eagre"}, "unknown engine 'eagre': did you mean 'eager'"),
        ({"source": "no/such/folder"}, "there is no model 'no/such/folder'"),
    ],
)
def test_what_cannot_be_loaded_is_refused(folder: Path, options, says: str):
    with pytest.raises(InputError) as caught:
        mz.load(**{"source": folder, **options})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_family_is_refused_by_name(folder: Path, tmp_path: Path):
    manifest = json.loads((folder / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"family": "storybok"}))
    with pytest.raises(InputError, match="unknown family 'storybok': did you mean 'storybook'"):
        mz.load(tmp_path)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"family": "storybook"}',
        b'{"family": "storybook", "sha256": ["unet.safetensors"]}',
        b'{"family": ["storybook"], "sha256": {}}',
        b'{"family": "storybook", "sha256": {"../unet.safetensors": ""}}',
        b'{"family": "storybook", "sha256": {}}',
    ],
)
def test_a_damaged_manifest_is_refused_by_name(tmp_path: Path, manifest: bytes):
    (tmp_path / "manifest.json").write_bytes(manifest)
    with pytest.raises(InputError, match=r"manifest\.json|unknown family") as caught:
        mz.load(tmp_path)
    assert "\n" not in str(caught.value)


FILES = [
    "unet.safetensors",
    "autoencoder.safetensors",
    "text.safetensors",
    "tokenizer.json",
    "sizes.json",
]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_file_is_refused_by_name(folder: Path, tmp_path: Path, file: str, damage: str):
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    data = bytearray((folder / file).read_bytes())
    (tmp_path / file).unlink()
    if damage == "flip":
        data[len(data) // 2] ^= 1
    if damage != "gone":
        (tmp_path / file).write_bytes(data[:-1] if damage == "cut" else data)
    with pytest.raises(InputError, match=file) as caught:
        mz.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_latents_without_their_scale_are_refused(folder: Path, tmp_path: Path):
    path = tmp_path / "weights"
    shutil.copytree(folder, path)
    file = path / storybook.AUTOENCODER
    weights = safetensors.torch.load_file(file)
    del weights[storybook.LATENT_STD]
    safetensors.torch.save_file(weights, file)
    write_manifest(path, "storybook")
    with pytest.raises(InputError, match=r"autoencoder\.safetensors: 1 missing: latent_std"):
        mz.load(path)


def test_a_model_tells_its_sizes(folder: Path, tmp_path: Path):
    model = mz.load(folder).model
    unet = replace(model.network.params, channels=(16, 32), depths=(0, 1), heads=(1, 1), groups=2)
    family = replace(model.family, size=64, smallest=32, largest=128)
    storybook.save(replace(model, family=family, network=UNet(unet)), tmp_path / "small")
    small = mz.load(tmp_path / "small")
    assert (small.model.family, small.model.network.params) == (family, unet)
    assert small.generate(FOX, seed=1, steps=1).images[0].size == (64, 64)


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        (b"{", "is not JSON"),
        (b"[]", "is not a JSON table"),
        (b'{"sise": 64}', "unknown field 'sise': did you mean 'size'"),
        (b'{"unet": {"blocks": "two"}}', "unet: blocks must be of type int, not 'two'"),
        (b'{"unet": {"blocks": 1}}', "does not fit UNet"),
    ],
)
def test_wrong_sizes_are_refused(folder: Path, tmp_path: Path, sizes: bytes, says: str):
    path = tmp_path / "weights"
    shutil.copytree(folder, path)
    (path / storybook.SIZES_FILE).write_bytes(sizes)
    write_manifest(path, "storybook")
    with pytest.raises(InputError) as caught:
        mz.load(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_embedded_model_is_loaded_by_default():
    pipe = mz.load()
    assert pipe.source == "storybook"
    one, two = (pipe.generate(FOX, seed=1, steps=4) for _ in range(2))
    assert np.array_equal(np.asarray(one.images[0]), np.asarray(two.images[0]))


def test_the_embedded_model_and_what_steers_it_are_small():
    size = {"model": 0, "steers": 0}
    for file in EMBEDDED["storybook"].iterdir():
        if file.is_file() and file.suffix != ".py":
            size["steers" if file.name in STEERS.values() else "model"] += file.stat().st_size
    assert 30e6 < size["model"] <= 34e6
    assert 4e6 < size["steers"] <= 14e6
