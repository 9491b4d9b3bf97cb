"""Pictures that are brought: taken for what they hold, or refused in a line."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mezzotint.errors import InputError
from mezzotint.lab.uploads import KEPT, MOST_BYTES, Uploads, picture

RED = Image.new("RGB", (20, 10), "red")


def as_file(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def claiming(width: int, height: int) -> bytes:
    """A PNG of one pixel whose head says that it is larger."""
    file = as_file(Image.new("1", (1, 1)), "PNG")
    head = b"IHDR" + struct.pack(">2I", width, height) + file[24:29]
    return file[:12] + head + struct.pack(">I", zlib.crc32(head)) + file[33:]


REFUSED = {
    "40 megapixels": (as_file(Image.new("1", (8000, 5000)), "PNG"), "8000 x 5000 is too large"),
    "10 gigapixels, it says": (claiming(100_000, 100_000), "too large"),
    "truncated": (as_file(Image.effect_noise((64, 64), 50), "PNG")[:900], "no whole picture"),
    "truncated in its head": (as_file(RED, "JPEG")[:20], "no whole picture"),
    "markup": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='hit()'/>", "no whole picture"),
    "a kind that is not read": (as_file(RED, "TIFF"), "PNG, JPEG, WEBP, GIF, BMP"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no whole picture"),
    "a pickle": (b"\x80\x04\x95\x0b\x00\x8c\x07os.path\x94.", "no whole picture"),
    "nothing": (b"", "no whole picture"),
}


@pytest.mark.parametrize("which", REFUSED)
def test_what_is_no_picture_is_refused(which: str):
    sent, said = REFUSED[which]
    with pytest.raises(InputError, match=said) as why:
        picture(sent)
    assert "\n" not in str(why.value)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF"])
def test_a_picture_is_its_pixels_whatever_it_is_called(kind: str):
    assert picture(as_file(RED, kind)).tobytes() == RED.tobytes()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_a_moving_picture_the_first_is_taken(kind: str):
    moving = as_file(RED, kind, save_all=True, append_images=[Image.new("RGB", (20, 10), "blue")])
    found = np.asarray(picture(moving))
    assert found.shape == (10, 20, 3)
    assert np.abs(found.astype(int) - (255, 0, 0)).max() < 9


def test_it_stands_upright_and_keeps_its_transparency():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    assert picture(as_file(RED, "JPEG", exif=exif)).size == (10, 20)
    assert picture(as_file(RED.convert("RGBA"), "PNG")).mode == "RGBA"


def test_the_last_are_kept_by_their_pixels():
    uploads = Uploads()
    first = uploads.keep(RED)
    assert uploads.keep(RED.copy()) == first != uploads.keep(RED.rotate(90, expand=True))
    for k in range(KEPT - 1):
        uploads.keep(Image.new("L", (1, 1), k))
    with pytest.raises(InputError, match="bring it again"):
        uploads.find(first)


def test_one_that_is_in_use_is_kept():
    uploads = Uploads()
    used, idle = uploads.keep(RED), uploads.keep(RED.rotate(90, expand=True))
    for k in range(2 * KEPT):
        uploads.keep(Image.new("L", (1, 1), k))
        assert uploads.find(used) is RED
    with pytest.raises(InputError, match="bring it again"):
        uploads.find(idle)


def test_the_server_takes_and_refuses_them(client):
    names = {"content-type": "text/html", "content-disposition": "filename=../../red.exe"}
    brought = client.post("/api/pictures", content=as_file(RED, "PNG"), headers=names)
    assert (brought.status_code, brought.json()["size"]) == (201, [20, 10])
    assert client.post("/api/pictures", content=as_file(RED, "BMP")).json() == brought.json()
    refused = client.post("/api/pictures", content=bytes(MOST_BYTES + 1))
    assert (refused.status_code, "over 20 MB" in refused.json()["why"]) == (400, True)
