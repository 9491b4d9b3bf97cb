"""The texts that a picture file carries, read without decoding the picture.

Files come from anywhere: what a text claims, and what it unpacks to, is bounded before it is read.
"""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from mezzotint.errors import InputError

PNG = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 4 * 2**20  # bytes of one text, unpacked; a large ComfyUI graph has a tenth
MAX_CHUNKS = 100_000
KEYS = "parameters", "prompt", "workflow"

_EXIF_FIELDS, _COMMENT = 0x8769, 0x9286
_CODES = {b"UNICODE\0": "utf-16", b"ASCII\0\0\0": "ascii", bytes(8): "utf-8"}


@dataclass(frozen=True)
class Carried:
    """A picture's texts by their keys, of those in ``KEYS``, and its size in pixels."""

    texts: dict[str, str]
    width: int
    height: int


def carried(path: Path) -> Carried:
    """What a PNG, JPEG or WebP file carries.

    Raises:
        InputError: the file cannot be read or is no such picture, or a text is too large.
    """
    try:
        with path.open("rb") as file:
            return _png(path, file) if file.read(len(PNG)) == PNG else _exif(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _png(path: Path, file: BinaryIO) -> Carried:
    texts: dict[str, str] = {}
    header = file.read(25)
    if len(header) < 25 or header[4:8] != b"IHDR":
        raise InputError(f"{path} is not a PNG picture that can be read: it is cut short")
    width, height = struct.unpack(">II", header[8:16])
    for _ in range(MAX_CHUNKS):
        length, kind = struct.unpack(">I4s", file.read(8).rjust(8, b"\0"))
        if not kind.strip(b"\0") or kind == b"IEND":
            break
        start = file.tell()
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            key, _, head = file.read(min(length, 80)).partition(b"\0")
            if (name := key.decode("latin-1")) in KEYS:
                if length > MAX_TEXT:
                    raise _too_large(path, name)
                rest = file.read(length - len(key) - 1 - len(head))
                texts[name] = _text(path, name, kind, head + rest)
        file.seek(start + length + 4)
    return Carried(texts, width, height)


def _text(path: Path, name: str, kind: bytes, data: bytes) -> str:
    packed, code = kind == b"zTXt", "latin-1"
    if kind == b"zTXt":
        data = data[1:]
    elif kind == b"iTXt":
        packed, code = data[:1] == b"\1", "utf-8"
        data = data[2:].split(b"\0", 2)[-1]
    if packed:
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(data, MAX_TEXT + 1)
        except zlib.error as error:
            raise InputError(f"{path}: its `{name}` text cannot be unpacked: {error}") from error
        if len(data) > MAX_TEXT:
            raise _too_large(path, name)
    return data.decode(code, "replace")


def _exif(path: Path) -> Carried:
    """What A1111 (user comment) and ComfyUI (`key:text` fields) put into a JPEG or a WebP."""
    try:
        with Image.open(path, formats=["JPEG", "WEBP"]) as image:
            exif = image.getexif()
            entries = [*exif.values(), *exif.get_ifd(_EXIF_FIELDS).items()]
            width, height = image.size
    except OSError as error:
        if error.errno:
            raise
        raise _no_picture(path) from error
    except Exception as error:  # Pillow raises many kinds at a damaged file
        raise _no_picture(path) from error
    texts: dict[str, str] = {}
    for entry in entries:
        comment = isinstance(entry, tuple) and entry[0] == _COMMENT
        value = entry[1] if comment else entry
        if isinstance(value, str | bytes) and len(value) > MAX_TEXT:
            raise _too_large(path, "EXIF")
        if comment and isinstance(value, bytes):
            texts["parameters"] = _comment(value)
        elif isinstance(value, str) and (parts := value.partition(":"))[0].lower() in KEYS:
            texts[parts[0].lower()] = parts[2]
    return Carried(texts, width, height)


def _comment(data: bytes) -> str:
    code = _CODES.get(data[:8])
    if code is None:
        return data.decode("utf-8", "replace")
    if code == "utf-16":  # mostly big-endian, whatever the file's own order; ASCII tells
        code = "utf-16-be" if data[8::2].count(0) >= data[9::2].count(0) else "utf-16-le"
    return data[8:].decode(code, "replace")


def _no_picture(path: Path) -> InputError:
    return InputError(f"{path} is not a PNG, JPEG or WebP picture that can be read")


def _too_large(path: Path, name: str) -> InputError:
    return InputError(f"{path}: its `{name}` text is over {MAX_TEXT >> 20} MiB, too large to read")
