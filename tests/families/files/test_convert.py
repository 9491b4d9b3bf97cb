"""What converting changes and what it keeps, and what it refuses to write."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.tensors import sizes
from mezzotint.errors import InputError
from mezzotint.families.files.convert import DTYPES, convert
from mezzotint.families.files.found import in_file
from mezzotint.families.keys.original import places
from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams
from mezzotint.models.clip import CLIPText, CLIPTextParams, TowerParams
from mezzotint.models.flux import Flux, FluxParams
from mezzotint.models.unet import UNet, UNetParams

UNET = UNetParams(
    channels_in=4,
    channels_out=4,
    channels=(32, 64),
    blocks=1,
    depths=(1, 0),
    mid_depth=1,
    heads=(8, 8),
    context_width=768,
    y_width=0,
    groups=32,
    guided=False,
)
FLUX = FluxParams(16, 16, 128, 1, 1, 1, (16, 56, 56), 64, 64, guided=True)
VAE = AutoencoderParams(3, 4, 1, (32, 32), 1, mid_attention=True, latent_convs=True, groups=32)
TEXT = CLIPTextParams(TowerParams(832, 1, 13, 32, "gelu"), 600, 9, 599, 0)


def file_of(folder: Path, release: str, **parts: object) -> Path:
    """A single file with these networks at random weights."""
    makers = {UNetParams: UNet, FluxParams: Flux, AutoencoderParams: Autoencoder}
    path, tensors = folder / f"{release}.safetensors", {}
    for part, place in places(release, parts).items():
        tensors |= place.file(makers.get(type(parts[part]), CLIPText)(parts[part]).state_dict())
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, path)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return file_of(tmp_path_factory.mktemp("sd1"), "sd1", network=UNET, autoencoder=VAE)


@pytest.mark.parametrize("dtype", DTYPES)
def test_another_dtype(checkpoint: Path, tmp_path: Path, dtype: str):
    convert([checkpoint], tmp_path / "x.safetensors", dtype)
    before, after = open_tensors(checkpoint), open_tensors(tmp_path / "x.safetensors")
    assert before.keys() == after.keys()
    for name, tensor in after.items():
        own = "first_stage" in name or before[name].ndim < 2
        kept = dtype == "fp8_e4m3" and own
        assert tensor.dtype == (torch.float32 if kept else DTYPES[dtype])
        expected = before[name] if kept else before[name].to(DTYPES[dtype])
        assert torch.equal(tensor.float(), expected.float())


def test_numbers_beyond_fp16_are_refused(tmp_path: Path):
    save_file({"w": torch.tensor([1e5])}, tmp_path / "in.safetensors")
    with pytest.raises(InputError, match=r"w has numbers beyond those of fp16, 65504.0: bf16"):
        convert([tmp_path / "in.safetensors"], tmp_path / "x.safetensors", "fp16")
    assert [path.name for path in tmp_path.iterdir()] == ["in.safetensors"]
    convert([tmp_path / "in.safetensors"], tmp_path / "x.safetensors", "bf16")


def test_a_pickle_becomes_safetensors_with_the_same_names(checkpoint: Path, tmp_path: Path):
    tensors = dict(open_tensors(checkpoint)) | {"betas": torch.ones(3)}
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "x.ckpt")
    convert([tmp_path / "x.ckpt"], tmp_path / "x.safetensors")
    after = open_tensors(tmp_path / "x.safetensors")
    assert after.metadata["epoch"] == "3"
    assert after.keys() == tensors.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize("release", ["sd1", "flux"])
def test_a_gguf_has_the_denoiser_alone(tmp_path: Path, release: str):
    network = UNET if release == "sd1" else FLUX
    source = file_of(tmp_path, release, network=network, autoencoder=VAE)
    convert([source], tmp_path / "x.gguf", quant="Q8_0")
    found = in_file(tmp_path / "x.gguf")
    assert found.keys() == {"network"}
    packed, plain = found["network"].ours(), in_file(source)["network"].ours()
    assert packed.shapes == plain.shapes
    assert "Q8_0" in packed.dtypes.values()
    for name, tensor in plain.items():
        span = tensor.abs().max().item() if tensor.numel() else 0.0
        assert torch.allclose(packed[name].float(), tensor, atol=span / 200), name
    convert([tmp_path / "x.gguf"], tmp_path / "y.safetensors", "bf16")
    assert set(open_tensors(tmp_path / "y.safetensors").dtypes.values()) == {"BF16"}


def test_progress_is_told_up_to_the_end(checkpoint: Path, tmp_path: Path):
    told: list[tuple[int, int]] = []
    tick = lambda done, total: told.append((done, total))  # noqa: E731
    convert([checkpoint], tmp_path / "x.safetensors", "fp16", tick=tick)
    total = sum(d.itemsize * s.numel() for d, s in shapes(tmp_path / "x.safetensors"))
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def shapes(path: Path) -> list[tuple[torch.dtype, torch.Size]]:
    return [(dtype, torch.Size(shape)) for dtype, shape in sizes(open_tensors(path)).values()]


def test_2x_is_asked_what_it_predicts(tmp_path: Path):
    unet = UNetParams(4, 4, (64, 128), 1, (1, 0), 1, (1, 2), 832, 0, 32, guided=False)
    source = file_of(tmp_path, "sd2", network=unet, autoencoder=VAE, text=TEXT)
    with pytest.raises(InputError, match="shapes do not tell what it predicts: give --prediction"):
        convert([source], tmp_path / "folder")
    convert([source], tmp_path / "v.safetensors", prediction="v")
    assert "v_pred" in open_tensors(tmp_path / "v.safetensors")
    with pytest.raises(InputError, match="no CLIP vocabulary"):  # it is asked no more
        convert([tmp_path / "v.safetensors"], tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize(
    ("target", "options", "says"),
    [
        ("x.ckpt", {}, "x.ckpt: give NAME.safetensors, NAME.gguf or the name of a folder"),
        ("x.safetensors", {"dtype": "fp61"}, "unknown dtype 'fp61': did you mean 'fp16'"),
        ("x.safetensors", {"quant": "Q8_0"}, "--quant is for .gguf"),
        ("x.gguf", {"dtype": "fp16"}, "--quant is for .gguf"),
        ("x.gguf", {"quant": "Q8"}, "unknown quantisation 'Q8': did you mean 'Q8_0'"),
        ("x.safetensors", {"prediction": "w"}, "unknown prediction 'w'"),
        ("sd1.safetensors", {}, "are one in the other: give another place"),
        ("", {}, "are one in the other: give another place"),
        ("there.safetensors", {}, "there.safetensors is there already: --force replaces it"),
        ("notes", {"force": True}, "notes is not a folder of a model, which alone would be"),
        ("none/x.safetensors", {}, "cannot write"),
        ("folder", {}, "sd1.safetensors looks like sd1, which has 1 text encoders, but 0"),
    ],
)
def test_what_cannot_be_written_is_refused(checkpoint, tmp_path, target, options, says):
    (tmp_path / "sd1.safetensors").symlink_to(checkpoint)
    (tmp_path / "there.safetensors").write_text("mine")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "note").write_text("mine")
    own = target in ("", "sd1.safetensors")
    place = (checkpoint.parent if own else tmp_path) / target
    with pytest.raises(InputError) as caught:
        convert([tmp_path / "sd1.safetensors"], place, **options)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"sd1.safetensors", "there.safetensors", "notes"}
    assert (tmp_path / "notes" / "note").read_text() == "mine"


def test_force_replaces_a_file(checkpoint: Path, tmp_path: Path):
    (tmp_path / "x.safetensors").write_text("mine")
    convert([checkpoint], tmp_path / "x.safetensors", force=True)
    assert open_tensors(tmp_path / "x.safetensors").keys() == open_tensors(checkpoint).keys()


@given(st.integers(1, 3), st.sampled_from(sorted(DTYPES)), st.integers(0, 5))
def test_whatever_the_tensors_are_they_keep_their_names_and_shapes(
    tmp_path_factory, number: int, dtype: str, rows: int
):
    folder = tmp_path_factory.mktemp("any")
    tensors = {f"{k}.weight": torch.ones((rows,) * k) for k in range(number)}
    tensors["count"] = torch.tensor(3)
    save_file(tensors, folder / "in.safetensors")
    convert([folder / "in.safetensors"], folder / "out.safetensors", dtype)
    after = open_tensors(folder / "out.safetensors")
    assert after.shapes == {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    assert after["count"].dtype == torch.int64
