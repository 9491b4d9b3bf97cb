"""Weights that torch.save has pickled (`.ckpt`, `.pt`, `.pth`, `.bin`), read without running code.

Since torch 1.6 such a file is a zip archive whose members are stored as they are: the pickle,
`data.pkl`, and the bytes of each storage, which are mapped and not copied. Before, it was five
pickles and then the storages, which have to be read. In both, `pickle_survey` says what the pickle
would do; if that is to make tensors which the file has the bytes for, `torch.load` does it, with
`weights_only=True`.
"""

import mmap
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import torch
from torch import Tensor

from mezzotint.checkpoints.archive import read_archive
from mezzotint.checkpoints.claims import DAMAGE, name_of, text_of, why
from mezzotint.checkpoints.pickle_survey import Program, Survey, program_of, strangers
from mezzotint.checkpoints.tensors import NAMES, Stored, Tensors, aligned
from mezzotint.errors import InputError
from mezzotint.files.pages import map_file

ZIP = b"PK\x03\x04"
PICKLE = b"\x80"
MAX_DEPTH = 8  # tables in tables
MAX_SHARED = 4  # tensors that share bytes may be this many times the file, all together
LEGACY_PICKLES = 5  # a magic number, a version, the machine, the tensors, the storages' keys
SAFELY = (
    "that may run any code; take its safetensors version, or make one where it can do no harm, as "
    "in a container without network: torch.load(…, weights_only=False), then "
    "safetensors.torch.save_file its tensors"
)
_PLAIN = (str, int, float)


def open_pickled(path: Path) -> Tensors:
    """Open what torch.save wrote; a nested ``state_dict`` is unwrapped.

    Tables in tables become names with dots between; numbers and text become metadata.

    Raises:
        InputError: it needs more than tensors in plain containers, which it names; or is damaged.
    """
    raw = map_file(path)
    zipped = raw[: len(ZIP)] == ZIP
    try:
        _inspect(path, raw, zipped)
    except DAMAGE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a pickle of tensors: {why(error)}") from error
    table = _load(path, raw, zipped)
    inner = table.get("state_dict")
    stored: dict[str, Stored] = {}
    metadata: dict[str, str] = {}
    try:
        if isinstance(inner, Mapping):  # beside it there are counters and optimisers
            outside = {key: value for key, value in table.items() if isinstance(value, _PLAIN)}
            metadata = {text_of(key): text_of(value) for key, value in outside.items()}
            table = cast("Mapping[object, object]", inner)
        for name, leaf in _leaves(table, "", 0, set()):
            if not isinstance(leaf, Tensor):
                metadata[text_of(name)] = text_of(leaf)
            elif name_of(name) in stored:
                raise ValueError(f"two tensors are called {name!r}")
            else:
                stored[name] = _stored(leaf)
    except DAMAGE as error:
        raise InputError(f"{path} is not a table of tensors: {why(error)}") from error
    return Tensors(stored, metadata, "pickle")


def _inspect(path: Path, raw: mmap.mmap, zipped: bool) -> None:
    survey = Survey()
    raw.seek(0)
    pickle, members = read_archive(path, raw) if zipped else (None, None)
    source = cast("BinaryIO", raw) if pickle is None else BytesIO(pickle)
    programs: list[Program] = []
    for _ in range(1 if zipped else LEGACY_PICKLES):
        programs.append(program_of(source))
        if names := strangers(programs[-1]):
            raise InputError(
                f"{path} is refused: its pickle calls {', '.join(names[:5])}; {SAFELY}"
            )
    made = [survey.run(program) for program in programs]
    if members is None:
        keys = made[-1]
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise ValueError("its storages have no keys")
    elif any(members.get(key) != size for key, size in survey.storages.items()):
        raise ValueError("a storage has another size than its member of the archive")
    if sum(survey.storages.values()) > len(raw) or survey.spelled > MAX_SHARED * len(raw):
        raise ValueError(f"it claims {survey.spelled:,} bytes of tensors and has {len(raw):,}")


def _load(path: Path, raw: mmap.mmap, zipped: bool) -> Mapping[object, object]:
    raw.seek(0)
    mapped = zipped and path.suffix != ".safetensors"  # torch.load goes by this name
    try:
        table: object = torch.load(
            path if mapped else cast("BinaryIO", raw),
            map_location="cpu",
            weights_only=True,
            mmap=mapped,
        )
    except Exception as error:  # whatever torch makes of a damaged file
        raise InputError(f"{path} cannot be read by torch: {why(error)}") from error
    if not isinstance(table, Mapping):
        raise InputError(f"{path} holds {type(table).__name__}, not a table of tensors")
    return cast("Mapping[object, object]", table)


def _leaves(
    table: Mapping[object, object], prefix: str, depth: int, seen: set[int]
) -> Iterator[tuple[str, object]]:
    if depth > MAX_DEPTH or id(table) in seen:
        raise ValueError("its tables are nested too deeply, or in themselves")
    seen.add(id(table))
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            inner = cast("Mapping[object, object]", value)
            yield from _leaves(inner, f"{name}.", depth + 1, seen)
        elif isinstance(value, (Tensor, *_PLAIN)):
            yield name, value


def _stored(tensor: Tensor) -> Stored:
    plain = aligned(tensor.detach(), tensor.element_size())
    return Stored(NAMES[plain.dtype], tuple(plain.shape), lambda: plain)
