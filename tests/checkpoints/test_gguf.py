"""GGUF: what the gguf package writes is read, and what is written the gguf package reads."""

import builtins
import math
import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from mezzotint.checkpoints.gguf_writer import QUANTS, write_gguf
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.errors import InputError

UNPACKED = sorted(
    kind.name for kind in gguf.GGMLQuantizationType if kind in gguf.quants._type_traits
)


def write_packed(path: Path, kind: gguf.GGMLQuantizationType, rows: int = 4) -> np.ndarray:
    """Write a matrix of any bytes as the packed numbers of ``kind``; return what gguf unpacks."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    per_row = 256 // block * size
    packed = np.random.default_rng(0).integers(0, 60, (rows, per_row), np.uint8)
    writer = gguf.GGUFWriter(path, "flux")
    writer.add_array("some.words", ["a", "bc", ""])
    writer.add_array("some.numbers", [1.5, 2.5])
    writer.add_tensor("w", packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with np.errstate(all="ignore"):
        return gguf.quants.dequantize(packed, kind)


@pytest.mark.parametrize("name", UNPACKED)
def test_every_packing_is_unpacked_as_gguf_does(tmp_path, name: str):
    wanted = write_packed(tmp_path / "x", gguf.GGMLQuantizationType[name])
    tensors = open_tensors(tmp_path / "x")
    assert tensors.shapes == {"w": (4, 256)}
    assert tensors.dtypes == {"w": name}
    assert tensors.metadata["general.architecture"] == "flux"
    found = tensors["w"].float().numpy()
    np.testing.assert_array_equal(found, wanted)
    assert np.isfinite(wanted).any()


def test_a_packing_that_gguf_cannot_unpack_is_named(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "x", "flux")
    kind = gguf.GGMLQuantizationType.Q8_K
    writer.add_tensor("w", np.zeros((1, gguf.GGML_QUANT_SIZES[kind][1]), np.uint8), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InputError, match=r"w in .* is Q8_K, which gguf cannot unpack"):
        open_tensors(tmp_path / "x")["w"]


def network() -> dict[str, torch.Tensor]:
    return {
        "model.diffusion_model.input_blocks.0.0.weight": torch.randn(32, 8, 3, 3),
        "model.diffusion_model.in.weight": torch.randn(8, 64),
        "model.diffusion_model.odd.weight": torch.randn(3, 5),
        "model.diffusion_model.in.bias": torch.randn(64),
    }


@pytest.mark.parametrize("architecture", ["sd1", "flux"])
@pytest.mark.parametrize("quant", QUANTS)
def test_a_network_comes_back_within_the_error_of_its_packing(
    tmp_path, architecture: str, quant: str
):
    tensors = network()
    write_gguf(tmp_path / "x.gguf", tensors, architecture, quant)
    found = open_tensors(tmp_path / "x.gguf")
    assert list(found) == [name.removeprefix("model.diffusion_model.") for name in tensors]
    assert found.metadata["general.architecture"] == architecture
    steps = {"F32": 0, "F16": 2**-11, "BF16": 2**-8, "Q8_0": 1 / 254}
    steps |= {"Q5_1": 1 / 31, "Q5_0": 1 / 16, "Q4_1": 1 / 15, "Q4_0": 1 / 8}
    for (name, tensor), read in zip(tensors.items(), found.values(), strict=True):
        assert read.shape == tensor.shape
        step = steps[quant] if tensor.ndim > 1 else 0
        # half precision of a block's scale adds to the rounding of its numbers
        assert (read.float() - tensor).abs().max() <= 1.02 * step * tensor.abs().max(), name


def test_the_gguf_package_reads_the_same_numbers_and_names(tmp_path):
    write_gguf(tmp_path / "x.gguf", network(), "sd1", "Q8_0")
    found = open_tensors(tmp_path / "x.gguf")
    reader = gguf.GGUFReader(tmp_path / "x.gguf")
    assert [tensor.name for tensor in reader.tensors] == list(found)
    for tensor in reader.tensors:
        assert tensor.tensor_type.name == found.dtypes[tensor.name]
        field = reader.get_field(f"comfy.gguf.orig_shape.{tensor.name}")
        shape = field.contents() if field else tensor.shape[::-1].tolist()
        numbers = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape)
        np.testing.assert_array_equal(found[tensor.name].numpy(), numbers)


def test_rows_are_changed_for_u_nets_alone_and_vectors_stay_exact(tmp_path):
    kinds = {}
    for architecture in ("sd1", "flux"):
        write_gguf(tmp_path / "x.gguf", network(), architecture, "Q8_0")
        kinds[architecture] = list(open_tensors(tmp_path / "x.gguf").dtypes.values())
    assert kinds == {
        "sd1": ["Q8_0", "Q8_0", "F32", "F32"],
        "flux": ["F32", "Q8_0", "F32", "F32"],
    }


@pytest.mark.parametrize(
    ("tensors", "architecture", "quant", "reason"),
    [
        (network(), "sd15", "Q8_0", "did you mean 'sd1'"),
        (network(), "sd1", "Q8", "did you mean 'Q8_0'"),
        ({"w": torch.arange(4)}, "sd1", "Q8_0", r"no torch\.int64 called w"),
        ({"w" * 200: torch.zeros(4)}, "sd1", "Q8_0", "only networks' weights"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is(
    tmp_path, tensors, architecture: str, quant: str, reason: str
):
    with pytest.raises(InputError, match=reason):
        write_gguf(tmp_path / "x.gguf", tensors, architecture, quant)
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_its_extra_is_named(tmp_path, monkeypatch):
    write_gguf(tmp_path / "x.bin", network(), "sd1", "F16")
    original = builtins.__import__

    def without(name: str, *args: object) -> object:
        if name == "gguf":
            raise ImportError(name)
        return original(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'mezzotint\[gguf\]'"):
        open_tensors(tmp_path / "x.bin")


def header(*tensors: tuple[str, tuple[int, ...], int, int], entries: bytes = b"") -> bytes:
    """A GGUF header by hand: tensors are (name, dimensions, kind, offset)."""
    data = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), bool(entries)) + entries
    for name, dims, kind, offset in tensors:
        data += struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", len(dims))
        data += struct.pack(f"<{len(dims)}QIQ", *dims, kind, offset)
    return data + bytes(-len(data) % 32)


def test_the_headers_below_would_be_read_were_they_sound(tmp_path):
    (tmp_path / "x").write_bytes(header(("w", (4, 2), 0, 0)) + bytes(32))
    assert open_tensors(tmp_path / "x").shapes == {"w": (2, 4)}


FOR_EVER = struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 4, 2**62)


@pytest.mark.parametrize(
    "data",
    [
        b"GGUF",
        b"GGUF" + struct.pack("<IQQ", 4, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63),
        header(("w", (4, 2), 0, 0)) + bytes(31),
        header(("w", (4, 2), 0, 32)) + bytes(32),
        header(("w", (4, 2), 0, 2**63)) + bytes(32),
        header(("w", (4, 2), 99, 0)) + bytes(32),
        header(("w", (4, 2), 8, 0)) + bytes(64),
        header(("w", (2**40, 2**40), 0, 0)) + bytes(32),
        header(("w", (0, 2**63 - 1, 8), 0, 0)),
        header(("w", (1,) * 100, 0, 0)) + bytes(32),
        header(("w", (4, 2), 0, 0), ("w", (4, 2), 0, 32)) + bytes(64),
        header(("w", (4, 2), 0, 0), ("v", (4, 2), 0, 16)) + bytes(64),
        header(("w\n", (4, 2), 0, 0)) + bytes(32),
        header(entries=FOR_EVER),
        header(entries=FOR_EVER.replace(struct.pack("<I", 4), struct.pack("<I", 8), 1)),
        header(entries=FOR_EVER.replace(struct.pack("<I", 4), struct.pack("<I", 9), 1)),
    ],
)
def test_a_header_that_lies_is_refused_by_name(tmp_path, data: bytes):
    (tmp_path / "liar.gguf").write_bytes(data)
    with pytest.raises(InputError, match=r"liar\.gguf is not a GGUF file") as caught:
        open_tensors(tmp_path / "liar.gguf")
    assert str(caught.value).isprintable()


def test_an_original_shape_of_another_size_is_refused(tmp_path):
    key = "comfy.gguf.orig_shape.w"
    sizes = {True: (2, 2, 2), False: (2, 2, 3)}
    for sound, shape in sizes.items():
        entry = struct.pack("<Q", len(key)) + key.encode() + struct.pack("<IIQ3i", 9, 5, 3, *shape)
        (tmp_path / "x").write_bytes(header(("w", (4, 2), 0, 0), entries=entry) + bytes(32))
        if sound:
            assert open_tensors(tmp_path / "x")["w"].numel() == math.prod(shape)
        else:
            with pytest.raises(InputError, match="two shapes"):
                open_tensors(tmp_path / "x")
