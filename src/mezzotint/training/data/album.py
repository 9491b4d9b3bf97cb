"""Albums: what somebody has of a subject, of a style or of pairs, in a folder or in several.

A folder holds pictures, and captions in text files of the same names. A TOML names several:

    [[folder]]
    path = "my fox"                  # from the TOML's own folder on
    caption = "a photo of sks fox"   # of the pictures that have no text beside them
    repeats = 4                      # how often an epoch visits each; once, if nothing is said

    [[folder]]
    path = "other foxes"
    caption = "a photo of a fox"
    class = true                     # what the subject is one of, for prior preservation
"""

import tomllib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from PIL import ExifTags, Image

from mezzotint.errors import InputError, choose, unknown
from mezzotint.specs import replaced
from mezzotint.training.data.picture_files import caption_beside, named, picture_files

T = TypeVar("T")

PAIRS: Mapping[str, tuple[str, str]] = {
    "": ("", ""),
    "conditions": ("", "conditions"),
    "after": ("after", "before"),
}
"""Where the pictures are that a network learns to draw, and where their companions are."""

UNLIKE = 1.1  # a companion stretched by more than this is of another picture
SIDEWAYS = (5, 6, 7, 8)  # of EXIF's orientations, those that swap width and height
HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class Shot:
    """A picture of an album.

    Attributes:
        file: the picture.
        caption: on one line; empty where nothing is said.
        width, height: pixels, as it is seen.
        repeats: how often an epoch visits it.
        companion: its condition, or what it was before it was edited.
    """

    file: Path
    caption: str
    width: int
    height: int
    repeats: int
    companion: Path | None


@dataclass(frozen=True)
class Album:
    """The pictures to learn, and those of the class that their subject is one of."""

    shots: tuple[Shot, ...]
    prior: tuple[Shot, ...]


@dataclass(frozen=True)
class _Folder:
    path: str = ""
    caption: str = ""
    repeats: int = 1
    class_: bool = False


def read_album(source: Path, warn: Callable[[str], None], pairs: str = "") -> Album:
    """The pictures of a folder, or of the folders that a TOML names; their sizes by their headers.

    Pictures that cannot be read, or have no companion of their shape where there are pairs, are
    skipped; one warning for each folder and reason counts and names them, and captions without
    pictures. A companion of another size is scaled to its picture's.

    Args:
        source: the folder or the TOML.
        warn: called with each warning, one line.
        pairs: "conditions" if the companion of ``fox.png`` is ``conditions/fox.png``; "after" if
            pictures are in ``after``, their companions of the same names in ``before``, and the
            instructions beside those.

    Raises:
        InputError: there is no such folder, or no picture in it can be used; the TOML cannot be
            read, or says something unknown.
    """
    choose("kind of pairs", pairs, PAIRS)
    folders = _named_in(source) if source.suffix == ".toml" else [_Folder(str(source))]
    taught, prior = (
        tuple(
            shot
            for folder in folders
            if folder.class_ == of_class
            for shot in _shots(folder, "" if of_class else pairs, warn)
        )
        for of_class in (False, True)
    )
    if not taught:
        raise InputError(f"{source} names only folders of a class: name one of what is learnt too")
    return Album(taught, prior)


def refuse_unsaid(shots: Sequence[Shot], what: str, advice: str, said: str = "") -> None:
    """See that something is said of each picture.

    Args:
        shots: the pictures.
        what: what they are called in an error, such as "pictures of the class".
        advice: where to say it; {} is the name of the first, without its ending.
        said: what is said of those that have no caption.

    Raises:
        InputError: some have neither; it counts them and names the first.
    """
    if unsaid := [shot.file for shot in shots if not (shot.caption or said)]:
        raise InputError(
            f"nothing is said of {len(unsaid)} {what}, {unsaid[0].name} among them: "
            + advice.format(unsaid[0].stem)
        )


def divided(shots: Sequence[T], most: int) -> tuple[list[T], list[T]]:
    """Pictures to train on, and at most ``most`` and a tenth of all that only validation sees.

    With fewer than ten none can be spared: validation then sees those that are trained on.
    """
    shuffled = [shots[k] for k in np.random.default_rng(0).permutation(len(shots))]
    kept = min(most, int(len(shots) * HELD_OUT_SHARE))
    return (shuffled[kept:], shuffled[:kept]) if kept else (list(shots), list(shots))


