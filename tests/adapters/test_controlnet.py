"""ControlNets out of files, put into a U-Net and taken out again."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import randomised, relative_error
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from unets import SMALL

from mezzotint.adapters import controlnet as controlnet_module
from mezzotint.adapters.base import Adapter, attached
from mezzotint.adapters.controlnet import CONTROL, KINDS, controlnet, save_control
from mezzotint.adapters.negatives import negative_rows
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.families.keys import controlnet_keys, sd_original
from mezzotint.families.keys.sd_keys import UNET, UNET_POINTWISE
from mezzotint.families.sizes.storybook_presets import SIZES
from mezzotint.models.controlnet import ControlNet, ControlNetParams, published
from mezzotint.models.unet import UNet

SD15 = replace(SMALL["sd15"], channels=(32, 32), depths=(0, 1), heads=(8, 8))
XL = replace(SD15, channels=(64, 128), heads=(1, 2), y_width=16)
PATCHED = replace(
    SIZES.unet, channels=(32, 64), heads=(2, 4), context_width=24, y_width=16, groups=2
)
ORIGINAL = sd_original.unet(2, (False, True), pointwise=True)
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64), np.uint8))


def parts(params=SD15) -> dict[str, Part]:
    torch.manual_seed(5)
    return {"network": Part(randomised(UNet(params)), ())}


def drawn(parts: dict[str, Part], adapters: Sequence[Adapter] = (), at: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(2)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    network = parts["network"].module
    x, context = draw(2, network.params.channels_in, 6, 8), draw(2, 5, 24)
    y = draw(2, 16) if network.params.y_width else None
    with torch.no_grad(), attached(parts, adapters) as injected:
        for each in injected:
            each.at(at)
        return network(x, torch.tensor([20.0, 700.0]), context, y)


def network(params=SD15, seed: int = 0) -> ControlNet:
    torch.manual_seed(seed)
    made = ControlNet(published(params))
    with torch.no_grad():
        for weight in made.parameters():
            weight += 0.05 * torch.randn_like(weight)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keys = controlnet_keys.diffusers(UNET_POINTWISE)
    save_file(keys.to_theirs(network().state_dict()), tmp_path / "canny.safetensors")
    return tmp_path / "canny.safetensors"


def test_every_kind_of_file_is_the_same(file: Path, tmp_path: Path) -> None:
    state = network().state_dict()
    expected = drawn(parts(), [controlnet(file, PICTURE)])
    bare = controlnet_keys.original(ORIGINAL).to_theirs(state)
    prefixed = {f"control_model.{name}": tensor for name, tensor in bare.items()}
    beside = {"model.diffusion_model.out.2.bias": torch.zeros(4)}
    torch.save({"state_dict": prefixed | beside}, tmp_path / "whole.pth")
    save_file(prefixed, tmp_path / "prefixed.safetensors")
    save_file(bare, tmp_path / "bare.safetensors")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "diffusion_pytorch_model.safetensors").write_bytes(file.read_bytes())
    (folder / "config.json").write_text("{}")
    for name in ("whole.pth", "prefixed.safetensors", "bare.safetensors", "folder"):
        assert torch.equal(drawn(parts(), [controlnet(tmp_path / name, PICTURE)]), expected), name


def test_the_xl_structure_reads_the_vector(tmp_path: Path) -> None:
    keys = controlnet_keys.diffusers(UNET)
    save_file(keys.to_theirs(network(XL).state_dict()), tmp_path / "xl.safetensors")
    plain = drawn(parts(XL))
    assert (
        relative_error(drawn(parts(XL), [controlnet(tmp_path / "xl.safetensors", PICTURE)]), plain)
        > 1e-3
    )


def test_gone_after_eject_whatever_the_order(file: Path) -> None:
    own = parts()
    before = drawn(own)
    weights = {k: v.clone() for k, v in own["network"].module.state_dict().items()}
    first, second = (controlnet(file, PICTURE, scale).inject(own) for scale in (1.0, 0.5))
    first.eject()
    assert not torch.equal(drawn(own), before)
    second.eject()
    second.eject()
    assert torch.equal(drawn(own), before)
    after = own["network"].module.state_dict()
    assert all(torch.equal(after[k], weights[k]) for k in weights)


def test_scale_and_several(file: Path) -> None:
    plain, full = drawn(parts()), drawn(parts(), [controlnet(file, PICTURE)])
    assert relative_error(full, plain) > 1e-3
    assert torch.equal(drawn(parts(), [controlnet(file, PICTURE, 0.0)]), plain)
    halves = [controlnet(file, PICTURE, 0.25), controlnet(file, PICTURE, 0.75)]
    assert relative_error(drawn(parts(), halves), full) < 1e-5
    assert torch.equal(drawn(parts(), halves), drawn(parts(), halves[::-1]))


def test_in_use_from_start_to_end(file: Path) -> None:
    plain, full = drawn(parts()), drawn(parts(), [controlnet(file, PICTURE)])
    ranged = controlnet(file, PICTURE, start=0.3, end=0.6)
    for step in range(10):
        expected = full if 3 <= step < 6 else plain
        assert torch.equal(drawn(parts(), [ranged], at=step / 10), expected), step


def test_the_picture_is_what_is_followed(file: Path) -> None:
    full = drawn(parts(), [controlnet(file, PICTURE)])
    assert torch.equal(drawn(parts(), [controlnet(file, PICTURE.convert("RGB"))]), full)
    assert relative_error(drawn(parts(), [controlnet(file, PICTURE.rotate(180))]), full) > 1e-3
    large = PICTURE.resize((640, 480), Image.Resampling.BICUBIC)
    assert relative_error(drawn(parts(), [controlnet(file, large)]), full) < 0.1
    PICTURE.save(file.with_suffix(".png"))
    assert torch.equal(drawn(parts(), [controlnet(file, file.with_suffix(".png"))]), full)


def test_pooled_where_the_folder_says_so(file: Path) -> None:
    folder = file.parent / "shuffle"
    folder.mkdir()
    (folder / "diffusion_pytorch_model.safetensors").write_bytes(file.read_bytes())
    (folder / "config.json").write_text(json.dumps({"global_pool_conditions": True}))
    pooled, plain = (drawn(parts(), [controlnet(f, PICTURE)]) for f in (folder, file))
    assert relative_error(pooled, plain) > 1e-3
    (folder / "config.json").write_text('{"controlnet_conditioning_channel_order": "bgr"}')
    with pytest.raises(InputError, match="order 'bgr', here it is 'rgb'"):
        controlnet(folder, PICTURE)


def test_an_inpainting_unet_shows_it_the_latents_alone(file: Path) -> None:
    inpainting = parts(replace(SD15, channels_in=9))
    assert relative_error(drawn(inpainting, [controlnet(file, PICTURE)]), drawn(inpainting)) > 1e-3


def test_what_does_not_fit_is_said_in_a_line(file: Path) -> None:
    control, picture = controlnet(file, PICTURE), file.with_suffix(".png")
    before = {"network": Part(UNet(replace(SD15, context_width=2048)), ())}
    with pytest.raises(InputError, match=r"^canny\.safetensors is made for .*24, .*Diffusion XL$"):
        control.inject(before)
    with pytest.raises(
        InputError, match=r"is for a U-Net with 2 blocks a level of \(32, 32\) .*\(32, 64\)"
    ):
        control.inject(parts(replace(SD15, channels=(32, 64))))
    with pytest.raises(InputError, match="and this model is a Linear"):
        control.inject({"network": Part(torch.nn.Linear(2, 2), ())})
    with pytest.raises(InputError, match=r"start 0\.6, end 0.3: they must be"):
        controlnet(file, PICTURE, start=0.6, end=0.3)
    with pytest.raises(InputError, match="scale nan is no number"):
        controlnet(file, PICTURE, float("nan"))
    with pytest.raises(InputError, match="cannot read picture"):
        controlnet(file, picture)
    save_file(UNET_POINTWISE.to_theirs(UNet(SD15).state_dict()), file)
    with pytest.raises(InputError, match="is no ControlNet of Stable Diffusion"):
        controlnet(file, PICTURE)
    save_file({"input_hint_block.0.weight": torch.zeros(16, 3, 3, 3)}, file)
    with pytest.raises(InputError, match="not numbered as a U-Net's levels are"):
        controlnet(file, PICTURE)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A model's folder with a ControlNet that reads three kinds of pictures."""
    torch.manual_seed(0)
    made = randomised(ControlNet(ControlNetParams(PATCHED, KINDS, middle=False)))
    for hint in made.hints.values():
        torch.nn.init.normal_(hint[-1].bias)
    save_control(tmp_path / CONTROL, made, {})
    return tmp_path


