"""One folder, several models to draw with: which they are, and what each is made of."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from storybooks import SIZES, tiny_storybook

import mezzotint as mz
from mezzotint.checkpoints.folder import write_manifest
from mezzotint.checkpoints.packed import pack, unpack
from mezzotint.errors import InputError
from mezzotint.families import editing, storybook
from mezzotint.models.clip import CLIPVision
from mezzotint.models.dit import DiT
from mezzotint.models.unet import UNet
from mezzotint.pipeline import load as load_module
from mezzotint.pipeline.load import EMBEDDED

FOX = "a fox in the snow at night"
DRAWS = tuple(name for name in storybook.VARIANTS if name != storybook.INSTRUCT)
LAYER = "conv_in"  # of the U-Net, under our name and the published one
CHANGE = {
    f"lora_unet_{LAYER}.lora_up.weight": torch.ones(16, 1, 1, 1) / 4,
    f"lora_unet_{LAYER}.lora_down.weight": torch.ones(1, 4, 3, 3) / 4,
}
OBEYS = {f"lora_unet_{LAYER}.diff": torch.linspace(-1, 1, 16 * 8 * 9).reshape(16, 8, 3, 3)}
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Both denoisers with random weights, the U-Net the default, an image tower, three LoRAs."""
    model, flow = tiny_storybook([FOX])
    home = tmp_path_factory.mktemp("weights")
    path = home / "model"
    about = {
        "student": (CHANGE, {"steps": "3", "spacing": "linspace"}),
        "folded": (CHANGE, {}),
        "instruct": (pack(OBEYS), {"cfg": "3"}),
    }
    loras = {name: home / f"{name}.safetensors" for name in about}
    for name, (tensors, told) in about.items():
        safetensors.torch.save_file(tensors, loras[name], told)
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
    assert storybook.variants(folder) == ["unet", "flow", "student", "folded", "instruct"]
    assert storybook.variants(EMBEDDED["storybook"])[0] == "unet"


@pytest.mark.parametrize(
    ("variant", "network", "process", "prediction", "defaults"),
    [
        ("", UNet, "cosine", "v", (20, 4.0, "dpmpp_2m", "karras")),
        ("unet", UNet, "cosine", "v", (20, 4.0, "dpmpp_2m", "karras")),
        ("flow", DiT, "flow", "flow", (20, 4.0, "dpmpp_2m", "trailing")),
        ("student", UNet, "cosine", "v", (3, 1.0, "ddim", "linspace")),  # as its file says
        ("folded", UNet, "cosine", "v", (20, 1.0, "dpmpp_2m", "karras")),
        ("instruct", UNet, "cosine", "v", (20, 3.0, "euler_ancestral", "karras")),
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
    pictures = {name: drawn(f"{folder}#{name}") for name in DRAWS}
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


def test_the_one_that_obeys_is_the_default_with_channels_for_a_picture(folder: Path):
    own, obeys = (
        mz.load(name).model.network.state_dict() for name in (folder, f"{folder}#instruct")
    )
    assert [n for n in own if not torch.equal(own[n], obeys[n])] == [f"{LAYER}.weight"]
    change = unpack(pack(OBEYS))[f"lora_unet_{LAYER}.diff"]
    goal = torch.cat([own[f"{LAYER}.weight"], torch.zeros(16, 4, 3, 3)], dim=1) + change
    torch.testing.assert_close(obeys[f"{LAYER}.weight"], goal)


def test_it_changes_pictures_and_draws_none(folder: Path):
    pipe = mz.load(f"{folder}#instruct")
    assert pipe.model.family.name == "storybook-instruct"
    other = Image.fromarray(255 - np.asarray(PICTURE))
    first, second, near = (
        pipe.edit(picture, FOX, seed=1, steps=2, image_cfg=scale).latents
        for picture, scale in ((PICTURE, 1.5), (other, 1.5), (PICTURE, 2.0))
    )
    assert (first - second).abs().max() > 1e-3
    assert (first - near).abs().max() > 1e-3
    with pytest.raises(InputError, match="is a checkpoint for edits by instruction"):
        pipe.generate(FOX)


def test_with_nothing_learnt_it_draws_the_defaults_picture(copied: Path):
    """The same to rounding: a convolution over more channels may sum in another order."""
    nothing = {name: torch.zeros_like(change) for name, change in OBEYS.items()}
    safetensors.torch.save_file(nothing, copied / storybook.LORAS["instruct"])
    write_manifest(copied, "storybook")
    asked = {"seed": 1, "steps": 2, "cfg": 4.0, "sampler": "dpmpp_2m"}
    edited = mz.load(f"{copied}#instruct").edit(PICTURE, FOX, **asked).latents
    own = mz.load(copied).generate(FOX, **asked).latents
    torch.testing.assert_close(edited, own, atol=1e-4, rtol=1e-4)


def test_the_picture_beside_is_of_the_scale_of_latents(folder: Path):
    model = storybook.load(folder, "instruct")
    model = replace(model, latent_mean=model.latent_mean + 3, latent_std=2 * model.latent_std)
    images = torch.rand(1, 3, 32, 32) * 2 - 1
    beside = model.family.beside.channels(model, images, None)
    torch.testing.assert_close(beside, model.encode_images(images))
    raw = editing.whole(model, images, None)
    torch.testing.assert_close(raw, 2 * beside + 3, atol=1e-4, rtol=1e-4)


def test_the_image_tower_is_read_and_missed_in_one_line(copied: Path):
    assert storybook.read_vision(copied).params == SIZES.vision
    (copied / storybook.VISION_FILE).unlink()
    write_manifest(copied, "storybook")
    with pytest.raises(InputError, match="has no image tower: give the folder of a model") as no:
        storybook.read_vision(copied)
    assert "\n" not in str(no.value)


def test_a_digest_stands_for_the_files_that_are_used(copied: Path):
    def digests() -> dict[str, str]:
        return {name: storybook.load(copied, name).digest for name in storybook.VARIANTS}

    before = digests()
    assert len(set(before.values())) == 5
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
    for name in ("flow", "vision", "student", "folded", "instruct"):
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
