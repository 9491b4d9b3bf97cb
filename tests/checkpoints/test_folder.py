"""A weights folder is what its manifest says, or is refused by the name of what is wrong."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mezzotint.checkpoints.folder import load_complete, open_folder, write_manifest
from mezzotint.checkpoints.packed import save_packed
from mezzotint.errors import InputError

UNET, WORDS = "unet.safetensors", "tokenizer.json"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "sound"
    path.mkdir()
    weight = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    save_packed(path / UNET, {"weight": weight, "bias": torch.ones(3)}, {})
    (path / WORDS).write_text('{"a": 1}')
    write_manifest(path, "storybook")
    return path


def test_what_was_written_is_read(sound: Path) -> None:
    folder = open_folder(sound)
    assert folder.family == "storybook"
    assert folder.hashes.keys() == {UNET, WORDS}
    assert folder.read(WORDS) == b'{"a": 1}'
    weights = folder.weights(UNET)
    assert weights["weight"].shape == (3, 4)
    assert torch.equal(weights["bias"], torch.ones(3))


def test_the_digest_stands_for_every_byte_and_name(sound: Path, tmp_path: Path) -> None:
    def digest(name: str, data: str) -> str:
        path = tmp_path / "other"
        shutil.copytree(sound, path)
        (path / WORDS).unlink()
        (path / name).write_text(data)
        write_manifest(path, "storybook")
        found = open_folder(path).digest
        shutil.rmtree(path)
        return found

    same = digest(WORDS, '{"a": 1}')
    assert same == open_folder(sound).digest
    assert len(bytes.fromhex(same)) == 5
    assert len({same, digest(WORDS, '{"a": 2}'), digest("words.json", '{"a": 1}')}) == 3


@pytest.fixture(scope="module")
def damaged(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "damaged"
    shutil.copytree(sound, path)
    return path


@given(data=st.data(), name=st.sampled_from([UNET, WORDS]))
def test_any_one_bit_is_missed(damaged: Path, sound: Path, name: str, data: st.DataObject) -> None:
    whole = bytearray((sound / name).read_bytes())
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[bit // 8] ^= 1 << bit % 8
    (damaged / name).write_bytes(whole)
    with pytest.raises(InputError, match=f"{name} is damaged"):
        open_folder(damaged).read(name)


@given(data=st.data())
def test_a_file_that_was_cut_is_refused(damaged: Path, sound: Path, data: st.DataObject) -> None:
    whole = (sound / UNET).read_bytes()
    (damaged / UNET).write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(InputError, match=f"{UNET} is damaged"):
        open_folder(damaged).weights(UNET)


def test_files_that_are_not_there_or_not_listed(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    shutil.copytree(sound, path)
    (path / WORDS).unlink()
    (path / "extra").write_text("a file that came later")
    folder = open_folder(path)
    with pytest.raises(InputError, match=f"cannot read .*{WORDS}"):
        folder.read(WORDS)
    with pytest.raises(InputError, match="lists no extra"):
        folder.read("extra")


def test_a_listed_file_of_another_kind(sound: Path) -> None:
    with pytest.raises(InputError, match=f"{WORDS} is not a safetensors file"):
        open_folder(sound).weights(WORDS)


def test_a_listed_file_that_is_nested_too_deep(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    shutil.copytree(sound, path)
    (path / WORDS).write_text("[" * 100_000)
    write_manifest(path, "storybook")
    with pytest.raises(InputError, match=f"{WORDS} is not JSON"):
        open_folder(path).table(WORDS)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"3",
        b'{"family": "storybook"}',
        b'{"sha256": {}}',
        b'{"family": "storybook", "sha256": 3}',
        b'{"family": "storybook", "sha256": ["unet.safetensors"]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_manifest_is_named(tmp_path: Path, manifest: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(manifest)
    with pytest.raises(InputError, match=r"manifest\.json is not a weights manifest") as caught:
        open_folder(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "sub/file"])
def test_no_file_outside_is_read(tmp_path: Path, name: str) -> None:
    manifest: dict[str, Any] = {"family": "storybook", "sha256": {name: "00"}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="names a file outside its folder"):
        open_folder(tmp_path)


def test_a_folder_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a weights folder"):
        open_folder(tmp_path)


def test_a_network_is_loaded_when_all_of_it_fits() -> None:
    layer = nn.Linear(3, 2)
    given = {"weight": torch.randn(2, 3), "bias": torch.randn(2)}
    load_complete(layer, given, "cat.safetensors")
    assert torch.equal(layer.weight, given["weight"])
    assert torch.equal(layer.bias, given["bias"])


def test_all_that_does_not_fit_is_listed_and_nothing_loaded() -> None:
    layers = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    before = {name: tensor.clone() for name, tensor in layers.state_dict().items()}
    faulty = {name: torch.zeros_like(tensor) for name, tensor in before.items()}
    faulty |= {"0.weight": torch.zeros(3, 2), "2.bias": torch.zeros(1)}
    del faulty["1.bias"]
    with pytest.raises(InputError) as caught:
        load_complete(layers, faulty, "cat.safetensors")
    assert str(caught.value) == (
        "cat.safetensors does not fit Sequential: 1 missing: 1.bias; "
        "1 unexpected: 2.bias; 1 mis-shaped: 0.weight (3, 2) for (2, 3)"
    )
    for name, tensor in layers.state_dict().items():
        assert torch.equal(tensor, before[name])
