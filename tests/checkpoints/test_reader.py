"""Whatever kind a file is, its tensors are those that its own library wrote."""

import json

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.tensors import DTYPES, NAMES
from mezzotint.checkpoints.writer import write_tensors
from mezzotint.errors import InputError

TORCH_WRITES = sorted(set(NAMES.values()) - {"F8_E8M0"})
specs = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}(\.[0-9]{1,2})?\.weight", fullmatch=True),
    st.tuples(st.sampled_from(TORCH_WRITES), st.lists(st.integers(0, 4), max_size=3)),
    min_size=1,
    max_size=6,
)


def tensors_of(specs) -> dict[str, torch.Tensor]:
    made = {}
    for name, (dtype, shape) in specs.items():
        size = DTYPES[dtype].itemsize
        raw = torch.randint(0, 2, (*shape, size), dtype=torch.uint8)
        made[name] = raw.flatten().view(DTYPES[dtype]).view(shape)
    return made


def raw(tensor: torch.Tensor) -> list[int]:
    return tensor.contiguous().reshape(-1).view(torch.uint8).tolist() if tensor.numel() else []


def assert_same(found, wanted) -> None:
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype, name
        assert found[name].shape == tensor.shape == found.shapes[name], name
        assert found.dtypes[name] == NAMES[tensor.dtype]
        assert raw(found[name]) == raw(tensor), name


def save_legacy(tensors, path) -> None:
    torch.save(tensors, path, _use_new_zipfile_serialization=False)


WRITERS = {
    "safetensors": safetensors.torch.save_file,
    "ours": lambda tensors, path: write_tensors(path, tensors),
    "pickle": torch.save,
    "nested pickle": lambda tensors, path: torch.save({"state_dict": tensors, "epoch": 3}, path),
}


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.ckpt"])
@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(specs=specs)
def test_every_dtype_and_shape_comes_back_whatever_the_file_is_called(
    tmp_path_factory, writer: str, name: str, specs
):
    path = tmp_path_factory.mktemp("kind") / name
    tensors = tensors_of(specs)
    WRITERS[writer](tensors, path)
    assert_same(open_tensors(path), tensors)


@settings(max_examples=20)
@given(specs, st.dictionaries(st.text("abc"), st.text("xyz"), max_size=3))
def test_the_library_reads_what_is_written(tmp_path_factory, specs, metadata):
    path = tmp_path_factory.mktemp("ours") / "x.safetensors"
    tensors = tensors_of(specs)
    write_tensors(path, tensors, metadata)
    found = safetensors.torch.load_file(path)
    assert {n: (t.dtype, t.shape, raw(t)) for n, t in found.items()} == {
        n: (t.dtype, t.shape, raw(t)) for n, t in tensors.items()
    }
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt", **metadata}


def test_legacy_pickles_are_read(tmp_path):
    tensors = {"a": torch.randn(3, 2), "b": torch.arange(4), "c": torch.randn(2).half()}
    save_legacy(tensors, tmp_path / "old.pt")
    assert_same(open_tensors(tmp_path / "old.pt"), tensors)


@pytest.mark.parametrize("writer", ["safetensors", "pickle"])
def test_a_tensor_shares_the_pages_of_its_file(tmp_path, writer: str):
    path = tmp_path / "x"
    WRITERS[writer]({"w": torch.zeros(4096)}, path)
    tensors = open_tensors(path)
    first, second = tensors["w"], tensors["w"]
    assert first.data_ptr() == second.data_ptr()
    first[0] = 1  # of this process' page alone
    assert second[0] == 1
    assert open_tensors(path)["w"][0] == 0


def test_nothing_is_read_before_it_is_asked_for(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"w": torch.zeros(2, 3)})
    tensors = open_tensors(path)

    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("data was read")

    monkeypatch.setattr(torch, "frombuffer", never)
    assert tensors.shapes == {"w": (2, 3)}
    assert tensors.dtypes == {"w": "F32"}
    assert "w" in tensors
    assert list(tensors) == ["w"]
    with pytest.raises(AssertionError, match="data was read"):
        tensors["w"]


def test_numbers_that_are_not_aligned_are_copied(tmp_path):
    header = {
        "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "b": {"dtype": "F32", "shape": [2], "data_offsets": [1, 9]},
    }
    text = json.dumps(header).encode()
    path = tmp_path / "odd.safetensors"
    data = torch.tensor([1.5, -2.0]).numpy().tobytes()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\x07" + data)
    tensor = open_tensors(path)["b"]
    assert tensor.tolist() == [1.5, -2.0]
    assert tensor.data_ptr() % 4 == 0


@pytest.mark.parametrize("first", [b"{", b" ", b"\x80", b"\n"])
def test_a_length_that_looks_like_another_format_is_a_length(tmp_path, first: bytes):
    length = first[0]
    path = tmp_path / "x"
    path.write_bytes(first + bytes(7) + b"{}".ljust(length))
    assert open_tensors(path).kind == "safetensors"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"hello, I am no model", "wanted is safetensors"),
    ],
)
def test_what_is_no_model_is_told_what_it_is(tmp_path, data: bytes, reason: str):
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(InputError, match=reason) as caught:
        open_tensors(path)
    assert str(path) in str(caught.value)


def test_numbers_that_torch_has_no_dtype_for_are_named(tmp_path):
    text = b'{"w":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}'
    path = tmp_path / "four.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0\0")
    tensors = open_tensors(path)
    assert tensors.shapes == {"w": (4,)}
    with pytest.raises(InputError, match=r"w in .* is F4"):
        tensors["w"]
