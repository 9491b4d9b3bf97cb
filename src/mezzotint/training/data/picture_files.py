"""Picture files as people keep them, with captions in text files beside them."""

from collections.abc import Sequence
from pathlib import Path

KINDS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def picture_files(folder: Path) -> list[Path]:
    """What is called a picture in ``folder`` and the folders in it, in the order of the names."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in KINDS)


def caption_beside(file: Path) -> str | None:
    """The text in ``fox.txt`` for ``fox.png``, on one line; None if there is no such file."""
    text = file.with_suffix(".txt")
    if not text.is_file():
        return None
    return " ".join(text.read_text(encoding="utf-8-sig", errors="replace").split())


def stamp(file: Path) -> tuple[str, int, int]:
    """What changes when a file does: its place, its length and the time it was written."""
    stat = file.stat()
    return str(file.resolve()), stat.st_size, stat.st_mtime_ns


def named(files: Sequence[Path]) -> str:
    """The names of the first three files."""
    return ", ".join(file.name for file in files[:3]) + ("…" if len(files) > 3 else "")
