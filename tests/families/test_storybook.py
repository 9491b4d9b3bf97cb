"""One folder, several models to draw with: which they are, and what each is made of."""

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
from mezzotint.checkpoints.packed import pack, unpack
from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText, CLIPVision
from mezzotint.models.dit import DiT
from mezzotint.models.unet import UNet
from mezzotint.pipeline import load as load_module
from mezzotint.pipeline.load import EMBEDDED
from mezzotint.training.tokenizer import train_tokenizer

FOX = "a fox in the snow at night"
SIZES = replace(
    storybook.SIZES,
    size=32,
    autoencoder=replace(storybook.SIZES.autoencoder, channels=(16, 16), blocks=1, groups=1),
    text=replace(
        storybook.SIZES.text,
        tower=replace(storybook.SIZES.text.tower, width=32, layers=2, heads=2, hidden=32),
        projection=32,
    ),
    unet=replace(
        storybook.SIZES.unet,
        channels=(16, 32),
        depths=(0, 1),
        heads=(1, 1),
        blocks=1,
        context_width=32,
        y_width=32,
        groups=1,
        patch=1,
        cross_only=(),
    ),
    flow=replace(
        storybook.SIZES.flow, width=32, blocks=2, heads=2, hidden=32, context_width=32, y_width=32
    ),
    vision=replace(
        storybook.SIZES.vision,
        tower=replace(storybook.SIZES.vision.tower, width=32, layers=1, heads=2, hidden=32),
        size=32,
        projection=32,
    ),
)
LAYER = "conv_in"  # of the U-Net, under our name and the published one
CHANGE = {
    f"lora_unet_{LAYER}.lora_up.weight": torch.ones(16, 1, 1, 1) / 4,
    f"lora_unet_{LAYER}.lora_down.weight": torch.ones(1, 4, 3, 3) / 4,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Both denoisers with random weights, the U-Net the default, an image tower, two LoRAs."""
    torch.manual_seed(0)
    network, flow = UNet(SIZES.unet), DiT(SIZES.flow)
    for each in (network, flow):
        for weight in each.parameters():
            torch.nn.init.normal_(weight, std=0.1)
    model = storybook.together(
        network,
        Autoencoder(SIZES.autoencoder),
        CLIPText(SIZES.text),
        train_tokenizer([FOX], SIZES.text.vocabulary, SIZES.text.length),
        (torch.zeros(4), torch.ones(4)),
        SIZES.size,
    )
    path = tmp_path_factory.mktemp("weights") / "model"
    about = {"student": {"steps": "3", "spacing": "linspace"}, "folded": {}}
    loras = {name: safetensors.torch.save(CHANGE, told) for name, told in about.items()}
    storybook.save(model, path, flow, CLIPVision(SIZES.vision), loras)
    return path


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def drawn(name: str | Path) -> np.ndarray:
    return np.asarray(mz.load(name).generate(FOX, seed=1, steps=2).images[0])


def weights(file: Path) -> dict[str, torch.Tensor]:
    return unpack(safetensors.torch.load_file(file))


def test_each_variant_is_named_and_the_default_comes_first(folder: Path):
    assert storybook.variants(folder) == ["unet", "flow", "student", "folded"]
    assert storybook.variants(EMBEDDED["storybook"])[0] == "unet"


@pytest.mark.parametrize(
    ("variant", "network", "process", "prediction", "defaults"),
    [
        ("", UNet, "cosine", "v", (20, 4.0, "dpmpp_2m", "karras")),
        ("unet", UNet, "cosine", "v", (20, 4.0, "dpmpp_2m", "karras")),
        ("flow", DiT, "flow", "flow", (20, 4.0, "dpmpp_2m", "trailing")),
        ("student", UNet, "cosine", "v", (3, 1.0, "ddim", "linspace")),  # as its file says
        ("folded", UNet, "cosine", "v", (20, 1.0, "dpmpp_2m", "karras")),
    ],
)
def test_a_variant_has_its_own_network_and_defaults(
    folder: Path, variant, network, process, prediction, defaults
):
    model = storybook.load(folder, variant)
    family = model.family
    assert isinstance(model.network, network)
    assert (family.process.name, family.prediction) == (process, prediction)
    assert (family.steps, family.cfg, family.sampler, family.spacing) == defaults


def test_variants_draw_different_pictures_and_the_default_its_own(folder: Path):
    pictures = {name: drawn(f"{folder}#{name}") for name in storybook.VARIANTS}
    assert np.array_equal(drawn(folder), pictures["unet"])
    assert not np.array_equal(pictures["unet"], pictures["flow"])
    assert not np.array_equal(pictures["unet"], pictures["student"])
    for name in storybook.VARIANTS:
        assert mz.load(f"{folder}#{name}").source == f"{folder}#{name}"


def test_a_student_is_the_default_with_its_changes(folder: Path):
    own, changed = (
        mz.load(name).model.network.state_dict() for name in (folder, f"{folder}#student")
    )
    assert [name for name in own if not torch.equal(own[name], changed[name])] == [
        f"{LAYER}.weight"
    ]
    goal = own[f"{LAYER}.weight"] + 1 / 16  # a quarter times a quarter
    torch.testing.assert_close(changed[f"{LAYER}.weight"], goal)


def test_a_student_runs_in_bfloat16_under_another_lora(folder: Path):
    pipe = mz.load(f"{folder}#student", dtype="bf16")
    before = pipe.generate(FOX, seed=1).latents
    file = folder / storybook.LORAS["folded"]
    with pipe.attached(mz.lora(file)):
        assert not torch.equal(pipe.generate(FOX, seed=1).latents, before)
    assert torch.equal(pipe.generate(FOX, seed=1).latents, before)


def test_a_digest_stands_for_the_files_that_are_used(copied: Path):
    def digests() -> dict[str, str]:
        return {name: storybook.load(copied, name).digest for name in storybook.VARIANTS}

    before = digests()
    assert len(set(before.values())) == 4
    flow = copied / storybook.NETWORKS["flow"]
    safetensors.torch.save_file(pack({k: 2 * w for k, w in weights(flow).items()}), flow)
    write_manifest(copied, "storybook")
    after = digests()
    assert [name for name in before if before[name] != after[name]] == ["flow"]


def test_what_was_saved_before_there_were_two_loads_still(copied: Path):
    """Of its files and its sizes only those are there which all such folders have."""
    before = drawn(copied)
    sizes = json.loads((copied / storybook.SIZES_FILE).read_text())
    kept = {name: sizes[name] for name in ("size", "autoencoder", "text", "unet")}
    for name in ("guided", "patch", "cross_only"):
        del kept["unet"][name]
    (copied / storybook.SIZES_FILE).write_text(json.dumps(kept))
    for name in ("flow", "vision", "student", "folded"):
        (copied / f"{name}.safetensors").unlink()
    write_manifest(copied, "storybook")
    assert np.array_equal(drawn(copied), before)
    assert storybook.variants(copied) == ["unet"]
    with pytest.raises(InputError, match=r"unknown variant .* 'flow': choose from unet$"):
        mz.load(f"{copied}#flow")


def test_the_default_is_told_by_the_folder(copied: Path):
    sizes = json.loads((copied / storybook.SIZES_FILE).read_text())
    (copied / storybook.SIZES_FILE).write_text(json.dumps(sizes | {"default": "flow"}))
    write_manifest(copied, "storybook")
    assert storybook.variants(copied)[0] == "flow"
    assert np.array_equal(drawn(copied), drawn(f"{copied}#flow"))


def test_embedded_variants_have_names(folder: Path, monkeypatch):
    monkeypatch.setitem(load_module.EMBEDDED, "storybook", folder)
    assert mz.load().model.digest == mz.load("storybook-unet").model.digest
    for name in storybook.VARIANTS:
        assert mz.load(f"storybook-{name}").model.digest == storybook.load(folder, name).digest
        assert mz.load(f"storybook#{name}").source == f"storybook#{name}"


def test_a_folder_may_have_the_mark_in_its_name(folder: Path, tmp_path: Path):
    odd = Path(shutil.copytree(folder, tmp_path / "a#b"))
    assert np.array_equal(drawn(odd), drawn(folder))
    assert np.array_equal(drawn(f"{odd}#flow"), drawn(f"{folder}#flow"))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("#flaw", "unknown variant of .*model 'flaw': did you mean 'flow'"),
        ("/unet.safetensors#flow", "one model, which has no 'flow': leave out #flow"),
    ],
)
def test_what_is_not_there_is_named_in_one_line(folder: Path, name: str, says: str):
    with pytest.raises(InputError, match=says) as caught:
        mz.load(f"{folder}{name}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("variant", ["flow", "student"])
def test_a_damaged_variant_is_refused_by_name_and_the_others_draw(copied: Path, variant: str):
    file = copied / f"{variant}.safetensors"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError, match=rf"{variant}\.safetensors is damaged"):
        mz.load(f"{copied}#{variant}")
    drawn(copied)
