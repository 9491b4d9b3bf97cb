"""Pictures that visitors bring: small enough, of a known kind, kept while they matter."""

import hashlib
import io
import warnings
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from fastapi import Request
from PIL import Image, ImageOps

from mezzotint.errors import InputError

KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MOST_BYTES = 20_000_000
MOST_PIXELS = 24_000_000
KEPT = 64


@dataclass(frozen=True)
class Uploads:
    """The last pictures that were brought or asked for, by the names that pages know them by."""

    _kept: OrderedDict[str, Image.Image] = field(default_factory=OrderedDict[str, Image.Image])
    _lock: Lock = field(default_factory=Lock)

    def keep(self, picture: Image.Image) -> str:
        """Keep a picture; its name, which is that of its pixels."""
        name = hashlib.sha256(f"{picture.size}".encode() + picture.tobytes()).hexdigest()[:16]
        with self._lock:
            self._kept[name] = picture
            self._kept.move_to_end(name)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return name

    def find(self, name: str) -> Image.Image:
        """A picture that was kept.

        Raises:
            InputError: there is none of this name, or no longer.
        """
        with self._lock:
            if picture := self._kept.get(name):
                self._kept.move_to_end(name)  # what is in use is forgotten last
                return picture
        raise InputError("the lab no longer has this picture: bring it again")


async def body(request: Request) -> bytes:
    """What was sent, if it is not too long.

    Raises:
        InputError: it is longer than ``MOST_BYTES``.
    """
    sent = bytearray()
    async for chunk in request.stream():
        sent += chunk
        if len(sent) > MOST_BYTES:
            raise InputError(f"the file is over {MOST_BYTES // 10**6} MB: bring a smaller one")
    return bytes(sent)


def picture(sent: bytes) -> Image.Image:
    """An upright picture in RGB, or RGBA where it has transparency: the first one of a moving one.

    Raises:
        InputError: it is too large, or no whole picture of a kind in ``KINDS``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # refused below
            with Image.open(io.BytesIO(sent), formats=KINDS) as file:
                width, height = file.size
                if width * height > MOST_PIXELS:
                    raise _too_large(f"{width} x {height}")
                file.load()
                return ImageOps.exif_transpose(file).convert(
                    "RGBA" if file.has_transparency_data else "RGB"
                )
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise _too_large("so many pixels") from None
    except Exception as error:  # decoders raise whatever they like at what is broken
        raise InputError(
            f"this is no whole picture of a kind that is read here ({', '.join(KINDS)})"
        ) from error


def _too_large(size: str) -> InputError:
    most = MOST_PIXELS // 10**6
    return InputError(
        f"a picture of {size} is too large here: bring one of at most {most} megapixels"
    )
