"""A safetensors header tells what is in the file, and no lie in it is believed."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from mezzotint.checkpoints.header import read_header
from mezzotint.errors import InputError

DTYPES = {"F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "U8": "u1", "I8": "i1", "BOOL": "?"}

shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
tensors = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1).filter(
        lambda name: name != "__metadata__" and name.isprintable()
    ),
    st.tuples(st.sampled_from(sorted(DTYPES)), shapes),
    max_size=5,
)


@given(tensors, st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_the_header_is_what_the_library_wrote(tmp_path_factory, specs, metadata):
    path = tmp_path_factory.mktemp("header") / "file.safetensors"
    arrays = {n: np.zeros(shape, DTYPES[d]) for n, (d, shape) in specs.items()}
    path.write_bytes(save(arrays, metadata or None))  # the library writes {} as broken JSON
    header = read_header(path)
    assert {n: (t.dtype, t.shape) for n, t in header.tensors.items()} == specs
    assert {n: t.size for n, t in header.tensors.items()} == {
        n: math.prod(shape) for n, (_, shape) in specs.items()
    }
    assert header.metadata == metadata


def file_of(table: object, data: bytes = b"", length: int | None = None) -> bytes:
    header = json.dumps(table).encode()
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


def entry(dtype: str = "F32", shape: object = (2,), ends: object = (0, 8)) -> dict[str, object]:
    return {"w": {"dtype": dtype, "shape": shape, "data_offsets": ends}}


def test_the_files_below_would_be_read_were_they_sound(tmp_path):
    path = tmp_path / "sound.safetensors"
    path.write_bytes(file_of(entry(), bytes(8)))
    assert read_header(path).tensors["w"].shape == (2,)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x05",
        file_of(entry(), bytes(8), length=2**63),
        file_of(entry(), bytes(8), length=0),
        file_of(entry(), bytes(7)),
        file_of(entry(), bytes(9)),
        file_of(entry(shape=(3,)), bytes(8)),
        file_of(entry(shape=(-1, -2)), bytes(8)),
        file_of(entry(shape="22"), bytes(8)),
        file_of(entry(dtype="F31"), bytes(8)),
        file_of(entry(ends=(0, 8, 9)), bytes(8)),
        file_of(entry(ends=(-8, 0)), b""),
        file_of(entry(shape=(2.0,)), bytes(8)),
        file_of(entry(shape=(0, 2**62, 2**62), ends=(0, 0))),
        file_of(entry(shape=[1] * 2000, ends=(0, 4)), bytes(4)),
        file_of({**entry(), "v": entry()["w"]}, bytes(8)),
        file_of({**entry(), "v": entry(ends=(12, 20))["w"]}, bytes(20)),
        file_of({"w\n": entry()["w"]}, bytes(8)),
        file_of({"w" * 10_000: entry()["w"]}, bytes(8)),
        file_of(entry(shape=(float("inf"),)), bytes(8)),
        file_of({"w": {}}),
        file_of({"w": 3}),
        file_of([1, 2]),
        file_of("tensors"),
        file_of({"__metadata__": 3}),
        (200_000).to_bytes(8, "little") + b"[" * 200_000,
        (2).to_bytes(8, "little") + b"\xff\xfe",
    ],
)
def test_a_file_that_lies_is_refused_by_name(tmp_path, data: bytes):
    path = tmp_path / "liar.safetensors"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"liar\.safetensors is") as caught:
        read_header(path)
    assert len(str(caught.value)) < len(str(path)) + 300
    assert str(caught.value).isprintable()


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*none\.safetensors"):
        read_header(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="cannot read"):
        read_header(tmp_path)