def _named_in(file: Path) -> list[_Folder]:
    """The folders of a TOML."""
    try:
        table = tomllib.loads(file.read_text())
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not TOML: {error}") from error
    if strange := table.keys() - {"folder"}:
        raise InputError(f"{file}: {unknown('table', min(strange), ['folder'])}")
    tables = table.get("folder")
    if not isinstance(tables, list) or not tables:
        raise InputError(f'{file} names no folders: begin with [[folder]] and path = "…"')
    return [_folder(each, file) for each in cast("list[Any]", tables)]


def _folder(table: Any, file: Path) -> _Folder:
    if not isinstance(table, dict):
        raise InputError(f"{file}: folder must be a table [[folder]], not {table!r}")
    values = cast("dict[str, Any]", table)
    known = [field.name.rstrip("_") for field in fields(_Folder)]  # ``class`` is Python's
    for name in values:
        if name not in known:
            raise InputError(f"{file}: folder: {unknown('field', name, known)}")
    ours = {"class_" if name == "class" else name: value for name, value in values.items()}
    folder = replaced(_Folder(), ours, f"{file}: folder")
    if not folder.path:
        raise InputError(f'{file}: a folder has no path: give it as path = "…"')
    if folder.repeats < 1:
        raise InputError(f"{file}: repeats {folder.repeats}: give a whole number from 1")
    return replaced(folder, {"path": str(file.parent / folder.path)}, str(file))


def _shots(folder: _Folder, pairs: str, warn: Callable[[str], None]) -> list[Shot]:
    pictures, companions = (Path(folder.path, name) for name in PAIRS[pairs])
    for needed in (Path(folder.path), pictures, companions):
        if not needed.is_dir():
            raise InputError(f"no folder {needed}: give a folder of pictures")
    beside = _by_stem(companions) if pairs else {}
    others = set(beside.values())
    found = {stem: file for stem, file in _by_stem(pictures).items() if file not in others}
    shots: list[Shot] = []
    skipped: dict[str, list[Path]] = defaultdict(list)
    for stem, file in found.items():
        companion, size = beside.get(stem), _size(file)
        if size is None:
            skipped["broken or too large"].append(file)
        elif pairs and (fault := _fault(companion, size)):
            skipped[fault].append(file)
        else:
            told = caption_beside(companion if companion and pairs == "after" else file)
            caption = folder.caption if told is None else told
            shots.append(Shot(file, caption, *size, folder.repeats, companion))
    for fault, files in skipped.items():
        counted = f"{len(files)} of {len(found)} pictures"
        warn(f"{folder.path}: skipped {counted}, {fault}: {named(files)}")
    stems = {file.with_suffix("") for file in (*found.values(), *others)}
    texts = sorted((companions if pairs == "after" else pictures).rglob("*.txt"))
    if lost := [text for text in texts if text.with_suffix("") not in stems]:
        warn(f"{folder.path}: {len(lost)} captions have no picture: {named(lost)}")
    if not shots:
        raise InputError(f"no picture in {folder.path} can be used: give a folder of pictures")
    return shots


def _fault(companion: Path | None, size: tuple[int, int]) -> str:
    """Why this cannot be the companion of a picture of ``size``, empty if it can."""
    if companion is None:
        return "without a companion"
    other = _size(companion)
    if other is None:
        return "with a broken companion"
    stretched = size[0] * other[1] / (size[1] * other[0])
    return "" if 1 / UNLIKE < stretched < UNLIKE else "with a companion of another shape"


def _by_stem(folder: Path) -> dict[str, Path]:
    """Pictures by their places in ``folder``, without what says of which format they are.

    Of two formats of a picture, which would share a caption, both are kept.
    """
    found: dict[str, Path] = {}
    for file in picture_files(folder):
        stem = str(file.relative_to(folder).with_suffix(""))
        found[str(file.relative_to(folder)) if stem in found else stem] = file
    return found


def _size(file: Path) -> tuple[int, int] | None:
    """Width and height of a picture as it is seen, by its header; None if it has none."""
    try:
        with Image.open(file) as header:
            # asking a PNG without EXIF for it would decode it, and a TIFF is turned already
            turned = "exif" in header.info and header.getexif().get(ExifTags.Base.Orientation)
            width, height = header.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return (height, width) if turned in SIDEWAYS else (width, height)
