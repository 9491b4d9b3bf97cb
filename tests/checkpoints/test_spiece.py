import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mezzotint.checkpoints.spiece import Pieces, read_pieces
from mezzotint.errors import InputError


def field(number: int, value: int | bytes) -> bytes:
    """A protobuf field, for numbers and sizes below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def piece(text: str, score: float, kind: int) -> bytes:
    inner = field(1, text.encode()) + bytes([2 << 3 | 5]) + struct.pack("<f", score)
    return field(1, inner + field(3, kind))


MODEL = b"".join(
    [
        piece("<pad>", 0.0, 3),
        piece("▁cat", -1.5, 1),
        piece("<mark>", -2.0, 4),
        field(2, field(3, 1) + bytes([1 << 3 | 1]) + bytes(8)),
        field(3, field(2, b"table")),
    ]
)


def test_pieces_marks_and_normaliser(tmp_path: Path):
    (file := tmp_path / "spiece.model").write_bytes(MODEL)
    scores = [("<pad>", 0.0), ("▁cat", -1.5), ("<mark>", -2.0)]
    assert read_pieces(file) == Pieces(scores, ["<pad>", "<mark>"], b"table")


@pytest.mark.parametrize(
    "data", [b"", MODEL[:-1], b"\xff" * 20, field(1, 5), MODEL + field(2, field(3, 2)), b"\x0b"]
)
def test_what_is_no_unigram_model_is_refused(tmp_path: Path, data: bytes):
    (file := tmp_path / "spiece.model").write_bytes(data)
    with pytest.raises(InputError, match=r"spiece\.model is not a sentencepiece model") as caught:
        read_pieces(file)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"cannot read .*none"):
        read_pieces(tmp_path / "none")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(MODEL) - 1), st.integers(0, 255)), max_size=4))
def test_damage_is_refused_or_read(tmp_path: Path, changes: list[tuple[int, int]]):
    data = bytearray(MODEL)
    for at, byte in changes:
        data[at] = byte
    (file := tmp_path / "spiece.model").write_bytes(data)
    with suppress(InputError):
        assert read_pieces(file).scores
