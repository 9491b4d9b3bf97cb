"""Sets of pictures made of a folder that somebody has: pictures, and captions beside them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from mezzotint.adapters.pictures import opened
from mezzotint.errors import InputError
from mezzotint.files import made
from mezzotint.training.data.picture_files import caption_beside, named, picture_files, stamp
from mezzotint.training.data.pictures import SHARD, Pictures, PictureSet, finish, write_shard

HELD_OUT_SHARE = 0.1  # at most


def folder_pictures(
    parent: Path, folder: Path, size: int, held_out: int, warn: Callable[[str], None]
) -> tuple[PictureSet, PictureSet]:
    """The pictures of ``folder`` at ``size × size``, those to train on and those held out.

    The caption of ``fox.png`` is the text in ``fox.txt``, empty if there is none. Pictures that
    cannot be read are skipped, and one warning counts and names them.

    Raises:
        InputError: the folder is missing, or holds no picture that can be read.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: give a folder of pictures")
    files = picture_files(folder)
    name = f"folder-{size}px-{_digest(files, held_out)}"
    homes = [parent / name, parent / f"{name}-held-out"]
    if not all((home / "set.json").exists() for home in homes):
        pictures, captions, broken = _read(files, size)
        if broken:
            counted = f"{len(broken)} of {len(files)} pictures"
            warn(f"{folder}: skipped {counted} as broken: {named(broken)}")
        if not pictures:
            raise InputError(f"no picture in {folder} can be read: give a folder of pictures")
        for home, chosen in zip(homes, _split(len(pictures), held_out), strict=True):
            _write(home, size, [pictures[k] for k in chosen], [captions[k] for k in chosen])
    return PictureSet(homes[0]), PictureSet(homes[1])


def _digest(files: list[Path], held_out: int) -> str:
    texts = [file.with_suffix(".txt") for file in files]
    stamps = [stamp(file) for file in files + texts if file.exists()]
    return hashlib.blake2b(repr((stamps, held_out)).encode(), digest_size=4).hexdigest()


def _read(files: list[Path], size: int) -> tuple[list[Pictures], list[list[str]], list[Path]]:
    pictures: list[Pictures] = []
    captions: list[list[str]] = []
    broken: list[Path] = []
    for file in files:
        try:
            upright = opened(file).convert("RGB")
        except ValueError:  # an InputError, or a kind of colour that Pillow cannot turn into RGB
            broken.append(file)
            continue
        square = ImageOps.fit(upright, (size, size), Image.Resampling.LANCZOS)
        pictures.append(np.asarray(square))
        captions.append([caption_beside(file) or ""])
    return pictures, captions, broken


def _split(count: int, held_out: int) -> tuple[list[int], list[int]]:
    """Numbers to train on and to hold out; a single picture has to serve as both."""
    shuffled = np.random.default_rng(0).permutation(count).tolist()
    kept = min(held_out, max(1, int(count * HELD_OUT_SHARE)))
    return shuffled[kept:] or shuffled, shuffled[:kept]


def _write(home: Path, size: int, pictures: list[Pictures], captions: list[list[str]]) -> None:
    made(home)
    for shard, first in enumerate(range(0, len(pictures), SHARD)):
        part = slice(first, first + SHARD)
        write_shard(home, shard, np.stack(pictures[part]), captions[part])
    about: dict[str, Any] = {"size": size, "count": len(pictures), "single": len(pictures)}
    finish(home, about)
