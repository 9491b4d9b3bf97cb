"""The open Fluent emoji art, fetched by its package client and drawn once into an atlas."""

import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mezzotint.errors import InputError
from mezzotint.files import cache_folder, write_whole
from mezzotint.world.things import KINDS

PACKAGE, VERSION = "fluentui-emoji", "1.3.0"
SHA512 = (
    "2535d7c2a2227b6ad64e03a42090c9c6bd16b704f3d9653891d3aaf1bb8b5538"
    "58c10dbae1a151da3753caea27da811b2eaa86313eb8cc8e1bb729f5b1a076c7"
)
LOOKS = ("modern", "flat")
CELL = 192  # pixels: the largest object of a 256-pixel picture is drawn without enlarging
PATIENCE = 600  # seconds for npm
LARGEST_ICON = 1 << 20  # bytes; the icons are a few kilobytes


def fetch() -> bytes:
    """The package's tarball, from the cache or else from npm, with its hash checked.

    Raises:
        InputError: npm is missing, or cannot fetch the package, or gave something else.
    """
    path = cache_folder() / f"{PACKAGE}-{VERSION}.tgz"
    if path.exists():
        return _checked(path.read_bytes(), str(path))
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(
            f"the world's art comes through npm, which is not installed: install Node.js, "
            f"or put {path.name} into {path.parent}"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", folder]
        try:
            subprocess.run(
                command, cwd=folder, capture_output=True, text=True, check=True, timeout=PATIENCE
            )
            data = _checked((Path(folder) / path.name).read_bytes(), f"npm's {path.name}")
        except subprocess.CalledProcessError as error:
            reason = " ".join(error.stderr.split())[:200] or f"exit status {error.returncode}"
            raise InputError(f"npm could not fetch {PACKAGE}@{VERSION}: {reason}") from error
        except subprocess.TimeoutExpired as error:
            raise InputError(f"npm did not fetch {PACKAGE}@{VERSION} in {PATIENCE} s") from error
        except OSError as error:
            raise InputError(f"npm gave no {path.name}: {error.strerror}") from error
    write_whole(path, data)
    return data


def _checked(data: bytes, source: str) -> bytes:
    if hashlib.sha512(data).hexdigest() != SHA512:
        raise InputError(f"{source} is not {PACKAGE} {VERSION} (its hash differs): delete it")
    return data


def icons(tarball: bytes, wanted: set[str]) -> dict[str, str]:
    """The text of the ``wanted`` members of a gzipped tarball, read in memory only.

    Raises:
        InputError: it is no tarball, a member has a path outside the package, is no plain file
            or is too large, or a wanted member is missing.
    """
    found: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
            for member in archive:
                parts = Path(member.name).parts
                if Path(member.name).is_absolute() or ".." in parts:
                    raise InputError(f"the art's tarball names a path outside it: {member.name!r}")
                if member.name not in wanted:
                    continue
                file = archive.extractfile(member) if member.isfile() else None
                text = file.read(LARGEST_ICON + 1) if file else b""
                if not 0 < len(text) <= LARGEST_ICON:
                    raise InputError(f"the art's tarball has no usable icon {member.name!r}")
                found[member.name] = text.decode()
    except (tarfile.TarError, EOFError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"the art's tarball cannot be read: {error}") from error
    if missing := sorted(wanted - found.keys()):
        raise InputError(f"the art's tarball lacks {missing[0]!r}")
    return found


@cache
def atlas() -> dict[tuple[str, str], NDArray[np.uint8]]:
    """Every sprite by ``(look, name)``: ``(h, w, 4)`` uint8, straight alpha, trimmed to the art.

    The longer side is about CELL pixels. The first call draws them all (a minute) and keeps them
    in the cache folder; later ones map the file into memory, which processes then share.

    Raises:
        InputError: the art cannot be had, or the kept file is damaged.
    """
    members = sorted({_member(look, name) for look in LOOKS for name in KINDS})
    decides = "\n".join((SHA512, *members))
    fingerprint = hashlib.sha256(decides.encode()).hexdigest()[:12]
    path = cache_folder() / f"atlas-{VERSION}-{CELL}-{fingerprint}.npy"
    if not path.exists():
        write_whole(path, _packed(_draw(members)))
    try:
        packed = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        sprites = _unpacked(packed, len(members))
    except (EOFError, OSError, ValueError) as error:
        raise InputError(f"the atlas {path} is damaged: delete it") from error
    drawn = dict(zip(members, sprites, strict=True))
    return {(look, name): drawn[_member(look, name)] for look in LOOKS for name in KINDS}


def _member(look: str, name: str) -> str:
    return f"package/icons/{look}/{KINDS[name].icon}.svg"


def _packed(sprites: list[NDArray[np.uint8]]) -> bytes:
    """A ``.npy`` file of one row of bytes: every sprite's height and width, then their pixels."""
    sizes = np.array([sprite.shape[:2] for sprite in sprites], "<i4")
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate([sizes.view(np.uint8).ravel(), *(s.ravel() for s in sprites)]))
    return buffer.getvalue()


def _unpacked(packed: NDArray[np.uint8], count: int) -> list[NDArray[np.uint8]]:
    sizes = packed[: 8 * count].view("<i4").reshape(count, 2).astype(np.int64)
    ends = 8 * count + np.cumsum(4 * sizes.prod(axis=1))
    if packed.dtype != np.uint8 or (sizes < 1).any() or ends[-1] != packed.size:
        raise ValueError("its sizes do not add up")
    pixels = np.split(packed[8 * count :], ends[:-1] - 8 * count)
    return [
        flat.reshape(height, width, 4) for flat, (height, width) in zip(pixels, sizes, strict=True)
    ]


def _draw(members: list[str]) -> list[NDArray[np.uint8]]:
    try:
        import resvg_py
    except ImportError as error:
        raise InputError(
            "drawing the world's art needs resvg-py: pip install 'mezzotint[world]'"
        ) from error
    from PIL import Image

    texts = icons(fetch(), set(members))
    sprites: list[NDArray[np.uint8]] = []
    for member in members:
        png = bytes(resvg_py.svg_to_bytes(svg_string=texts[member], width=CELL, height=CELL))
        icon = Image.open(io.BytesIO(png)).convert("RGBA")
        sprites.append(np.asarray(icon.crop(icon.getchannel("A").getbbox())))
    return sprites
