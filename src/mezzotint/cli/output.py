"""Where pictures go: names, sizes and whether they can be written, checked before any work."""

import re
import tempfile
from pathlib import Path

from mezzotint.errors import InputError, writing


def check_picture(path: Path) -> None:
    """See that a PNG can be written at ``path``.

    Raises:
        InputError: the name does not end in .png, is a folder's, or its folder is not writable.
    """
    if path.suffix.lower() != ".png":
        raise InputError(f"output {str(path)!r}: pictures are PNG, name it {path.stem}.png")
    if path.is_dir():
        raise InputError(f"output {path} is a folder: name a file in it")
    with writing(path), tempfile.TemporaryFile(dir=path.parent):
        pass


def numbered(path: Path, count: int) -> list[Path]:
    """Names for ``count`` pictures: fox.png alone, or fox-1.png, fox-2.png, …

    Raises:
        InputError: ``count`` is not from 1 to 1000.
    """
    whole_number("-n", count, 1, 1000)
    if count == 1:
        return [path]
    digits = len(str(count))
    return [path.with_stem(f"{path.stem}-{k:0{digits}}") for k in range(1, count + 1)]


def size_of(text: str) -> tuple[int, int]:
    """Read ``WIDTHxHEIGHT``.

    Raises:
        InputError: the text is something else.
    """
    match = re.fullmatch(r"(\d{1,6})[x×](\d{1,6})", text)
    if match is None:
        raise InputError(f"size {text!r}: give it as WIDTHxHEIGHT, such as 128x128")
    return int(match[1]), int(match[2])


def whole_number(name: str, value: int, low: int, high: int) -> None:
    """See that ``value`` is within its limits.

    Raises:
        InputError: it is not.
    """
    if not low <= value <= high:
        raise InputError(f"{name} {value}: give a whole number from {low} to {high}")