def test_kinds_share_a_file_and_add_up(shared: Path) -> None:
    plain = drawn(parts(PATCHED))
    alone = {k: drawn(parts(PATCHED), [controlnet(f"{shared}#{k}", PICTURE)]) for k in KINDS}
    assert min(relative_error(each, plain) for each in alone.values()) > 1e-3
    assert relative_error(alone["edges"], alone["depth"]) > 1e-3
    named = controlnet(f"{shared / CONTROL}#edges", PICTURE)
    assert torch.equal(drawn(parts(PATCHED), [named]), alone["edges"])

    def both(depth: float, edges: float = 1.0) -> Tensor:
        two = [
            controlnet(f"{shared}#edges", PICTURE, edges, end=0.5),
            controlnet(f"{shared}#depth", PICTURE, depth),
        ]
        return drawn(parts(PATCHED), two)

    assert torch.equal(both(0.0), alone["edges"])
    assert torch.equal(both(1.0, 0.0), alone["depth"])
    assert relative_error(both(1.0), alone["edges"]) > 1e-3
    two = [
        controlnet(f"{shared}#edges", PICTURE, end=0.5),
        controlnet(f"{shared}#depth", PICTURE),
    ]
    assert torch.equal(drawn(parts(PATCHED), two, at=0.7), alone["depth"])


