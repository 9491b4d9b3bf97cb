"""Pictures of three tools in three formats, and files that lie about what they carry."""

import json
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mezzotint.errors import InputError
from mezzotint.pipeline.metadata import read, reading
from mezzotint.pipeline.metadata.texts import MAX_TEXT

SETTINGS = "Steps: 28, Sampler: Euler a, CFG scale: 7, Seed: 12, Size: 512x768, Version: v1.10.1"
CASTLE = f"a castle, 城 ☃\n{SETTINGS}"
GRAPH = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            **{"seed": 5, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "karras"},
            **{"positive": ["6", 0], "latent_image": ["5", 0]},
        },
    },
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 8, "height": 8, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["6", 0]}},
}
PICTURE = Image.new("RGB", (16, 8))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes, last: tuple[bytes, ...] = ()) -> bytes:
    """A PNG with chunks before and after its pixels."""
    header = struct.pack(">IIBBBBB", 16, 8, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes((16 * 3 + 1) * 8))
    ends = chunk(b"IDAT", pixels), *last, chunk(b"IEND", b"")
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *chunks, *ends])


def written(folder: Path, data: bytes) -> Path:
    (folder / "a.png").write_bytes(data)
    return folder / "a.png"


def itxt(key: str, data: bytes, packed: bool = False) -> bytes:
    body = zlib.compress(data) if packed else data
    return chunk(b"iTXt", key.encode() + bytes([0, packed, 0]) + b"en\0translated\0" + body)


@pytest.mark.parametrize(
    "data",
    [
        png(itxt("parameters", CASTLE.encode())),
        png(itxt("parameters", CASTLE.encode(), packed=True)),
        png(last=(itxt("parameters", CASTLE.encode()),)),
        png(chunk(b"tEXt", b"Software\0x"), itxt("parameters", CASTLE.encode())),
    ],
)
def test_every_kind_of_text_chunk(tmp_path: Path, data: bytes):
    path = written(tmp_path, data)
    assert read(path).prompt == "a castle, 城 ☃"
    with Image.open(path) as picture:  # so that the file is one
        picture.load()
        assert picture.text["parameters"] == CASTLE


def test_latin_text(tmp_path: Path):
    for kind, body in ((b"tEXt", bytes), (b"zTXt", lambda text: b"\0" + zlib.compress(text))):
        text = f"a café\n{SETTINGS}".encode("latin-1")
        path = written(tmp_path, png(chunk(kind, b"parameters\0" + body(text))))
        assert read(path).prompt == "a café"


@pytest.mark.parametrize("order", ["big", "little"])
@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a1111_in_jpeg_and_webp(tmp_path: Path, form: str, order: str):
    exif = Image.Exif()
    code = "utf-16-be" if order == "big" else "utf-16-le"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + CASTLE.encode(code)
    PICTURE.save(path := tmp_path / "a", form, exif=exif)
    assert read(path).prompt == "a castle, 城 ☃"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + SETTINGS.encode()
    PICTURE.save(path, form, exif=exif)
    assert read(path).seed == 12


def test_comfyui_in_png_and_webp(tmp_path: Path):
    chunks = PngInfo()
    chunks.add_text("prompt", json.dumps(GRAPH))
    chunks.add_text("workflow", "{}")
    PICTURE.save(path := tmp_path / "a.png", pnginfo=chunks)
    assert (reading(path).tool, read(path).prompt) == ("ComfyUI", "a fox")
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "workflow:{}", "prompt:" + json.dumps(GRAPH)
    PICTURE.save(path := tmp_path / "a.webp", exif=exif)
    assert (reading(path).tool, read(path).prompt) == ("ComfyUI", "a fox")


def test_a_graph_for_the_editor_alone(tmp_path: Path):
    path = written(tmp_path, png(chunk(b"tEXt", b"workflow\0{}")))
    with pytest.raises(InputError, match=r"a\.png has ComfyUI's editor graph alone"):
        read(path)


BOMB = zlib.compress(bytes(MAX_TEXT + 1))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (png(chunk(b"zTXt", b"parameters\0\0" + BOMB)), "too large"),
        (png(chunk(b"iTXt", b"prompt\0\1\0\0\0" + BOMB)), "too large"),
        (png(chunk(b"tEXt", b"prompt\0" + bytes(MAX_TEXT))), "too large"),
        (png(chunk(b"zTXt", b"parameters\0\0not packed")), "cannot be unpacked"),
        (png(chunk(b"tEXt", b"parameters\0a fox")), "a.png: the recipe is not complete"),
        (png(chunk(b"tEXt", b"prompt\0" + b"[" * MAX_TEXT)[:-8]), "too large"),
        (png(chunk(b"tEXt", b"prompt\0" + b"[" * 10**6)), "a.png: its ComfyUI graph is not JSON"),
        (b"\x89PNG\r\n\x1a\n" + bytes(25), "not a PNG picture that can be read"),
        (b"\xff\xd8\xff\xe0" + bytes(99), "not a PNG, JPEG or WebP"),
        (b"RIFF\0\0\0\0WEBPVP8 " + bytes(99), "not a PNG, JPEG or WebP"),
    ],
)
def test_files_that_lie_are_one_line(tmp_path: Path, data: bytes, says: str):
    assert len(BOMB) < 10_000
    with pytest.raises(InputError) as caught:
        reading(written(tmp_path, data))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_chunk_that_claims_more_than_there_is(tmp_path: Path):
    data = png()[:33] + struct.pack(">I4s", 2**31, b"tEXt") + b"Comment\0"
    with pytest.raises(InputError, match="nobody knows"):
        reading(written(tmp_path, data))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.data())
def test_damaged_files_are_refused_or_read(tmp_path: Path, form: str, data: st.DataObject):
    path = tmp_path / "a"
    if form == "PNG":
        path.write_bytes(png(itxt("parameters", CASTLE.encode(), packed=True)))
    else:
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + CASTLE.encode("utf-16-be")
        PICTURE.save(path, form, exif=exif)
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    with suppress(InputError):
        assert isinstance(read(path).steps, int)
