"""The zip archives that torch.save writes, and nothing that other archives could be.

Two programs may read one archive differently, and torch does not read it with Python's zipfile. So
only the one layout is let through that has a single reading: members that are stored as they are,
each once, in one folder, with the directory and its end record last in the file.
"""

import mmap
from pathlib import Path
from struct import unpack_from
from zipfile import ZIP_STORED, BadZipFile, ZipFile

MAX_PICKLE = 1 << 26  # bytes; a model's pickle has about a hundred for each tensor
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"


def read_archive(path: Path, raw: mmap.mmap) -> tuple[bytes, dict[str, int]]:
    """The pickle in an archive of torch.save, and the size in bytes of each storage by its key.

    Args:
        path: the archive.
        raw: its bytes.

    Raises:
        ValueError: it is damaged, compressed, or otherwise unlike those of torch.save.
    """
    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
            if archive.start_dir != _directory(raw):
                raise ValueError("its directory is in two places")
            folder = _folder([member.orig_filename for member in members])
            sizes = {member.orig_filename: member.file_size for member in members}
            if any(member.compress_type != ZIP_STORED for member in members):
                raise ValueError("it is compressed, which torch.save never does")
            if sum(member.file_size for member in members) > len(raw):
                raise ValueError("its members are larger than the file")
            if not 0 < sizes[f"{folder}data.pkl"] <= MAX_PICKLE:
                raise ValueError("its pickle is too large to be that of tensors")
            pickle = archive.read(f"{folder}data.pkl")
    except (BadZipFile, NotImplementedError, OSError, RuntimeError) as error:
        raise ValueError(f"its archive is damaged: {error}") from error
    data = f"{folder}data/"
    return pickle, {n.removeprefix(data): s for n, s in sizes.items() if n.startswith(data)}


def _folder(names: list[str]) -> str:
    """The folder that all members are in, with its slash."""
    folder = names[0].partition("/")[0] + "/"
    if len({name.lower() for name in names}) < len(names):
        raise ValueError("it has a member twice")
    if not all(name.startswith(folder) and name.isascii() and name.isprintable() for name in names):
        raise ValueError("its members are not in one folder")
    if f"{folder}constants.pkl" in names:
        raise ValueError("it is a TorchScript program")
    return folder


def _directory(raw: mmap.mmap) -> int:
    """Where the end records, which have to be the file's last bytes, say the directory begins."""
    end = len(raw) - 22
    if end < 0 or raw[end : end + 4] != _END or raw[-2:] != b"\0\0":
        raise ValueError("its archive is cut short")
    (begin,) = unpack_from("<I", raw, end + 16)
    locator = end - 20
    if locator < 0 or raw[locator : locator + 4] != _LOCATOR64:
        return begin
    (record,) = unpack_from("<Q", raw, locator + 8)
    if record != locator - 56 or raw[record : record + 4] != _END64:
        raise ValueError("its archive is cut short")
    return unpack_from("<Q", raw, record + 48)[0]
