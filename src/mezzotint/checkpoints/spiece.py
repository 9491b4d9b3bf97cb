"""What a `spiece.model` says: the vocabulary of a sentencepiece model, read from its protobuf.

Only what a T5 needs is read, so no protobuf library is: a message is a row of fields, each a key
(number · 8 + wire type) and a value.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mezzotint.errors import InputError

MAX_FILE = 64 * 2**20  # bytes; T5's has 0.8 MiB
NORMAL, CONTROL, USER = 1, 3, 4
UNIGRAM = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Pieces:
    """A unigram vocabulary.

    Attributes:
        scores: pieces and their log probabilities; a piece's place is its id.
        marks: pieces that stand for themselves wherever they occur, such as `</s>`.
        normaliser: how characters are rewritten first, as sentencepiece stores it; may be empty.
    """

    scores: list[tuple[str, float]]
    marks: list[str]
    normaliser: bytes


def read_pieces(path: Path) -> Pieces:
    """Read a sentencepiece model.

    Raises:
        InputError: the file cannot be read, or is not one of a unigram vocabulary.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise InputError(f"{path} is too large for a sentencepiece vocabulary")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    scores: list[tuple[str, float]] = []
    marks: list[str] = []
    normaliser, model = b"", UNIGRAM
    try:
        for number, value in _fields(data):
            if number == 1:
                piece = dict(_fields(_bytes(value)))
                text = _bytes(piece[1]).decode()
                scores.append((text, struct.unpack("<f", _bytes(piece.get(2, bytes(4))))[0]))
                if piece.get(3, NORMAL) in (CONTROL, USER):
                    marks.append(text)
            elif number == 2:
                model = dict(_fields(_bytes(value))).get(3, UNIGRAM)
            elif number == 3:
                normaliser = _bytes(dict(_fields(_bytes(value))).get(2, b""))
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise InputError(f"{path} is not a sentencepiece model: {error}") from error
    if not scores or model != UNIGRAM:
        raise InputError(f"{path} is not a sentencepiece model of a unigram vocabulary, as T5's is")
    return Pieces(scores, marks, normaliser)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        else:
            size = {_FIXED64: 8, _FIXED32: 4}[wire]
        if at + size > len(data):
            raise ValueError("it is cut short")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError(f"{value} is no text")
    return value