def test_guidance_strengthens_ours_and_published_ones_if_asked(shared: Path, file: Path) -> None:
    def followed(params, negative: Sequence[bool], *adapters: Adapter) -> Tensor:
        own = parts(params)
        negative_rows(own["network"].module, negative)
        return drawn(own, adapters)

    for params, name, as_it_is in ((PATCHED, f"{shared}#edges", True), (SD15, file, False)):
        kept, spared = (controlnet(name, PICTURE, guided=guided) for guided in (False, True))
        plain, both = drawn(parts(params)), followed(params, (False, True), kept)
        assert min(relative_error(b, p) for b, p in zip(both, plain, strict=True)) > 1e-3
        one = followed(params, (False, True), spared)
        assert torch.equal(one[1], plain[1])
        torch.testing.assert_close(one[0], both[0])  # alone in its batch, it may differ in bits
        assert torch.equal(followed(params, (True, True), spared), plain)
        assert torch.equal(followed(params, (False, False), spared), both)
        default = followed(params, (False, True), controlnet(name, PICTURE))
        assert torch.equal(default, one if as_it_is else both)


def test_packed_before_training_it_still_changes_nothing(tmp_path: Path) -> None:
    own = parts(PATCHED)
    network = own["network"].module
    save_control(tmp_path / CONTROL, ControlNet.of(network, KINDS, middle=False), {})
    plain = drawn(own)
    assert torch.equal(drawn(own, [controlnet(f"{tmp_path}#boxes", PICTURE)]), plain)


def test_the_embedded_models_own_have_names(shared: Path, monkeypatch) -> None:
    monkeypatch.setattr(controlnet_module, "EMBEDDED", shared)
    there = controlnet("depth", PICTURE)
    expected = drawn(parts(PATCHED), [controlnet(f"{shared}#depth", PICTURE)])
    assert torch.equal(drawn(parts(PATCHED), [there]), expected)
    assert there.name == "depth"
    monkeypatch.setattr(controlnet_module, "EMBEDDED", shared / "none")
    with pytest.raises(InputError, match=r"^the embedded model has no control\.saf.* by depth: .*"):
        controlnet("depth", PICTURE)
    with pytest.raises(InputError, match=r"^cannot read sketch: there is no such file$"):
        controlnet("sketch", PICTURE)


def test_what_is_wrong_with_a_shared_one_is_said_in_a_line(shared: Path) -> None:
    with pytest.raises(InputError, match=r"reads edges, depth, boxes: name one, as in .*#edges$"):
        controlnet(shared / CONTROL, PICTURE)
    with pytest.raises(InputError, match=r"unknown kind of picture .* 'edge': did you mean 'edges"):
        controlnet(f"{shared}#edge", PICTURE)
    (shared / "bare").mkdir()
    with pytest.raises(InputError, match=r"^the model in .*bare has no control\.safetensors"):
        controlnet(f"{shared / 'bare'}#edges", PICTURE)
    edges = controlnet(f"{shared}#edges", PICTURE)
    with pytest.raises(InputError, match=r"width 24, and this model is Stable Diffusion 1\.x$"):
        edges.inject({"network": Part(UNet(replace(SD15, context_width=768)), ())})
    with pytest.raises(InputError, match=r"on patches of 2, .*; this one has 1 blocks"):
        edges.inject(parts(replace(PATCHED, patch=1)))
    tensors = load_file(shared / CONTROL)
    for sizes, says in (
        ("{", "are not JSON"),
        ("[" * 100_000, "are not JSON"),
        ("[]", "are no table"),
        ('{"kinds": []}', "give words"),
        ('{"kinds": ["edges"]}', "does not fit ControlNet"),
    ):
        save_file(tensors, shared / CONTROL, {"controlnet": sizes})
        with pytest.raises(InputError, match=says):
            controlnet(f"{shared}#edges", PICTURE)


def test_a_map_of_another_shape_is_refused(file: Path) -> None:
    wide = PICTURE.resize((128, 48))
    with pytest.raises(
        InputError, match=r"^the picture for canny\.safetensors has 128 × 48 .* 64 × 48: give one"
    ):
        drawn(parts(), [controlnet(file, wide)])
    nearly = PICTURE.resize((130, 96))
    assert relative_error(drawn(parts(), [controlnet(file, nearly)]), drawn(parts())) > 1e-3


def test_its_contents_are_its_weights_and_the_picture(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "again" / file.name
    other.parent.mkdir()
    save_file({key: tensor + 1 for key, tensor in load_file(file).items()}, other)
    flipped = PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    worn = [(file, PICTURE), (file, PICTURE), (other, PICTURE), (file, flipped)]
    found = []
    for path, picture in worn:
        injected = controlnet(path, picture).inject(parts())
        injected.eject()
        found.append((injected.told, injected.contents()))
    assert found[0] == found[1]
    assert len({told for told, _ in found}) == 1
    assert len({contents for _, contents in found}) == 3
