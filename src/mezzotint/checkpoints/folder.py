"""A folder of weights with a manifest that knows the hash of every file.

`manifest.json` names the family and gives each file's SHA-256, so that a file that was cut short
or has a flipped bit is refused by name before anything is read from it.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from mezzotint.checkpoints.faults import refuse_any
from mezzotint.checkpoints.packed import unpack
from mezzotint.errors import InputError
from mezzotint.files import write_whole

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class WeightsFolder:
    """A folder whose files are listed, with their hashes, in its manifest."""

    path: Path
    family: str
    hashes: dict[str, str]

    @property
    def digest(self) -> str:
        """Ten hex digits that stand for all files together (a PNG's `Model hash`)."""
        joined = "\n".join(f"{name} {value}" for name, value in sorted(self.hashes.items()))
        return hashlib.sha256(joined.encode()).hexdigest()[:10]

    def read(self, name: str) -> bytes:
        """Return the bytes of one listed file.

        Raises:
            InputError: the file is missing, not listed, or its hash differs.
        """
        if name not in self.hashes:
            raise InputError(f"{self.path / MANIFEST} lists no {name}")
        try:
            data = (self.path / name).read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {self.path / name}: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != self.hashes[name]:
            raise InputError(
                f"{self.path / name} is damaged: its SHA-256 is not the one in {MANIFEST}; "
                "install or copy it again"
            )
        return data

    def copy_to(self, folder: Path) -> None:
        """Write the listed files, and nothing else that lies beside them, into ``folder``.

        Raises:
            InputError: as ``read``.
            OSError: ``folder``, one that is being made, cannot be written.
        """
        for name in self.hashes:
            (folder / name).write_bytes(self.read(name))

    def table(self, name: str) -> dict[str, object]:
        """Return what one listed JSON file says.

        Raises:
            InputError: as ``read``, or the file is not a JSON table.
        """
        data = self.read(name)
        try:
            table: object = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.path / name} is not JSON: {error}") from error
        if not isinstance(table, dict):
            raise InputError(f"{self.path / name} is not a JSON table")
        return cast("dict[str, object]", table)

    def weights(self, name: str) -> dict[str, Tensor]:
        """Return the float32 tensors of one listed safetensors file.

        Raises:
            InputError: as ``read``, or the file is not safetensors.
        """
        data = self.read(name)
        try:
            return unpack(safetensors.torch.load(data))
        except SafetensorError as error:
            raise InputError(f"{self.path / name} is not a safetensors file: {error}") from error


def open_folder(path: Path) -> WeightsFolder:
    """Read the manifest of a weights folder.

    Raises:
        InputError: there is no manifest, or it is not one.
    """
    file = path / MANIFEST
    try:
        manifest = cast("dict[str, object]", json.loads(file.read_text(encoding="utf-8")))
        family = str(manifest["family"])
        hashes = dict(cast("dict[str, str]", manifest["sha256"]))
    except OSError as error:
        raise InputError(f"{path} is not a weights folder: cannot read {MANIFEST}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{file} is not a weights manifest: {error}") from error
    if any(Path(name).name != name for name in hashes):
        raise InputError(f"{file} names a file outside its folder")
    return WeightsFolder(path, family, hashes)


def write_manifest(path: Path, family: str) -> None:
    """Hash every file of ``path`` into a new manifest."""
    files = sorted(f for f in path.iterdir() if f.is_file() and f.name != MANIFEST)
    hashes = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    text = json.dumps({"family": family, "sha256": hashes}, indent=2)
    write_whole(path / MANIFEST, text.encode() + b"\n")


def load_complete(module: nn.Module, weights: dict[str, Tensor], source: str) -> None:
    """Load ``weights`` into ``module`` if, and only if, every key and every shape matches.

    Args:
        module: left as it is where they do not.
        weights: they become its parameters, and are not copied.
        source: what they are called in an error.

    Raises:
        InputError: keys are missing, unexpected or mis-shaped; it lists them.
    """
    expected = {name: tuple(t.shape) for name, t in module.state_dict().items()}
    found = {name: tuple(t.shape) for name, t in weights.items()}
    misshaped = sorted(n for n in expected.keys() & found.keys() if expected[n] != found[n])
    faults = {
        "missing": sorted(expected.keys() - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "mis-shaped": [f"{n} {found[n]} for {expected[n]}" for n in misshaped],
    }
    refuse_any(f"{source} does not fit {type(module).__name__}", faults)
    module.load_state_dict(weights, assign=True)
